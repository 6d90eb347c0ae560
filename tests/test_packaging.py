"""What `pip install tajo` brings: the code, everything beside it that the code needs, and nothing else."""

from __future__ import annotations

import ast
import email
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


class Built(NamedTuple):
    """Both archives; `files`: of the wheel; `packed`: of the source, by their place in the project."""

    wheel: Path
    files: frozenset[str]
    packed: frozenset[str]

    def read(self, name: str) -> str:
        """A file of the wheel's own folder."""
        with ZipFile(self.wheel) as wheel:
            return wheel.read(f"tajo-{PROJECT['version']}.dist-info/{name}").decode()

    @property
    def metadata(self) -> Message:
        return email.message_from_string(self.read("METADATA"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", folder]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with ZipFile(wheel) as archive, tarfile.open(source) as packed:
        names = packed.getnames()
        return Built(wheel, frozenset(archive.namelist()), frozenset(n.partition("/")[2] for n in names))


def source() -> frozenset[str]:
    """Every file of the package, as it lies there."""
    found = (path for path in (SOURCE / "tajo").rglob("*") if path.is_file())
    return frozenset(str(path.relative_to(SOURCE)) for path in found if "__pycache__" not in path.parts)


def test_the_wheel_holds_the_whole_package_and_nothing_else(built: Built) -> None:
    assert {name for name in built.files if ".dist-info/" not in name} == source()


@pytest.mark.parametrize(
    "one",
    [
        "tajo/py.typed",
        "tajo/config/example.yaml",
        "tajo/server/storefront.js",
        "tajo/skills/library/abandoned-cart.md",
        "tajo/sync/ledger/migrations/env.py",
        "tajo/sync/ledger/migrations/versions/0001_first_tables.py",
    ],
)
def test_what_is_not_imported_but_read_is_in_the_wheel(built: Built, one: str) -> None:
    assert one in built.files


def test_the_source_archive_holds_what_the_wheel_is_made_from(built: Built) -> None:
    assert {f"src/{name}" for name in source()} | {"pyproject.toml", "README.md", "LICENSE"} <= built.packed


def test_the_wheel_says_what_it_is(built: Built) -> None:
    says = built.metadata
    assert (says["Name"], says["Version"]) == ("tajo", PROJECT["version"])
    assert says["Requires-Python"] == ">=3.11"
    assert says["Description-Content-Type"] == "text/markdown"
    assert "# Tajo" in says.get_payload()
    assert "Typing :: Typed" in says.get_all("Classifier", [])
    assert built.read("entry_points.txt").split("\n")[:2] == [
        "[console_scripts]",
        "tajo = tajo.__main__:main",
    ]
    assert "Tag: py3-none-any" in built.read("WHEEL").splitlines()


def test_the_licence_comes_along(built: Built) -> None:
    assert built.metadata["License-Expression"] == "Apache-2.0"
    assert built.read("licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_whatever_is_imported_is_asked_for() -> None:
    asked = {_plain(re.split(r"[\[<>=~! ]", line)[0]) for line in PROJECT["dependencies"]}
    asked |= {"pydantic-core"}  # a part of pydantic, which asks for the one version that fits
    by_module = packages_distributions()
    for file in (SOURCE / "tajo").rglob("*.py"):
        for module in _imported(file) - sys.stdlib_module_names - {"tajo"}:
            given = {_plain(name) for name in by_module.get(module, [])}
            assert given & asked, f"{file.relative_to(SOURCE)} imports {module}, which no dependency names"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(file: Path) -> set[str]:
    """The first words of all names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed; its dependencies are the ones of these tests."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--isolated", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", "--target", folder, built.wheel], check=True)
    return folder


def told(installed: Path, folder: Path, *words: str) -> str:
    """What the installed `tajo` prints, in a folder where nothing else is."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "BREVO_API_KEY": "nobodys-key"}
    command = [sys.executable, installed / "bin" / "tajo", *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_installed_it_finds_its_skills(installed: Path, tmp_path: Path) -> None:
    shown = json.loads(told(installed, tmp_path, "skills", "list", "--json"))
    shipped = {path.stem for path in (SOURCE / "tajo" / "skills" / "library").glob("*.md")}
    assert {skill["name"] for skill in shown["skills"]} == shipped


def test_installed_it_makes_its_database(installed: Path, tmp_path: Path) -> None:
    assert "/setup?token=" in told(installed, tmp_path, "password", "reset")
    assert {path.name for path in tmp_path.iterdir()} == {"tajo.db", "tajo.key"}


def test_installed_it_writes_its_example(installed: Path, tmp_path: Path) -> None:
    told(installed, tmp_path, "init")
    assert (tmp_path / "tajo.yaml").read_bytes() == (ROOT / "tajo.example.yaml").read_bytes()
