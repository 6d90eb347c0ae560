"""Who may import whom. The table below is the law; everything after it only reads the source against it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

#: A room is a module or package of `tajo`, and may always import itself. What else it may import stands
#: beside it: a whole room, or one module of a room (`sync.model`). Each room sees only rooms that stand
#: above it, so there is no circle, and nothing below imports what is on top. A second kind of store, or a
#: second marketing platform, is one more line beside `bigcommerce` and `brevo`, and a word at `wiring`.
LAW = """
errors       nothing
sandbox      nothing

http         errors
throttle     nothing
series       nothing
telemetry    nothing
sync         errors
skills       errors sync.model sync.moments sync.automation
config       errors sync.mapping skills

bigcommerce  errors http sync.model sync.ports sync.recovery
brevo        errors http sync.model sync.ports sync.mapping sync.automation

wiring       errors http sync config skills bigcommerce brevo
server       errors throttle config sync.model sync.ledger sync.recovery sync.weigh.desk wiring
server       bigcommerce.callbacks brevo.callbacks

plan         errors http sync config bigcommerce brevo wiring
preview      errors http sync config bigcommerce brevo wiring
forget       errors sync wiring
export       errors http sync config bigcommerce brevo wiring
skill_trial  errors sync skills bigcommerce brevo wiring
doctor       errors http sync config bigcommerce brevo wiring

webhooks     errors config sync.ledger bigcommerce brevo wiring
storefront   errors config bigcommerce wiring webhooks
worker       errors http sync config wiring webhooks bigcommerce.hooks brevo.alerts
journal      nothing
fleet        errors http sync config wiring webhooks worker journal server bigcommerce.cart_recovery
meters       http sync wiring worker series
alarms       sync.ledger meters
messengers   errors http config sync.moments alarms
lookout      errors http sync.ledger fleet meters alarms

answers      nothing
audit        errors http sync config bigcommerce brevo wiring answers
access       errors sync.ledger sync.moments answers
skill_list   config skills answers sync.ledger sync.moments
app          errors http sync config bigcommerce wiring plan preview forget doctor audit webhooks answers
app          access skill_list
web          errors throttle series sync config skills wiring answers access app worker journal fleet meters
live         errors http sync config wiring webhooks fleet journal meters alarms messengers lookout server
live         brevo.callbacks access app web

