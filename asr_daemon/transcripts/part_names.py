"""Names of recordings that may be parts of a longer one: recorders cut at 30 minutes, or at 2 or 4 GB.

Enters: a file's name. Leaves: what it shares with the names of its other parts, and its place among them. A
name alone never says that two files belong together: see :mod:`asr_daemon.transcripts.part_order`. Nothing
raises; hostile names cost no more than their length.

Names that devices make, and where that is written:

- GoPro: ``GH011234 GH021234`` (chapter, then file number), older ``GOPR1234 GP011234 GP021234``
  (GoPro support, "GoPro Camera File Naming Convention").
- DJI: ``DJI_20251230055808_0001_D``, ``DJI_0001``, ``DJI_1234_001`` (what tools that merge them read:
  marcelo-lara/dji.tools, Shadetail/Avata-2-Merge-Flights), 4 GB each.
- Zoom F3, H series: ``210101_001``, and ``_Tr1 _Tr2`` behind it for tracks of one moment (F3 manual, "F3
  folder and file structure").
- TASCAM Portacapture: ``TASCAM_0001``, ``TASCAM_0001_01`` where divided (X6 reference manual, 9-1); tracks of
  one moment of the DR series end with ``S12 S34``.
- Sony HVR-MRC1: ``01_0001_2024-03-15_093000``, 4 GB each, the clip's number counts on (manual, p. 18); IC
  recorders: ``240315_0930``.
- Panasonic AG-CPD15: start time, then ``_n`` for each further file (manual, p. 31).
- OBS: ``2024-03-15 09-30-00`` for each file of its automatic splitting; phones: ``VID_20240315_093000``.
- Windows, browsers: ``会议 (1) 会议 (2)``; people: ``会议-1 会议-2``, ``会议第1部分``, ``part2``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

MOST_CHARS = 255
CLOCK_MARK = "\x00"  # where a name says when, in what names share
MINUTE_S = 60.0

_GOPRO = re.compile(r"(g[hxsl])(\d\d)(\d{4})", re.IGNORECASE)
_GOPRO_FIRST, _GOPRO_NEXT = (
    re.compile(r"gopr(\d{4})", re.IGNORECASE),
    re.compile(r"gp(\d\d)(\d{4})", re.IGNORECASE),
)
_NUMERALS = "零一二三四五六七八九十"
_IN_CHINESE = re.compile(rf"第\s?(\d{{1,3}}|[{_NUMERALS}]{{1,3}})\s?(部分|部|段|节|集|份)")
_PART = re.compile(r"(?<![A-Za-z])(?:part|pt|split|cd|disc)[ _.-]?(\d{1,3})(?!\d)", re.IGNORECASE)
_LONG_CLOCK = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.年]?(\d\d)[-_.月]?(\d\d)日?[ T_-]{0,3}(\d\d)[-_.:：时]?(\d\d)"
    r"(?:[-_.:：分]?(\d\d)秒?)?(?!\d)"
)
_SHORT_CLOCK = re.compile(r"(?<!\d)(\d\d)(\d\d)(\d\d)[_-](\d\d)(\d\d)(\d\d)?(?!\d)")
_TRACK = re.compile(
    r"(?:(?<=\d)s\d\d|[ _-]?(?:tr|track|ch|tx|mic|cam|轨|音轨|声道|机位)(?:lr|[a-d]|\d{1,2}(?:_\d{1,2})?))$",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"(?P<whole>.*?) ?[(（](?P<number>\d{1,3})[)）]", re.DOTALL)
_COUNTED = re.compile(
    r"(?P<whole>.*?)[ _.-]?(?<!\d)(?P<number>\d{1,6})(?P<after>[ _.-]\D{0,8}|[A-Za-z]?)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class PartName:
    """What a name says of its recording's place among others."""

    family: str  # equal for the names of the parts of one recording
    number: int | None  # None: only the clock tells; 0: the name of the others without their numbers
    clock: datetime | None = None  # when it begins, in the recorder's own time zone
    clock_error_s: float = 0.0
    is_explicit: bool = False  # it says itself that it is a part, not merely a recording's number
    before: str = ""
    digits: int = 0
    after: str = ""

    def named(self, number: int) -> str:
        """Return what the part of another number is called; "" where that cannot be told."""
        if not self.digits or self.clock is not None:
            return ""
        return f"{self.before}{number:0{self.digits}}{self.after}"


