"""Bars of an SVG chart, computed here so that its template only draws. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log10

WIDTH, HEIGHT = 640, 160
"""Of the drawing, in units of its own; the page scales it."""
_TOP, _BOTTOM, _LEFT = 12, 20, 44
_GAP = 0.2
"""The share of a day's place that stays empty."""


@dataclass(frozen=True, slots=True)
class Bar:
    """`value` is None for a day that is not shown: its bar is a mark of fixed height."""

    x: float
    y: float
    width: float
    height: float
    title: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Chart:
    name: str
    summary: str
    bars: Sequence[Bar]
    top: str
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - _BOTTOM
    left: int = _LEFT
    peak: int = _TOP


def drawn(name: str, points: Iterable[tuple[date, float | None]], show: Callable[[float], str], *, hidden: str) -> Chart:
    """A bar for each day. `show` writes a value, `hidden` is what is said of a day without one."""
    known = list(points)
    values = [value for _, value in known if value is not None]
    top = _round_up(max(values, default=0))
    step = (WIDTH - _LEFT) / max(1, len(known))
    room = HEIGHT - _TOP - _BOTTOM

    def bar(place: int, day: date, value: float | None) -> Bar:
        height = 4 if value is None else round(room * value / top, 2)
        told = f"{day.isoformat()}: {hidden if value is None else show(value)}"
        return Bar(
            round(_LEFT + place * step + step * _GAP / 2, 2),
            round(HEIGHT - _BOTTOM - height, 2),
            round(step * (1 - _GAP), 2),
            height,
            told,
            value is None,
        )

    bars = [bar(place, day, value) for place, (day, value) in enumerate(known)]
    summary = f"{name} per day, at most {show(max(values))}" if values else f"{name} per day: nothing to show yet"
    edges = [day.isoformat() for day, _ in (known[:1] + known[-1:])] or ["", ""]
    return Chart(name, summary, bars, show(top), edges[0], edges[-1])


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ...: a top of the scale that reads well. Smaller ones for shares below 1."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return float(next(step * unit for step in (1, 2, 5, 10) if ceil(value / unit * 1e9) <= step * 1e9))
