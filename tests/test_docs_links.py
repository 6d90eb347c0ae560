"""What the docs point at exists: pages, headings, files of the source, and tests by their name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
FILE = re.compile(r"`((?:src/tajo|tests|docs|benchmarks|scripts)/[\w./-]*)(?:::(\w+))?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_points_at_what_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, heading in LINK.findall(text):
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not heading or heading in headings(place), f"{target}#{heading}"
    for file, name in FILE.findall(text):
        assert (ROOT / file).exists(), file
        assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made from their words."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", words.lower()).replace(" ", "-") for words in found}
