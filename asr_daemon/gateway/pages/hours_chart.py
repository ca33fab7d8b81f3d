"""Hours transcribed per day and department, as the geometry of stacked bars. Lengths are SVG user units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.control.console_answers import DayHours

DAYS = 14
WIDTH, HEIGHT = 560, 150
LEFT, BOTTOM, TOP = 34, 22, 8
MOST_COLOURS = 8  # departments beyond share the last one
HOUR_MS = 3_600_000
_STEPS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Bar:
    """What one department had transcribed on a day."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    day: str
    inbox: str
    hours: float


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class HoursChart:
    """The picture; ``total_hours`` of all days, ``colours`` of the departments in it."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    days: tuple[Label, ...]
    lines: tuple[Label, ...]
    colours: tuple[tuple[str, int], ...]
    total_hours: float


def draw_hours(hours: Sequence[DayHours], today: str) -> HoursChart:
    """Return the picture of the fortnight that ends today (``2026-03-15``)."""
    last = date.fromisoformat(today)
    days = [f"{last - timedelta(days=DAYS - 1 - place)}" for place in range(DAYS)]
    inboxes = sorted({each.inbox for each in hours})
    colours = {inbox: min(place, MOST_COLOURS - 1) for place, inbox in enumerate(inboxes)}
    lasting = {(each.day, each.inbox): each.duration_ms / HOUR_MS for each in hours}
    tallest = max((sum(lasting.get((day, inbox), 0.0) for inbox in inboxes) for day in days), default=0.0)
    step = next((step for step in _STEPS if step * 4 >= tallest), _STEPS[-1])
    top = step * max(2, -(-tallest // step))
    room, ground, slot = HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM, (WIDTH - LEFT) / DAYS
    bars = []
    for place, day in enumerate(days):
        y = float(ground)
        for inbox in inboxes:
            if amount := lasting.get((day, inbox), 0.0):
                height = room * amount / top
                y -= height
                x = LEFT + slot * (place + 0.18)
                bars.append(
                    Bar(
                        round(x, 1),
                        round(y, 1),
                        round(slot * 0.64, 1),
                        round(height, 1),
                        colours[inbox],
                        day,
                        inbox,
                        amount,
                    )
                )
    marks = [step * number for number in range(1, int(top / step + 0.5) + 1)]
    return HoursChart(
        WIDTH,
        HEIGHT,
        tuple(bars),
        tuple(
            Label(round(LEFT + slot * (place + 0.5), 1), HEIGHT - 6, f"{int(day[8:])}")
            for place, day in enumerate(days)
        ),
        tuple(Label(LEFT - 6, round(ground - room * mark / top, 1), f"{mark:g}") for mark in marks),
        tuple(colours.items()),
        sum(lasting.values()),
    )
