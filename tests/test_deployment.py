"""The files by which Tajo is deployed, held against the code that they start and stop."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from sqlalchemy.engine import make_url
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tajo.bigcommerce.callbacks import DOOR
from tajo.cli.commands import app
from tajo.config.arrange import API_URL_VARIABLE, ENVIRONMENT, STORE_ENVIRONMENT
from tajo.config.model import Server
from tajo.errors import Usage
from tajo.server import make_app, recovery
from tajo.server import serve as listen
from tajo.server.ingestion import BATCH
from tajo.server.serve import GRACE
from tajo.sync import shipping

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PORT: int = Server.model_fields["port"].default

VARIABLES = {*ENVIRONMENT, *STORE_ENVIRONMENT, API_URL_VARIABLE, "TAJO_CONFIG", "TAJO_SECRET_KEY"}
"""What Tajo reads from its environment."""

LONGEST_STOP = GRACE + shipping.GRACE
"""Seconds of an orderly end: requests are finished, then events that are on their way."""


def parsed(words: list[str]) -> dict[str, Any]:
    """What the command line makes of these words, behind `tajo`. Fails for what it does not know."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    found: dict[str, Any] = command.make_context("tajo", list(words)).params
    return found


# --- Dockerfile


def instructions() -> Iterator[tuple[str, str]]:
    """Word and rest of every instruction of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", "")
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        yield word, rest


def all_of(word: str) -> list[str]:
    return [rest for one, rest in instructions() if one == word]


def last(word: str) -> str:
    return all_of(word)[-1]


def variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))


def copied() -> set[str]:
    """What of the project gets into the image."""
    lines = [rest.split() for rest in all_of("COPY") if not rest.startswith("--from")]
    return {name for names in lines for name in names[:-1]}


def test_the_image_runs_a_python_that_the_project_is_for_and_tested_with() -> None:
    bases = {rest.split()[0] for rest in all_of("FROM")}
    [found] = [re.fullmatch(r"python:([\d.]+)-slim", base) for base in bases]
    assert found
    assert found[1] in SpecifierSet(PROJECT["project"]["requires-python"])
    assert found[1] == PROJECT["tool"]["mypy"]["python_version"]


def test_everything_in_the_image_is_locked_and_nothing_is_compiled() -> None:
    assert "PIP_ONLY_BINARY=:all:" in shlex.split(all_of("ENV")[0])
    installs = [
        line for run in all_of("RUN") for line in run.split(" && ") if re.search(r"\binstall\b", line)
    ]
    installs = [" ".join(line.split()) for line in installs if "pip" in line.split()]
    assert [re.sub(r".* install ", "", line) for line in installs if "uninstall" not in line] == [
        "--require-hashes -r requirements-build.lock",
        "--require-hashes -r requirements.lock",
        "--no-deps --no-index dist/*.whl",
    ]


def test_what_builds_the_wheel_is_locked() -> None:
    locked = re.findall(
        r"^(\S+)==(\S+) ", (ROOT / "requirements-build.lock").read_text(encoding="utf-8"), re.M
    )
    assert all(re.fullmatch(r"[\w.-]+", name) for name, _ in locked)
    [asked] = map(Requirement, PROJECT["build-system"]["requires"])
    assert dict(locked)[asked.name] in asked.specifier


def test_what_the_image_is_built_from_exists_and_nothing_else_is_sent_to_the_builder() -> None:
    *lines, caches = (
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
    )
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines[1:]} == copied()
    assert caches == "**/__pycache__"
    assert all((ROOT / name).exists() for name in copied())
    project = PROJECT["project"]
    wanted = [project["readme"], *project["license-files"], "pyproject.toml"]
    assert {
        *wanted,
        *(path.split("/")[0] for path in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]),
    } <= copied()


def test_the_image_runs_as_nobody_in_particular_and_writes_to_its_volume_alone() -> None:
    uid, _, gid = last("USER").partition(":")
    assert int(uid) == int(gid) > 0
    assert f"useradd --uid {uid} " in all_of("RUN")[-1]
    assert last("WORKDIR") == last("VOLUME") == "/data"
    assert Path(str(make_url(variables()["TAJO_DATABASE_URL"]).database)).parent == Path("/data")
    assert {name for name in variables() if name.startswith(("TAJO", "BC_", "BREVO"))} <= VARIABLES


def test_the_image_serves_on_the_port_that_it_names() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["tajo"]
    assert "tajo" in PROJECT["project"]["scripts"]
    options = parsed(json.loads(last("CMD")))
    assert options["host"] == "0.0.0.0"  # noqa: S104 - what is published is chosen outside
    assert options["port"] == int(last("EXPOSE")) == PORT


async def test_the_image_is_healthy_while_the_server_answers() -> None:
    [*_, code] = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])
    assert str(PORT) in code

    async def healthy(url: str) -> bool:
        asking = code.replace(str(PORT), url.rpartition(":")[2])
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", asking, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait() == 0

    async def ready() -> bool:
        return True

    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    server = make_app({}, None, cast(Any, None), ready)
    task = asyncio.create_task(listen(server, "127.0.0.1", 0, stop=stop, listening=url.set_result))
    assert await healthy(await url)
    stop.set()
    await task
    assert not await healthy(await url)


# --- compose.yaml


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return found


def seconds(span: str) -> float:
    return float(re.fullmatch(r"(\d+)s", span)[1])  # type: ignore[index]


def test_compose_starts_the_image_when_its_database_is_ready(compose: dict[str, Any]) -> None:
    tajo, db = compose["services"]["tajo"], compose["services"]["db"]
    assert (ROOT / tajo["build"] / "Dockerfile").is_file()
    assert tajo["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert db["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]


def test_compose_connects_to_the_database_that_it_makes(compose: dict[str, Any]) -> None:
    tajo, db = compose["services"]["tajo"]["environment"], compose["services"]["db"]["environment"]
    url = make_url(tajo["TAJO_DATABASE_URL"])
    assert url.drivername == "postgresql"
    assert (url.host, url.username, url.database) == ("db", db["POSTGRES_USER"], db["POSTGRES_DB"])
    assert tajo["PGPASSWORD"] == db["POSTGRES_PASSWORD"]
    check = compose["services"]["db"]["healthcheck"]["test"]
    assert {f"--username={url.username}", f"--dbname={url.database}"} <= {*check}


def test_compose_sets_variables_that_exist_and_asks_for_those_that_the_page_names(
    compose: dict[str, Any],
) -> None:
    tajo = compose["services"]["tajo"]
    assert {*tajo["environment"]} <= VARIABLES | {"PGPASSWORD", "FORWARDED_ALLOW_IPS"}
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for name in re.findall(r"\$\{(\w+)", text):
        assert f"\n  {name}=…\n" in PAGE
    assert tajo["env_file"] == ".env"
    for name in re.findall(r"^  (\w+)=…$", PAGE, re.M):
        assert name in VARIABLES | {"POSTGRES_PASSWORD"}, name


def test_compose_keeps_what_must_be_kept(compose: dict[str, Any]) -> None:
    kept, settings = compose["services"]["tajo"]["volumes"]
    assert kept.split(":") == ["data", last("VOLUME")]
    assert settings["target"] == compose["services"]["tajo"]["environment"]["TAJO_CONFIG"]
    assert settings["read_only"]
    assert compose["services"]["db"]["volumes"] == ["db:/var/lib/postgresql/data"]
    assert {*compose["volumes"]} == {"data", "db"}


def test_compose_opens_the_port_to_this_machine_alone_and_believes_what_comes_through_it(
    compose: dict[str, Any],
) -> None:
    tajo = compose["services"]["tajo"]
    assert tajo["ports"] == [f"127.0.0.1:{PORT}:{last('EXPOSE')}"]
    assert "ports" not in compose["services"]["db"]
    believed = tajo["environment"]["FORWARDED_ALLOW_IPS"]
    trusted = ProxyHeadersMiddleware(cast(Any, None), believed).trusted_hosts
    assert "172.18.0.1" in trusted
    assert "203.0.113.9" not in trusted
    assert f"FORWARDED_ALLOW_IPS={believed} " in PAGE


def test_compose_gives_no_more_rights_than_are_needed(compose: dict[str, Any]) -> None:
    tajo = compose["services"]["tajo"]
    assert tajo["read_only"]
    assert tajo["tmpfs"] == "/tmp"  # noqa: S108 - in the container
    assert tajo["cap_drop"] == ["ALL"]
    assert tajo["security_opt"] == ["no-new-privileges:true"]
    assert tajo["init"], "as the first process, it would not hear a signal that comes while it is loaded"


# --- systemd


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """The lines of the service: a key may stand more than once."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "deploy" / "tajo.service").read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_the_service_starts_a_command_that_exists_with_the_files_that_the_page_names(
    unit: dict[str, list[str]],
) -> None:
    program, *words = shlex.split(unit["ExecStart"][0])
    assert program == "/opt/tajo/bin/tajo"
    assert parsed(words) == parsed(["serve"])
    assert unit["Environment"] == ["TAJO_CONFIG=/etc/tajo/tajo.yaml"]
    for path in (program, "/etc/tajo/tajo.yaml", unit["EnvironmentFile"][0]):
        assert path in PAGE


