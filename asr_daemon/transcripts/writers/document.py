"""What every writer is given: the transcript and what the reader is told about where it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from asr_daemon.transcripts.profile import Profile
    from asr_daemon.transcripts.transcript import Transcript

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Document:
    """A finished transcript with its origin."""

    transcript: Transcript
    name: str  # the recording's file name, as the file system has it
    sha256: str  # of the recording's content, hexadecimal
    profile: Profile
    recognised_at: datetime  # aware, in the local time zone


def printable(name: str) -> str:
    """Return a file name on one line of valid text.

    Bytes that are no UTF-8, line breaks and characters that turn the reading direction become U+FFFD.
    """
    return _CONTROL.sub("\ufffd", name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def says_something(text: str) -> bool:
    """Whether a text is more than marks: SenseVoice answers 。 where nobody spoke."""
    return any(map(str.isalnum, text))


def clock_time(at_ms: int, *, separator: str = "") -> str:
    """Return ``hh:mm:ss``, with the milliseconds after ``separator`` where one is given."""
    seconds, ms = divmod(max(0, at_ms), 1000)
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{shown}{separator}{ms:03}" if separator else shown
