"""Charts as SVG, drawn here, with the same numbers as a table for whoever would rather read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from math import ceil, floor, log10
from typing import Literal

from markupsafe import Markup
from msgspec import Struct

from tajo.web.dashboard import words as put
from tajo.web.dashboard.words import number

WIDTH, HEIGHT = 400, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 6, 8, 22

Points = Sequence[tuple[float, float]]

TINY = 1e-9
"""Below it nothing is measured, and a power of ten may be none."""


class Serie(Struct, frozen=True):
    """A line or a row of bars: its name, which colour, and (moment, value) in the order of time."""

    name: str
    colour: Literal["one", "two"]
    points: Points


class Span(Struct, frozen=True):
    """What a chart covers, in seconds since 1970, and how long each of its steps is."""

    since: float
    until: float
    step: float


class Scale(Struct, frozen=True):
    """Where a moment and a value lie. `top`: the highest value."""

    span: Span
    top: float

    def x(self, at: float) -> float:
        """From the left."""
        part = (at - self.span.since) / (self.span.until - self.span.since)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """From above."""
        return HEIGHT - BOTTOM - min(value / self.top, 1.0) * (HEIGHT - TOP - BOTTOM)


class Chart(Struct, frozen=True, kw_only=True):
    """A chart. `svg`: empty where there is nothing to draw. `rows`: moments, and the value of each series."""

    id: str
    title: str
    summary: str
    names: list[str]
    svg: Markup
    rows: list[tuple[float, list[str]]]


def gathered(points: Iterable[tuple[float, float]], step: float, *, total: bool) -> Points:
    """The points in steps of so many seconds: their sums, or the highest of each."""
    found: dict[float, float] = {}
    for at, value in points:
        begin = at - at % step
        before = found.get(begin)
        found[begin] = value if before is None else before + value if total else max(before, value)
    return sorted(found.items())


def chart(
    id_: str,
    title: str,
    series: Sequence[Serie],
    span: Span,
    *,
    bars: bool = False,
    most: float | None = None,
    words: Callable[[float], str] = number,
) -> Chart:
    """`most`: the top of the scale; None: by the highest value. `words`: how a value is written."""
    values = [value for one in series for _, value in one.points]
    if not any(values):
        return Chart(id=id_, title=title, summary="Nothing measured yet.", names=[], svg=Markup(), rows=[])
    scale = Scale(span, most or _round(max(values)))
    summary = "; ".join(_summed(one, words) for one in series if one.points)
    parts = [
        _HEAD.format(WIDTH, HEIGHT, id_, id_, id_, title, id_, summary),
        *_axes(scale, words),
        *(_bars(one, scale) if bars else _line(one, scale) for one in series),
        Markup("</svg>"),
    ]
    return Chart(
        id=id_,
        title=title,
        summary=summary,
        names=[one.name for one in series],
        svg=Markup().join(parts),
        rows=_rows(series, words),
    )


def share(value: float) -> str:
    """`40 %`."""
    return f"{value * 100:.0f} %"


def seconds(value: float) -> str:
    """`0.25 s`, `1.8 s`."""
    return f"{value:.2f} s" if 0 < value < 1 else put.span(value)


def _summed(one: Serie, words: Callable[[float], str]) -> str:
    values = [value for _, value in one.points]
    return f"{one.name}: {words(values[-1])} last, {words(max(values))} at the most"


def _rows(series: Sequence[Serie], words: Callable[[float], str]) -> list[tuple[float, list[str]]]:
    """The newest first, and of quiet times nothing."""
    by = [dict(one.points) for one in series]
    moments = sorted({at for one in by for at, value in one.items() if value}, reverse=True)[:24]
    return [(at, [words(one[at]) if at in one else "-" for one in by]) for at in moments]


_HEAD = Markup(
    '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d"><title id="{}-t">{}</title>'
    '<desc id="{}-d">{}</desc>'
)


def _axes(scale: Scale, words: Callable[[float], str]) -> Iterator[Markup]:
    span = scale.span
    for value in (0.0, scale.top / 2, scale.top):
        y = scale.y(value)
        line = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
        yield line.format(LEFT, WIDTH - RIGHT, y, y)
        label = Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>')
        yield label.format(LEFT - 6, y + 4, words(value))
    for fourth in range(5):
        at = span.since + fourth / 4 * (span.until - span.since)
        anchor = ("start", "middle", "middle", "middle", "end")[fourth]
        label = Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
        yield label.format(scale.x(at), HEIGHT - 6, anchor, f"{datetime.fromtimestamp(at, UTC):%H:%M}")


def _bars(one: Serie, scale: Scale) -> Markup:
    bar = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    step, bottom = scale.span.step, scale.y(0.0)
    found = []
    for at, value in one.points:
        x, y = scale.x(at), scale.y(value)
        if value and x >= LEFT:
            found.append(bar.format(one.colour, x, y, max(1.0, scale.x(at + step) - x - 1), bottom - y))
    return Markup().join(found)


def _line(one: Serie, scale: Scale) -> Markup:
    """Where a step has no value the line is broken; a value by itself is a dot."""
    pieces: list[list[tuple[float, float]]] = []
    before = None
    for at, value in one.points:
        if before is None or at - before > 1.5 * scale.span.step:
            pieces.append([])
        pieces[-1].append((scale.x(at), scale.y(value)))
        before = at
    drawn = []
    for piece in pieces:
        if len(piece) == 1:
            dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>')
            drawn.append(dot.format(one.colour, *piece[0]))
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in piece)
            drawn.append(Markup('<polyline class="{}" points="{}"/>').format(one.colour, path))
    return Markup().join(drawn)


def _round(value: float) -> float:
    """The next round number above: 1, 2 or 5 with zeros."""
    value = max(value, TINY)
    power = 10.0 ** floor(log10(value))
    return next((step * power for step in (1, 2, 5) if value <= step * power), ceil(10 * power))
