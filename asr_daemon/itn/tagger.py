"""Tags the runs of numerals in a masked text with readings: the first rule that knows a run decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.itn import amounts, cardinals, clocks, dates, ratios, strings
from asr_daemon.itn.characters import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.itn.reading import Reading, Rule, Seen

# In order: what is longer and surer comes first.
_FIRST: tuple[Rule, ...] = (
    cardinals.ordinal,
    ratios.percent,
    ratios.fraction,
    cardinals.negative,
    ratios.arithmetic,
    ratios.ratio,
    dates.months,
    dates.date,
    dates.year,
    dates.decade,
    strings.version,
    clocks.to_go,
    clocks.marked,
    clocks.minutes,
    ratios.discount,
    amounts.money,
    amounts.degrees,
    amounts.length,
    amounts.duration,
    strings.decimal,
    clocks.hour_range,
    clocks.bare_hour,
    clocks.o_clock,
)
_LAST: tuple[Rule, ...] = (
    dates.day_of_month,
    amounts.liang,
    amounts.unit,
    amounts.yuan,
    strings.letters,
    strings.digits,
    cardinals.plain,
)


def _first_of(rules: tuple[Rule, ...]) -> Rule:
    """Return the rule that asks ``rules`` in turn."""

    def rule(seen: Seen, start: int, end: int) -> Reading | None:
        for each in rules:
            reading = each(seen, start, end)
            if reading is not None:
                return reading
        return None

    return rule


_partner = _first_of(_FIRST + _LAST)
_read = _first_of((*_FIRST, cardinals.range_before(_partner), *_LAST))


def tag(seen: Seen) -> Iterator[Reading]:
    """Yield the readings that change something, in order, without overlap; linear in the text's length."""
    position = 0
    while run := RUN.search(seen.masked, position):
        start, position = run.span()
        reading = _read(seen, start, position)
        if reading is not None:
            position = max(position, reading.end)
            if reading.edits:
                yield reading
