"""`tajo` in a world where time passes faster: `python hurried.py PACE SINCE [FAULT=RATE...] WORDS...`.

Every process that is given the same PACE and SINCE (a moment of the real clock) has the same time. Pauses are
as much shorter, so a story full of waiting is told in seconds, and nothing else is different. Rates set how
often `simulate bigcommerce --faults` misbehaves (see its `Faults`).
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from typing import Any

SHORT = 0.1
"""Pauses up to here are no waiting: a server's own loop, a nap between two looks."""


def hurry(pace: float, since: float) -> None:
    """From here on, time in this process runs so many times as fast as on the clock on the wall."""
    now, sleep = time.time, asyncio.sleep

    async def nap(seconds: float, result: Any = None) -> Any:
        return await sleep(seconds / pace if seconds > SHORT else seconds, result)

    time.time = lambda: since + (now() - since) * pace
    asyncio.sleep = nap  # type: ignore[assignment]


def weather(rates: list[str]) -> None:
    """The simulated store's faults happen at these rates, e.g. `broken=0.1`, instead of the usual ones."""
    from tajo.sandbox.bigcommerce import serve

    given = {name: float(rate) for name, rate in (word.split("=") for word in rates)}
    serve.Faults = functools.partial(serve.Faults, **given)  # type: ignore[assignment, misc]


if __name__ == "__main__":
    _, pace, since, *words = sys.argv
    hurry(float(pace), float(since))
    first = next(n for n, word in enumerate(words) if "=" not in word)
    if first:
        weather(words[:first])
    sys.argv = ["tajo", *words[first:]]
    from tajo.__main__ import main

    main()
