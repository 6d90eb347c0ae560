"""Skills: what is done without anybody doing it, written down in files. Pure, but for reading the files."""

from tajo.skills.files import Shelf, settled, shelf
from tajo.skills.params import Shop
from tajo.skills.playbook import Manners, Playbook

__all__ = ["Manners", "Playbook", "Shelf", "Shop", "settled", "shelf"]