demo         errors http sync config wiring live answers app cli.tell cli.progress sandbox.shoppers
cli          errors http sync config skills wiring plan export skill_trial audit storefront
cli          answers access skill_list app journal telemetry live demo sandbox.cli
client       errors config wiring answers access app web
tajo         client
__main__     cli
"""

#: SQL is spoken here and nowhere else. Elsewhere a database URL may be taken apart, which is no SQL.
SQL_ROOM = "sync.ledger"
SQL_LIBRARIES = {"sqlalchemy", "alembic", "aiosqlite", "sqlite3", "psycopg", "asyncpg"}
NO_SQL = {"sqlalchemy.engine.make_url"}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET|CREATE\s+TABLE)\b", re.S
)

#: The product treats a simulator like the real thing: only these know that there are any.
KNOW_SIMULATORS = {"sandbox", "demo", "cli"}
SIMULATORS = re.compile(r"sandbox|simulat", re.I)

ROOT = Path(__file__).parents[1] / "src" / "tajo"
Modules = Mapping[str, ast.Module]


def law() -> dict[str, set[str]]:
    """The table as data; a room may take two lines."""
    found: dict[str, set[str]] = {}
    for room, *rest in (line.split() for line in LAW.splitlines() if line):
        found.setdefault(room, set()).update(set(rest) - {"nothing"})
    return found


@cache
def parsed() -> Modules:
    """Every module by its name without `tajo.`; the package itself is `tajo`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__") or "tajo"
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def names(module: str, tree: ast.Module, *, package: bool = False, running: bool = False) -> Iterator[str]:
    """The full dotted names that a module imports, wherever in its text.

    `running`: only those that it imports when it is loaded, without types and without what is imported late.
    """
    here = ["tajo", *([] if module == "tajo" else module.split("."))]
    for node in _loaded(tree) if running else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + package] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _loaded(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not types and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _loaded(child)


def imports(modules: Modules, *, running: bool = False) -> dict[str, set[str]]:
    """For each module, the modules of `tajo` that it imports: the deepest ones that exist."""
    packages = {name.rpartition(".")[0] for name in modules} | {"tajo"}
    edges: dict[str, set[str]] = {}
    for module, tree in modules.items():
        edges[module] = set()
        for name in names(module, tree, package=module in packages, running=running):
            head, _, rest = name.partition(".")
            if head != "tajo":
                continue
            while rest and rest not in modules:
                rest = rest.rpartition(".")[0]
            edges[module].add(rest or "tajo")
        edges[module].discard(module)
    return edges


def within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def trespasses(modules: Modules) -> list[str]:
    """Every import that the law does not allow."""
    allowed = law()
    found = []
    for module, targets in imports(modules).items():
        room = module.partition(".")[0]
        if room not in allowed:
            found.append(f"{module}: the law knows no room `{room}`")
            continue
        doors = {room, *allowed[room]}
        found += [
            f"{module} imports {target}"
            for target in sorted(targets)
            if not any(within(target, door) for door in doors)
        ]
    return found


def circle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Some modules that import each other in a ring; none if there is no ring."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def texts(tree: ast.Module) -> Iterator[str]:
    """All string literals but docstrings."""
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield node.value


def sql_speakers(modules: Modules) -> list[str]:
    """Modules outside the ledger that import a library for SQL, or write some."""
    found = []
    for module, tree in modules.items():
        if within(module, SQL_ROOM):
            continue
        libraries = {n for n in names(module, tree) if n.partition(".")[0] in SQL_LIBRARIES}
        found += [f"{module} imports {name}" for name in sorted(libraries - NO_SQL)]
        found += [f"{module} writes {text[:60]!r}" for text in texts(tree) if SQL.search(text)]
    return found


def who_mention_simulators(modules: Modules) -> list[str]:
    """Modules whose code, not their prose, names a simulator."""
    found = []
    for module, tree in modules.items():
        if module.partition(".")[0] in KNOW_SIMULATORS:
            continue
        words = [*texts(tree), *names(module, tree)]
        words += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        words += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        found += [f"{module}: {word[:60]!r}" for word in words if SIMULATORS.search(word)]
    return found


def late_importers(modules: Modules) -> list[str]:
    """Modules that import by a name in a string, past this law."""
    tricks = {"importlib", "runpy", "pkgutil"}
    harmless = {"importlib.metadata.version"}
    found = []
    for module, tree in modules.items():
        heads = {name.partition(".")[0] for name in set(names(module, tree)) - harmless}
        called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        if heads & tricks or "__import__" in called:
            found.append(module)
    return found


def test_nobody_imports_what_the_law_does_not_allow() -> None:
    assert trespasses(parsed()) == []


def test_a_room_sees_only_rooms_that_stand_above_it() -> None:
    rooms = list(law())
    for number, (room, sees) in enumerate(law().items()):
        below = {place for place in sees if place.partition(".")[0] not in rooms[:number]}
        # The demo shows its sync as `tajo sync` would, and is one of the commands.
        assert below == ({"cli.tell", "cli.progress"} if room == "demo" else set()), room


def test_every_room_and_every_door_exists() -> None:
    modules = parsed()
    assert {module.partition(".")[0] for module in modules} == set(law())
    assert [door for sees in law().values() for door in sees if door not in modules] == []


def test_no_module_imports_itself_in_a_ring() -> None:
    assert circle(imports(parsed(), running=True)) == []
    # The simulators' handlers and their world name each other's types; the product does not even do that.
    edges = imports(parsed())
    assert circle({module: edges[module] for module in edges if not within(module, "sandbox")}) == []


def test_both_vendors_are_seen_by_the_wiring_and_what_stands_on_it_alone() -> None:
    both = {
        module.partition(".")[0]
        for module, targets in imports(parsed()).items()
        if {"bigcommerce", "brevo"} <= {target.partition(".")[0] for target in targets}
    }
    on_top = {"server", "webhooks", "worker", "live", "plan", "preview", "export", "doctor", "demo", "cli"}
    assert both <= {"wiring", "audit", "skill_trial", *on_top}


def test_sql_is_spoken_in_the_ledger_alone() -> None:
    assert sql_speakers(parsed()) == []


def test_the_product_does_not_know_that_there_are_simulators() -> None:
    assert who_mention_simulators(parsed()) == []


def test_nothing_is_imported_past_the_law() -> None:
    assert late_importers(parsed()) == []


def _source(**modules: str) -> dict[str, ast.Module]:
    empty = dict.fromkeys(law(), "") | {"sync.model": "", "sync.weigh": "", "sync.ledger.store": ""}
    written = {name.replace("__", "."): text for name, text in modules.items()}
    return {name: ast.parse(text) for name, text in (empty | written).items()}


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ({"brevo": "import tajo.bigcommerce"}, "brevo imports bigcommerce"),
        ({"brevo__api": "from tajo import cli"}, "brevo.api imports cli"),
        ({"brevo": "from tajo.sync import model, weigh"}, "brevo imports sync.weigh"),
        ({"brevo": "from tajo.sync.weigh import Desk"}, "brevo imports sync.weigh"),
        ({"sync__weigh": "from ..http import Clock"}, "sync.weigh imports http"),
        ({"sync__weigh": "def f():\n    from tajo.wiring import Wiring"}, "sync.weigh imports wiring"),
        ({"sandbox": "from tajo.errors import Mend"}, "sandbox imports errors"),
        ({"errors": "if TYPE_CHECKING:\n    import tajo.http"}, "errors imports http"),
        ({"cellar": ""}, "cellar: the law knows no room `cellar`"),
    ],
)
def test_the_law_bites(source: dict[str, str], offence: str) -> None:
    assert trespasses(_source(**source)) == [offence]


def test_what_the_law_allows_is_let_pass() -> None:
    source = _source(
        brevo="from tajo.sync.model import Key\nfrom tajo.brevo.api import Api\nimport httpx",
        brevo__api="from . import limits\nfrom .limits import Row\nfrom tajo.http import Client",
        brevo__limits="",
        wiring="from tajo import brevo, bigcommerce\nfrom sqlalchemy.engine import make_url",
    )
    assert trespasses(source) == []
    assert sql_speakers(source) == []


def test_rings_sql_and_simulators_are_found() -> None:
    ring = _source(brevo__api="from .limits import Row", brevo__limits="from tajo.brevo.api import Api")
    assert set(circle(imports(ring))) == {"brevo.api", "brevo.limits"}
    assert sql_speakers(_source(app="from sqlalchemy import select", plan="q = 'select 1'")) == [
        "app imports sqlalchemy.select"
    ]
    assert sql_speakers(_source(app="'''SELECT a FROM b is what we avoid.'''\nq = 'DELETE FROM t'")) == [
        "app writes 'DELETE FROM t'"
    ]
    assert who_mention_simulators(_source(app="'''No sandbox.'''\nif 'sandbox' in url: pass")) == [
        "app: 'sandbox'"
    ]
    assert late_importers(_source(app="import importlib")) == ["app"]
