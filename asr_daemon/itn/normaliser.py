"""The normaliser: masks what stays, tags what is left, and writes the readings into the raw text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.itn.borders import pieces as parted
from asr_daemon.itn.characters import RUN, fold
from asr_daemon.itn.listed import ListedWords
from asr_daemon.itn.normalised import Normalised, Span
from asr_daemon.itn.protected import ProtectedWords
from asr_daemon.itn.reading import Seen
from asr_daemon.itn.staying import mask_staying
from asr_daemon.itn.tagger import tag
from asr_daemon.itn.words import without_counters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from asr_daemon.itn.reading import Reading

_KEPT_UNITS = {"万": "萬", "亿": "億"}


def _write(raw: str, reading: Reading) -> str:
    """Return the written form of a reading; what is not edited is copied, 萬 and 億 stay as they were."""
    pieces: list[str] = []
    place = reading.start
    for edit in reading.edits:
        text, spoken = edit.text, raw[edit.start : edit.end]
        for simplified, traditional in _KEPT_UNITS.items():
            if traditional in spoken:
                text = text.replace(simplified, traditional)
        pieces += (raw[place : edit.start], text)
        place = edit.end
    pieces.append(raw[place : reading.end])
    return "".join(pieces)


def _figures_meet(before: list[str], after: str) -> bool:
    """Return whether what was written last ends in a figure and what comes begins with one."""
    ends = before[0][-1:] if before else ""
    return ends.isascii() and ends.isdecimal() and after[:1].isdecimal()


class Normaliser:
    """Writes spoken numbers as a secretary would; see the package's docstring for the style.

    ``protect`` holds words of the user's in which nothing is changed, in the form of ``protected_words.txt``;
    ``listed`` holds hotwords, taken literally, which nothing overrules.
    """

    def __init__(self, protect: Iterable[str] = (), listed: Iterable[str] = ()) -> None:
        self._words = ProtectedWords(protect)
        self._listed = ListedWords(listed)

    def normalise(self, text: str, borders: Collection[int] = ()) -> Normalised:
        """Return ``text`` written; pure, linear in its length, never empty for a text that is not.

        ``borders`` are offsets in ``text``, in characters, where the speaker paused: no number and no context
        reaches across one, as across a mark.
        """
        folded = fold(text)
        pieces: list[str] = []
        spans: list[Span] = []
        cuts = set(borders)
        done = length = 0
        for first, last in parted(folded, borders):
            for reading in self._read(folded[first:last]):
                start, end = first + reading.start, first + reading.end
                kept, written = text[done:start], _write(text[first:last], reading)
                if start == done and start in cuts and _figures_meet(pieces[-1:], written):
                    continue  # a pause parts them, and nothing would on paper
                begin = length + len(kept)
                length = begin + len(written)
                spans.append(Span(start, end, begin, length, reading.kind, reading.rule))
                pieces += (kept, written)
                done = end
        pieces.append(text[done:])
        return Normalised(text, "".join(pieces), tuple(spans))

    def _read(self, piece: str) -> Iterator[Reading]:
        """Yield the readings of a folded text without borders."""
        if RUN.search(piece):
            masked = mask_staying(self._listed.hide(piece), self._words)
            yield from tag(Seen(*without_counters(piece, masked), piece))
