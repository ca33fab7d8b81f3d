"""Explicit replacements: where the wrong forms of a list stand in a text.

Enters: (wrong, right) pairs, a text. Leaves: :class:`Found` from left to right, not overlapping, the longest
wrong form first. Nothing raises.

Chinese is replaced wherever it stands. Latin words and figures are whole ones, in whatever case: ``it`` is in
``IT部门`` but neither in ``digital`` nor in ``it's``, ``404`` is not in ``1404`` or ``404.5``.

A wrong form with figures (``404车间``) is what somebody read in a transcript; the model said 四零四车间.
It is looked for in what the normaliser makes of the text, and a match replaces what that was made of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from asr_daemon.hotwords.dressing import CHINESE
from asr_daemon.itn.characters import NUMERALS, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asr_daemon.itn import Normalised, Normaliser

_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}  # keeps the length, unlike casefold()
_LATIN = re.compile(r"[0-9A-Za-zÀ-ÖØ-öø-ɏ]")
_JOINS = {"'": _LATIN, "’": _LATIN, ".": re.compile("[0-9]"), ",": re.compile("[0-9]")}  # it's, 404.5, 1,404
_FIGURE = re.compile("[0-9]")
_NUMERAL = re.compile(f"[{NUMERALS}]")
_BLANK_BESIDE_CHINESE = re.compile(rf"(?<=[{CHINESE}])\s+|\s+(?=[{CHINESE}])")


@dataclass(frozen=True, slots=True)
class Found:
    """``text[start:end]`` is to become ``right``."""

    start: int
    end: int
    right: str


class Replacements:
    """The replacements of one list."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._by_first: dict[str, list[tuple[str, str]]] = {}
        forms: dict[str, str] = {}
        for wrong, right in pairs:
            folded = wrong.translate(_LOWER)
            forms.setdefault(folded, right)
            forms.setdefault(_BLANK_BESIDE_CHINESE.sub("", folded), right)  # models write AI平台
        for wrong in sorted(forms, key=len, reverse=True):
            if wrong:
                self._by_first.setdefault(wrong[0], []).append((wrong, forms[wrong]))
        self._figures = [(wrong, right) for wrong, right in pairs if _FIGURE.search(wrong)]

    def find(self, text: str) -> Iterator[Found]:
        """Yield what is to be replaced where it stands in the text as it is."""
        folded = text.translate(_LOWER)
        at = 0
        while at < len(folded):
            for wrong, right in self._by_first.get(folded[at], ()):
                end = at + len(wrong)
                if folded.startswith(wrong, at) and _is_whole(text, at, end):
                    yield Found(at, end, right)
                    at = end
                    break
            else:
                at += 1

    def find_written(self, text: str) -> Iterator[Found]:
        """Yield what is to be replaced where the written form of the text holds it, and the text does not.

        A match inside a longer written form, the month of a date, replaces that as a whole; the rest of it is
        then written in figures already.
        """
        if not self._figures or not _NUMERAL.search(fold(text)):
            return
        normalised = self._normaliser.normalise(text)
        done = 0
        for found in self._written.find(normalised.text):
            place = _spoken_place(normalised, found)
            if place is not None and place.start >= done:
                yield place
                done = place.end

    @cached_property
    def _written(self) -> Replacements:
        return Replacements(self._figures)

    @cached_property
    def _normaliser(self) -> Normaliser:
        from asr_daemon.itn import Normaliser  # noqa: PLC0415 (few lists have figures)

        return Normaliser()


def _spoken_place(normalised: Normalised, found: Found) -> Found | None:
    """Return what a match in the written text replaces in the spoken one; None without a number in it."""
    start, end, before, after, shift = found.start, found.end, "", "", 0
    touched = False
    for span in normalised.spans:
        if span.end <= found.start:
            shift = span.raw_end - span.end
        elif span.start < found.end:
            if not touched:
                start = min(found.start, span.start)
                before = normalised.text[start : found.start]
                raw_start = start + shift
            touched = True
            end = max(found.end, span.end)
            after = normalised.text[found.end : end]
            raw_end = end + span.raw_end - span.end
    return Found(raw_start, raw_end, before + found.right + after) if touched else None


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no Latin word or figure is cut at the borders of ``text[start:end]``."""
    return not (
        (_LATIN.match(text[start]) and _goes_on(text[start - 1 :: -1][:2] if start else ""))
        or (_LATIN.match(text[end - 1]) and _goes_on(text[end : end + 2]))
    )


def _goes_on(beside: str) -> bool:
    """Whether a word goes on with the two characters beside it, the nearer first."""
    if _LATIN.match(beside):
        return True
    joined = _JOINS.get(beside[:1])
    return joined is not None and bool(joined.match(beside[1:]))
