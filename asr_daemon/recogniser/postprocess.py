"""From what the model said to what people read: corrected, punctuated, normalised, each exactly once.

Enters: a segment's :class:`Spoken`. Leaves: a :class:`~asr_daemon.transcripts.transcript.Segment` whose spans
map the raw text to the written one. Nothing raises: a step that fails is left out for that segment, and said
once a job.

Punctuation comes before the numbers, in the spoken form that its model knows: a mark ends a number. Where
nothing writes marks, the speaker's pauses do that.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Protocol, TypeVar

from asr_daemon.hotwords.correction import Corrector
from asr_daemon.hotwords.hits import find_hits
from asr_daemon.itn import Normaliser, may_part
from asr_daemon.recogniser.alignment import compose, follow, insert, spans_of
from asr_daemon.recogniser.pauses import pauses
from asr_daemon.transcripts.transcript import Correction, Segment, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.itn import Span
    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.families.family import Spoken
    from asr_daemon.transcripts.profile import Profile

T = TypeVar("T")

_MARK = re.compile("[，。！？；、,!?;]")
_CHINESE = ("zh", "yue", "auto")


class Punctuator(Protocol):
    """Where punctuation belongs; used by one thread."""

    def marks(self, text: str) -> Sequence[tuple[int, str]]:
        """Return (offset in ``text``, mark to insert there), in order."""


class Postprocessor:
    """The steps after recognition for one profile; used by one thread."""

    def __init__(
        self, profile: Profile, *, model_writes_numbers: bool, punctuator: Punctuator | None, note: Note
    ) -> None:
        self._note = note
        self._noted: set[str] = set()
        self._hotwords = profile.hotwords
        self._punctuator = punctuator
        normalises = profile.itn and not model_writes_numbers and profile.language.startswith(_CHINESE)
        self._corrector = self._or_none(
            "correction",
            lambda: Corrector(profile.hotwords, profile.replacements, profile.phonetic_correction),
        )
        self._normaliser = self._or_none("itn", lambda: _normaliser(profile)) if normalises else None

    def for_another(self) -> Postprocessor:
        """Return one for another recording of the profile, which says its own failures; they share tables."""
        other = copy.copy(self)
        other._noted = set()  # noqa: SLF001 (one of us)
        return other

    def segment(self, index: int, start_ms: int, end_ms: int, spoken: Spoken) -> Segment:
        """Return the finished segment."""
        corrected, corrections = self._correct(spoken.text)
        hits = find_hits(spoken.text, corrections, self._hotwords)
        marks = self._marks(corrected)
        text, spans = _punctuated(corrected, marks or (), spans_of(corrections))
        text, spans = self._normalise(text, spans, pauses(spoken) if marks is None else ())
        return Segment(
            index=index,
            start_ms=start_ms,
            end_ms=end_ms,
            raw_text=spoken.text,
            text=text,
            tokens=tuple(Token(t.text, t.start_ms + start_ms, t.end_ms + start_ms) for t in spoken.tokens),
            spans=spans,
            corrections=corrections,
            hotwords_hit=tuple(dict.fromkeys(hit.word for hit in hits)),
            flags=spoken.flags,
        )

    def _correct(self, raw: str) -> tuple[str, tuple[Correction, ...]]:
        if self._corrector is None or not raw:
            return raw, ()
        corrector = self._corrector
        done = self._or_none("correction", lambda: corrector.correct(raw))
        return (done.text, tuple(done.corrections)) if done is not None else (raw, ())

    def _marks(self, corrected: str) -> Sequence[tuple[int, str]] | None:
        """Return (offset in ``corrected``, mark); None where nobody says where marks belong."""
        if self._punctuator is None or not corrected:
            return None
        punctuator = self._punctuator
        return self._or_none("punctuation", lambda: punctuator.marks(corrected))

    def _normalise(
        self, text: str, spans: tuple[Span, ...], paused: Sequence[int]
    ) -> tuple[str, tuple[Span, ...]]:
        """Write the numbers; ``paused`` are offsets in the raw text, of use where the text has no marks."""
        if self._normaliser is None or not text:
            return text, spans
        normaliser = self._normaliser
        followed = () if _MARK.search(text) else (follow(offset, spans) for offset in paused)
        borders = [offset for offset in followed if offset is not None and may_part(text, offset)]
        done = self._or_none("itn", lambda: normaliser.normalise(text, borders))
        return (done.text, compose(spans, done.spans)) if done is not None else (text, spans)

    def _or_none(self, step: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 (text without this step is better than none)
            if step not in self._noted:
                self._noted.add(step)
                self._note(
                    "error",
                    "postprocessing_failed",
                    {"step": step, "error": f"{type(error).__name__}: {error}"},
                )
            return None


def _normaliser(profile: Profile) -> Normaliser:
    """Return the normaliser; what the hotword list holds is written as it stands there."""
    return Normaliser(profile.protect, (*profile.hotwords, *(right for _, right in profile.replacements)))


def _punctuated(
    corrected: str, marks: Sequence[tuple[int, str]], spans: tuple[Span, ...]
) -> tuple[str, tuple[Span, ...]]:
    """Insert the marks, but for those within a number: nobody writes 138，0013，8000."""
    sure = [(offset, mark) for offset, mark in marks if may_part(corrected, offset)]
    return insert(corrected, _in_raw(sure, spans), spans) if sure else (corrected, spans)


def _in_raw(marks: Sequence[tuple[int, str]], spans: Sequence[Span]) -> list[tuple[int, str]]:
    """Return marks given in the corrected text at offsets of the raw text; those inside a correction go."""
    found = []
    for offset, mark in marks:
        shift, is_inside = 0, False
        for span in spans:
            if offset >= span.end:
                shift = span.end - span.raw_end
            elif offset > span.start:
                is_inside = True
        if not is_inside:
            found.append((offset - shift, mark))
    return found
