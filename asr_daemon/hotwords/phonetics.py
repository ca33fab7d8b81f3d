"""How alike two Chinese characters sound, tones left out.

A syllable is an initial and a final, the final a medial, a nucleus and a coda. Distances are 0 (the same
sound) to 1 (nothing in common); pairs that speakers and recognisers mix up (n/l, zh/z, an/ang, f/h, aspirated
and not) lie close. Readings come from pypinyin, which chooses among several by the surrounding words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

# (medial, nucleus, coda) of the finals in pypinyin's strict spelling; v is ü
_FINALS: dict[str, tuple[str, str, str]] = {
    "a": ("", "a", ""), "o": ("u", "o", ""), "e": ("", "e", ""), "ê": ("", "e", ""), "er": ("", "e", "r"),
    "ai": ("", "a", "i"), "ei": ("", "e", "i"), "ao": ("", "a", "u"), "ou": ("", "o", "u"),
    "an": ("", "a", "n"), "en": ("", "e", "n"), "ang": ("", "a", "ng"), "eng": ("", "e", "ng"),
    "ong": ("u", "o", "ng"), "ueng": ("u", "e", "ng"),
    "i": ("", "i", ""), "ia": ("i", "a", ""), "ie": ("i", "e", ""), "iao": ("i", "a", "u"),
    "iou": ("i", "o", "u"), "ian": ("i", "a", "n"), "in": ("", "i", "n"), "iang": ("i", "a", "ng"),
    "ing": ("", "i", "ng"), "iong": ("v", "o", "ng"),
    "u": ("", "u", ""), "ua": ("u", "a", ""), "uo": ("u", "o", ""), "uai": ("u", "a", "i"),
    "uei": ("u", "e", "i"), "uan": ("u", "a", "n"), "uen": ("u", "e", "n"), "uang": ("u", "a", "ng"),
    "v": ("", "v", ""), "ve": ("v", "e", ""), "van": ("v", "a", "n"), "vn": ("", "v", "n"),
}  # fmt: skip
_APICAL = frozenset(("zh", "ch", "sh", "r", "z", "c", "s"))  # their i is another vowel


def _pairs(table: dict[float, str]) -> dict[frozenset[str], float]:
    """Return {unordered pair: distance}; "-" stands for nothing."""
    return {
        frozenset(part.replace("-", "") for part in pair.split("/")): distance
        for distance, pairs in table.items()
        for pair in pairs.split()
    }


_INITIAL_DISTANCES = _pairs(
    {
        0.10: "n/l zh/z ch/c sh/s",
        0.15: "f/h r/l",
        0.20: "b/p d/t g/k j/q zh/ch z/c r/n j/zh q/ch x/sh",
        0.25: "j/x q/x sh/ch s/c zh/sh z/s j/z q/c x/s zh/c z/ch zh/s z/sh r/zh r/sh "
        "h/k g/h m/n d/z t/c -/r -/h",
        0.30: "m/b b/d p/t d/g t/k d/n b/f p/f d/l t/l t/ch d/zh d/j t/q m/l "
        "-/m -/l -/n -/g -/k r/ch l/j -/f",
    }
)
_MEDIAL_DISTANCES = _pairs({0.10: "u/v", 0.15: "i/v -/i -/u -/v", 0.25: "i/u"})
_NUCLEUS_DISTANCES = _pairs(
    {
        0.15: "u/v i/v e/o",
        0.20: "u/o e/y i/y",
        0.25: "a/e i/e a/o u/e",
        0.30: "u/y o/y v/y v/o v/e",
        0.40: "i/u i/o",
    }
)
_CODA_DISTANCES = _pairs({0.05: "n/ng", 0.15: "-/i -/u -/r", 0.20: "-/n -/ng", 0.25: "i/n u/ng i/u n/u i/ng"})
_OTHER_INITIAL, _OTHER_VOWEL, _OTHER_CODA = 0.45, 0.50, 0.30


@dataclass(frozen=True, slots=True)
class Syllable:
    """One reading of a character, without its tone."""

    initial: str
    medial: str
    nucleus: str
    coda: str


def syllables(text: str) -> list[Syllable | None]:
    """Return the sound of each character as it is read in this text; None where it is not Chinese."""
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 (its dictionaries take 30 MB)

    spelled = lazy_pinyin(text, style=Style.NORMAL, errors=_one_by_one)
    return [_syllable(reading) for reading in spelled]


def _one_by_one(foreign: str) -> Any:
    """Return what pypinyin puts in for a run that is not Chinese: a place for each character."""
    return [""] * len(foreign)


@cache
def _syllable(reading: str) -> Syllable | None:
    from pypinyin.contrib.tone_convert import to_finals, to_initials  # noqa: PLC0415

    if not reading:
        return None
    initial = to_initials(reading, strict=True)
    parts = _FINALS.get(to_finals(reading, strict=True, v_to_u=False))
    if parts is None:
        return None  # interjections such as 嗯 (ng)
    medial, nucleus, coda = parts
    if nucleus == "i" and not coda and initial in _APICAL:
        nucleus = "y"
    return Syllable(initial, medial, nucleus, coda)


@cache
def distance(first: Syllable, second: Syllable) -> float:
    """Return 0 (the same sound) to 1."""
    if first == second:
        return 0.0
    return min(
        1.0,
        _part(first.initial, second.initial, _INITIAL_DISTANCES, _OTHER_INITIAL)
        + _part(first.medial, second.medial, _MEDIAL_DISTANCES, _OTHER_VOWEL)
        + _part(first.nucleus, second.nucleus, _NUCLEUS_DISTANCES, _OTHER_VOWEL)
        + _part(first.coda, second.coda, _CODA_DISTANCES, _OTHER_CODA),
    )


def _part(first: str, second: str, table: dict[frozenset[str], float], other: float) -> float:
    return 0.0 if first == second else table.get(frozenset((first, second)), other)
