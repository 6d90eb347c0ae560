"""`tajo.yaml` and the environment, as frozen settings. `EXAMPLE` is the file that `tajo init` writes."""

from pathlib import Path

from tajo.config.credentials import Credentials, joined
from tajo.config.model import Alerts, Connector, Options, Settings
from tajo.config.read import load

EXAMPLE = (Path(__file__).parent / "example.yaml").read_text(encoding="utf-8")

__all__ = ["EXAMPLE", "Alerts", "Connector", "Credentials", "Options", "Settings", "joined", "load"]
