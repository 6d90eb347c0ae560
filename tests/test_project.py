"""The plumbing: lock files that anybody can install from, and that lock what the project asks for."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
DEV: list[str] = PROJECT["dependency-groups"]["dev"]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_names_no_registry_and_no_path_of_a_machine(name: str) -> None:
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        assert not re.search(r"://|(^|\s)/|^-|@", line), line


@pytest.mark.parametrize(
    ("name", "wanted"), [("requirements.lock", RUNTIME), ("requirements-dev.lock", RUNTIME + DEV)]
)
def test_a_lock_file_locks_with_hashes_what_the_project_asks_for(name: str, wanted: list[str]) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").lower()
    locked = {
        found[1]: found[2] for found in re.finditer(r"^([a-z0-9-]+)==(\S+).* \\\n +--hash=", text, re.M)
    }
    assert len(locked) == len(re.findall("==", re.sub(r" ;.*", "", text)))
    for requirement in wanted:
        assert re.split(r"[\[<>=~! ]", requirement.lower())[0].replace(".", "-") in locked, requirement


def test_both_lock_files_agree() -> None:
    runtime, dev = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(encoding="utf-8"), re.M))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime <= dev