def read_name(name: str) -> PartName | None:
    """Return what a file's name says; None where it has no stem, or is too long to be a device's."""
    stem, dot, suffix = unicodedata.normalize("NFC", name).rpartition(".")
    if not stem or len(name) > MOST_CHARS:
        return None
    ending = dot + suffix
    if chapter := _chapter(stem):
        kind, number, of, before, after = chapter
        return PartName(
            _family(kind, of, ending), number, is_explicit=True, before=before, digits=2, after=after + ending
        )
    if explicit := _explicit(stem, ending):
        return explicit
    stem, clock, error_s, shown = _without_clock(stem)
    track = _TRACK.search(stem)
    tail = track[0] if track else ""
    stem = stem[: len(stem) - len(tail)]
    match = _IN_BRACKETS.fullmatch(stem) or _COUNTED.fullmatch(stem)
    if match is not None:
        before, after = stem[: match.start("number")], stem[match.end("number") :] + tail + ending
        digits = 0 if shown else len(match["number"])
        family = _family(match["whole"], (match.groupdict().get("after") or "") + tail, ending)
        return PartName(family, int(match["number"]), clock, error_s, False, before, digits, after)
    return PartName(_family(stem, tail, ending), None if clock else 0, clock, error_s)


def _family(before: str, after: str, ending: str) -> str:
    return f"{before}/{after}/{ending}".casefold()


def _chapter(stem: str) -> tuple[str, int, str, str, str] | None:
    """Return a GoPro's kind of file, chapter, file number, and what stands around the chapter."""
    if match := _GOPRO.fullmatch(stem):
        return match[1], int(match[2]), match[3], match[1], match[3]
    if match := _GOPRO_FIRST.fullmatch(stem):
        return "gopr", 0, match[1], "GP", match[1]
    if match := _GOPRO_NEXT.fullmatch(stem):
        return "gopr", int(match[1]), match[2], "GP", match[2]
    return None


def _explicit(stem: str, ending: str) -> PartName | None:
    """Return what a name says that has a word for "part"."""
    match = _IN_CHINESE.search(stem) or _PART.search(stem)
    if match is None:
        return None
    told = match[1]
    before, after = stem[: match.start(1)], stem[match.end(1) :]
    digits = len(told) if told.isascii() else 0
    number = int(told) if digits else _numeral(told)
    return PartName(
        _family(before, after, ending),
        number,
        is_explicit=True,
        before=before,
        digits=digits,
        after=after + ending,
    )


def _numeral(told: str) -> int:
    """Return a number up to 99 that is written in Chinese; what is none is 0."""
    tens, has_ten, ones = told.rpartition("十")
    if not has_ten:
        return _NUMERALS.index(told) if len(told) == 1 else 0
    return 10 * (_NUMERALS.index(tens) if len(tens) == 1 else 1) + (
        _NUMERALS.index(ones) if len(ones) == 1 else 0
    )


def _without_clock(stem: str) -> tuple[str, datetime | None, float, bool]:
    """Return the stem with a mark where it says when, when that is, how exact, and whether it does.

    ``240315_0001`` is the first recording of that day, not one of a minute past midnight.
    """
    for pattern, century in ((_LONG_CLOCK, 0), (_SHORT_CLOCK, 2000)):
        match = pattern.search(stem)
        if match is None:
            continue
        year, month, day, hour, minute = map(int, match.groups()[:5])
        if pattern is _SHORT_CLOCK and match[6] is None and hour == 0:
            continue
        try:
            clock = datetime(century + year, month, day, hour, minute, int(match[6] or 0))  # noqa: DTZ001 (nobody says where)
        except ValueError:
            continue
        marked = stem[: match.start()] + CLOCK_MARK + stem[match.end() :]
        return marked, clock, 0.0 if match[6] else MINUTE_S, True
    return stem, None, 0.0, False
