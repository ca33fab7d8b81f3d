"""The transcript: what recognition yields and every writer reads.

All times are milliseconds from the start of the recording.
"""

from __future__ import annotations

from dataclasses import dataclass

from asr_daemon.itn import Span  # noqa: TC001 (pydantic reads the annotations)


@dataclass(frozen=True, slots=True)
class Token:
    """One recognised token (a Chinese character or a word of another script) and when it was spoken."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Correction:
    """A place where text was replaced after decoding, in offsets of ``Segment.raw_text``."""

    raw_start: int
    raw_end: int
    before: str
    after: str
    kind: str  # "replacement" (written in the hotword file) or "phonetic"


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of speech with its text.

    ``raw_text`` is what the model said; ``text`` is corrected, punctuated and normalised, what people
    read. ``spans`` map the parts that differ: ``raw_*`` are offsets in ``raw_text``, ``start``/``end`` in
    ``text``, so that the times of ``tokens`` reach the written form. ``flags`` name what was odd
    ("empty", "decoded_alone", "failed", "split", "hallucination_suspected", "overlapped" ...).
    """

    index: int
    start_ms: int
    end_ms: int
    raw_text: str
    text: str
    tokens: tuple[Token, ...] = ()
    spans: tuple[Span, ...] = ()
    corrections: tuple[Correction, ...] = ()
    hotwords_hit: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    speaker: str = ""  # who says it; "" where nobody asked, or nobody knows


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who says something in a recording."""

    number: int  # 1, 2, 3 ... in order of first word
    name: str  # "发言人1", or whom a person or an enrolled voice says it is
    speech_ms: int  # of the words attributed to them
    is_enrolled: bool = False  # the name comes from a voice that the inbox knows


@dataclass(frozen=True, slots=True)
class Transcript:
    """The finished text of one recording's content."""

    duration_ms: int
    segments: tuple[Segment, ...]
    model: str  # what a person calls the model, e.g. "paraformer-tiny-zh (built-in)"
    model_is_builtin: bool
    flags: tuple[str, ...] = ()  # of the whole recording: "truncated", "no_speech", ...
    speakers: tuple[Speaker, ...] = ()  # in order of first word; then segments are cut where they change