def test_the_page_runs_commands_as_the_service_does(unit: dict[str, list[str]]) -> None:
    alike = ["DynamicUser", "StateDirectory", "UMask", "EnvironmentFile"]
    shown = PAGE.partition("systemd-run")[2].partition("```")[0]
    assert all(f"-p {key}={unit[key][0]}" in shown for key in alike)
    assert f"--uid={unit['User'][0]} " in shown
    assert f"-E {unit['Environment'][0]}" in shown
    assert f"-p WorkingDirectory={unit['WorkingDirectory'][0].replace('%S', '/var/lib')}" in shown


def test_the_service_writes_to_its_own_folder_alone(unit: dict[str, list[str]]) -> None:
    assert unit["WorkingDirectory"] == [f"%S/{unit['StateDirectory'][0]}"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["DynamicUser"] == ["yes"]
    assert unit["CapabilityBoundingSet"] == [""]


def test_the_service_is_not_started_again_for_a_mistake_in_the_configuration(
    unit: dict[str, list[str]],
) -> None:
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == [str(Usage.exit_code)]


def test_whoever_stops_it_waits_for_an_orderly_end(
    unit: dict[str, list[str]], compose: dict[str, Any]
) -> None:
    patience = float(unit["TimeoutStopSec"][0])
    assert patience > LONGEST_STOP
    assert seconds(compose["services"]["tajo"]["stop_grace_period"]) == patience
    assert f"--stop-timeout {patience:.0f} " in PAGE


# --- nginx


def locations() -> dict[str, dict[str, str]]:
    """The locations of the site, with their directives, and `server` with those of the site itself."""
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text = re.sub(r"#.*", "", text).partition("listen 443")[2]
    found = {"server": re.sub(r"location [^{]*\{[^}]*\}", "", text)}
    found |= {where.strip(): body for where, body in re.findall(r"location ([^{]*)\{([^}]*)\}", text)}
    return {
        where: dict(re.findall(r"^\s*([\w]+ ?(?:X-[\w-]+)?) ([^;]*);", body, re.M))
        for where, body in found.items()
    }


def met(path: str) -> dict[str, str]:
    """What nginx does with a path: the first pattern that fits, else what holds for all."""
    found = locations()
    for where, body in found.items():
        if where.startswith("~ ") and re.search(where[2:], path):
            return body
    return found["/"]


PUBLIC = [
    DOOR,
    f"{DOOR}/shop",
    f"{DOOR}/shop/exceptions",
    "/webhooks/brevo",
    "/v1/back-in-stock",
    "/storefront.js",
]
SECRET = [recovery.ROUTE.replace("{token}", "abc"), "/setup"]


@pytest.mark.parametrize("path", [*PUBLIC, *SECRET, "/", "/v1/connectors", "/openapi.json"])
def test_the_proxy_hands_on_what_is_called_from_outside(path: str) -> None:
    assert met(path)["proxy_pass"] == f"http://{Server.model_fields['host'].default}:{PORT}"


@pytest.mark.parametrize("path", SECRET)
def test_the_proxy_writes_down_no_address_that_opens_something(path: str) -> None:
    assert met(path)["access_log"] == "off"
    assert met(path)["error_log"] == "/dev/null"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_the_proxy_keeps_to_this_machine_how_it_fares(path: str) -> None:
    assert "proxy_pass" not in met(path)


def test_the_proxy_says_who_calls_and_lets_the_largest_bodies_through() -> None:
    server = locations()["server"]
    assert server["proxy_set_header X-Forwarded-For"] == "$remote_addr"
    assert server["proxy_set_header X-Forwarded-Proto"] == "$scheme"
    assert int(server["client_max_body_size"].removesuffix("m")) * 2**20 >= BATCH
