"""`load`: find the file, complete it, judge all of it at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tajo.config.arrange import Origin, Origins, arrange, origin
from tajo.config.document import Document, Trail, parse
from tajo.config.judge import judge
from tajo.config.model import Settings
from tajo.errors import Usage


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """The settings of `path`, else of `TAJO_CONFIG`, else of `./tajo.yaml`, else of `env` alone.

    Raises one `Usage` that holds every mistake, each on a line of its own: place, key, what is wrong
    and how to mend it. No line holds a secret.
    """
    file = _find(path, env)
    document = parse(_text(file), env) if file else Document(data={})
    result = _settings(document, env)
    if isinstance(result, Settings):
        return result
    name = str(file) if file else "environment"
    raise Usage("\n".join(dict.fromkeys(_line(name, mistake) for mistake in sorted(result))))


def _find(path: Path | None, env: Mapping[str, str]) -> Path | None:
    if path or env.get("TAJO_CONFIG"):
        return path or Path(env["TAJO_CONFIG"])
    usual = Path("tajo.yaml")
    return usual if usual.exists() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Usage(f"{file}: there is no such file; `tajo init` writes one") from None
    except OSError as error:
        raise Usage(
            f"{file}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from None
    except ValueError:
        raise Usage(f"{file}: is not UTF-8 text; save it as UTF-8") from None


class _Mistake(NamedTuple):
    """One complaint. `variable`: the environment variable to blame; else `line` (0: no file)."""

    line: int
    variable: str
    label: str
    text: str


def _settings(document: Document, env: Mapping[str, str]) -> Settings | list[_Mistake]:
    tree = {} if document.data is None else document.data
    mistakes = [_Mistake(wrong.line, "", _label(wrong.trail), wrong.text) for wrong in document.mistakes]
    if not isinstance(tree, dict):
        return mistakes or [
            _Mistake(1, "", "", "must be keys and values, such as `brevo:` and `connectors:`")
        ]
    if mistakes and not document.lines:
        return mistakes
    origins: Origins = {trail: Origin(line, trail) for trail, line in document.lines.items()}
    common = arrange(tree, origins, env)
    for trail, text in judge(tree, common):
        line, written, variable = origin(origins, trail)
        mistakes.append(_Mistake(line, variable, _label(written), text))
    return mistakes or Settings.model_validate(tree).with_common(common)


def _line(file: str, mistake: _Mistake) -> str:
    place = mistake.variable or (f"{file}:{mistake.line}" if mistake.line else file)
    parts = (place, mistake.label, mistake.text)
    return "".join(char if char.isprintable() else "?" for char in ": ".join(part for part in parts if part))


def _label(trail: Trail) -> str:
    """`connectors.bigcommerce.lists`, `webhooks[0].scope`; behind a colon in a key might be a secret."""
    parts = (f"[{part}]" if isinstance(part, int) else "." + part.partition(":")[0][:60] for part in trail)
    return re.sub(r"^\.", "", "".join(parts))
