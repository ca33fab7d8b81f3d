"""Live captions: what a recogniser says on a session's socket, typed on both sides, one JSON object a line.

Enters on that socket: sound, ``int16`` little-endian, 16 kHz mono, in pieces of any size; ``SHUT_WR`` is its
end. Leaves: these events. Times are milliseconds from the first sample of the socket. An :class:`Interim` may
be left out at any time, a :class:`Final` never is; finals come in order, and their segments count 0, 1, 2 ...
without a gap. After :class:`Ended` or :class:`Failed` nothing follows but the end of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from asr_daemon.lines import Lines
from asr_daemon.transcripts.transcript import Token  # noqa: TC001 (pydantic reads the annotations)

SAMPLE_RATE_HZ = 16_000
BYTES_PER_SAMPLE = 2
BYTES_PER_S = SAMPLE_RATE_HZ * BYTES_PER_SAMPLE


@dataclass(frozen=True, slots=True)
class Interim:
    """The sentence that is being spoken, as it reads so far.

    ``stable`` is the beginning of ``text`` that two readings agreed on; within a segment it only grows. The
    final text may differ all the same: it is punctuated, and written with numbers and hotwords.
    """

    segment: int
    start_ms: int
    stable: str
    text: str
    heard_ms: int  # how far this reading heard


@dataclass(frozen=True, slots=True)
class Final:
    """A sentence that was spoken: with hotwords, marks and numbers, as in a transcript. Never empty."""

    segment: int
    start_ms: int
    end_ms: int
    text: str
    raw_text: str  # what the model said
    tokens: tuple[Token, ...] = ()  # of raw_text
    speaker: str = ""  # a name, where the inbox knows the voice


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything before ``settled_ms`` was said as final, or is silence; said at least every 2 s of sound.

    Who connects anew need send the sound only from there on.
    """

    settled_ms: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """All is said."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The session cannot go on."""

    code: str  # as in errors.py
    message: str


Event = Interim | Final | Heard | Ended | Failed
_LINES: Lines[Event] = Lines(get_args(Event), "event")
encode, decode = _LINES.encode, _LINES.decode
