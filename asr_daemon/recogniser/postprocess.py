"""From what the model said to what people read: corrected, normalised, punctuated, each exactly once.

Enters: a segment's :class:`Spoken`. Leaves: a :class:`~asr_daemon.transcripts.transcript.Segment` whose spans
map the raw text to the written one. Nothing raises: a step that fails is left out for that segment, and said
once a job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from asr_daemon.hotwords.correction import Corrector
from asr_daemon.hotwords.hits import find_hits
from asr_daemon.itn import Normaliser
from asr_daemon.recogniser.alignment import compose, insert, spans_of
from asr_daemon.transcripts.transcript import Correction, Segment, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.itn import Span
    from asr_daemon.queue.profile import Profile
    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.families.family import Spoken

T = TypeVar("T")

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
        self._normaliser = self._or_none("itn", lambda: Normaliser(profile.protect)) if normalises else None

    def segment(self, index: int, start_ms: int, end_ms: int, spoken: Spoken) -> Segment:
        """Return the finished segment."""
        corrected, corrections = self._correct(spoken.text)
        hits = find_hits(spoken.text, corrections, self._hotwords)
        text, spans = self._normalise(corrected, spans_of(corrections))
        text, spans = self._punctuate(corrected, text, spans, spans_of(corrections))
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

    def _normalise(self, corrected: str, spans: tuple[Span, ...]) -> tuple[str, tuple[Span, ...]]:
        if self._normaliser is None or not corrected:
            return corrected, spans
        normaliser = self._normaliser
        done = self._or_none("itn", lambda: normaliser.normalise(corrected))
        return (done.text, compose(spans, done.spans)) if done is not None else (corrected, spans)

    def _punctuate(
        self, corrected: str, text: str, spans: tuple[Span, ...], correction_spans: tuple[Span, ...]
    ) -> tuple[str, tuple[Span, ...]]:
        """Ask for punctuation on the spoken form, which the model knows; insert it in the written."""
        if self._punctuator is None or not text:
            return text, spans
        punctuator = self._punctuator
        marks = self._or_none("punctuation", lambda: punctuator.marks(corrected))
        if not marks:
            return text, spans
        return insert(text, _in_raw(marks, correction_spans), spans)

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
