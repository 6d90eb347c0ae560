"""The verbs of `tajo.app` in a terminal. Results go to stdout, progress and words of warning to stderr.

Exit codes: 0 all well; 1 some records that this run met failed or are parked; 2 usage or configuration;
3 a human must mend something (a token, a scope, a limit).
"""

from __future__ import annotations

import gc
import io
import sys

import typer

from tajo.cli.back_in_stock import back_in_stock
from tajo.cli.commands import app
from tajo.cli.skills import skills
from tajo.errors import Later, Mend

app.add_typer(back_in_stock, name="back-in-stock")
app.add_typer(skills, name="skills")

INTERRUPTED = 130
"""The exit code after Ctrl-C, which Typer turns into it by itself."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong is told in a sentence."""
    # A sweep makes millions of objects that die young and hold no circles: looking through all that
    # the imports made, again and again, was a tenth of its time.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without these letters must not end a sync
            stream.reconfigure(errors="backslashreplace")
    gc.freeze()
    gc.set_threshold(5_000, 10, 5)
    try:
        result = app(args=arguments, prog_name="tajo", standalone_mode=False)
    except Mend as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Later as error:
        print(f"{error}\n  Mend: nothing is lost; run the same command again later.", file=sys.stderr)
        return 1
    except typer.TyperException as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        result = INTERRUPTED
    except OSError as error:
        print(f"cannot write the answer: {error.strerror}", file=sys.stderr)
        return 1
    if result == INTERRUPTED:
        print("Stopped. Nothing is lost: the next sync goes on where this one was.", file=sys.stderr)
    return result if isinstance(result, int) else 0
