"""Tags the runs of numerals in a masked text with readings: the first rule that knows a run decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.itn import amounts, cardinals, clocks, dates, enumerations, names, phrases, ratios, strings
from asr_daemon.itn.characters import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.itn.reading import Reading, Rule, Seen

# In order: what is longer and surer comes first. Beside each rule, the characters one of which follows the
# numerals it reads (so that most rules need not be asked at all); "" is any.
_FIRST: tuple[tuple[Rule, str], ...] = (
    (phrases.articles, "条章节款项编篇目"),
    (enumerations.listed_ordinals, ""),
    (cardinals.ordinal, ""),
    (names.brand, ""),
    (names.petrol, ""),
    (enumerations.years, ""),
    (enumerations.counted, ""),
    (enumerations.digits_and_two, ""),
    (enumerations.amount_then_time, "天年个周星"),
    (enumerations.amount_then_date, "天年个周星月"),
    (enumerations.room_and_hour, "点"),
    (cardinals.shared_rank, "到至"),
    (phrases.address, "号栋幢座"),
    (amounts.duration, "分"),
    (amounts.pace, "分"),
    (phrases.lasting, "年周岁小分天个公米吨斤升亩"),
    (ratios.percent, "分"),
    (ratios.fraction, "分又"),
    (cardinals.negative, ""),
    (ratios.arithmetic, ""),
    (ratios.ratio, "比点"),
    (dates.short_years, "到至年"),
    (dates.months, "到至"),
    (dates.date, "年月"),
    (dates.year, "年"),
    (dates.decade, "后年前届级"),
    (strings.version, "点"),
    (clocks.to_go, "分刻点"),
    (clocks.marked, "点时"),
    (clocks.minutes, "点时"),
    (ratios.discount, "折点"),
    (amounts.money, "块元圆毛角分点"),
    (amounts.degrees, "度"),
    (amounts.length, "米秒"),
    (phrases.rest, "公千斤吨亩丈尺"),
    (clocks.hour_then_count, "点"),
    (strings.decimal, "点"),
    (clocks.hour_range, "到至"),
    (clocks.bare_hour, "点"),
    (clocks.o_clock, "时"),
)
_LAST: tuple[tuple[Rule, str], ...] = (
    (dates.day_of_month, "号日"),
    (amounts.liang, ""),
    (amounts.unit, ""),
    (amounts.yuan, "块"),
    (strings.letters, ""),
    (strings.court, ""),
    (strings.digits, ""),
    (cardinals.plain, ""),
)


RULES = _FIRST + _LAST


def _first_of(rules: tuple[tuple[Rule, str], ...]) -> Rule:
    """Return the rule that asks ``rules`` in turn."""
    followers = {character for _, after in rules for character in after}
    asked = {
        character: tuple(rule for rule, after in rules if not after or character in after)
        for character in followers
    }
    always = tuple(rule for rule, after in rules if not after)

    def rule(seen: Seen, start: int, end: int) -> Reading | None:
        for each in asked.get(seen.masked[end : end + 1], always):
            reading = each(seen, start, end)
            if reading is not None:
                return reading
        return None

    return rule


_partner = _first_of(RULES)
_read = _first_of((*_FIRST, (cardinals.range_before(_partner), "到至—-~"), *_LAST))


def _is_figure(character: str) -> bool:
    return character.isascii() and character.isdecimal()


def tag(seen: Seen) -> Iterator[Reading]:
    """Yield the readings that change something, in order, without overlap; linear in the text's length.

    Figures never run into figures: of 三零六三点半 the room is written, 306, and the hour stays.
    """
    position, figures_end = 0, -1
    while run := RUN.search(seen.masked, position):
        start, position = run.span()
        reading = _read(seen, start, position)
        if reading is not None:
            position = reading.end  # within the run where only its head was a number: 百分之五|百分之十
            if reading.edits and not (
                reading.edits[0].start == figures_end and _is_figure(reading.edits[0].text[:1])
            ):
                last = reading.edits[-1]
                figures_end = last.end if _is_figure(last.text[-1:]) else -1
                yield reading
