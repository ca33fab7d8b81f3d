"""What every writer is given: the transcript and what the reader is told about where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.printable import HARMFUL

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from asr_daemon.transcripts.profile import Profile
    from asr_daemon.transcripts.transcript import Transcript


@dataclass(frozen=True, slots=True)
class WordLook:
    """``[docx]``: how Word's files look."""

    font: str = "宋体"
    heading_font: str = "黑体"
    template: Path | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A recording that is a part of a longer one."""

    number: int  # from 1; those that are missing are counted
    name: str
    sha256: str  # "": its content is not known
    start_ms: int  # in the whole; what is missing takes no time there
    transcript: Transcript | None  # times from its own beginning; None: it has no text
    problem: str = ""  # why it has none: "failed", "forgotten", "cancelled", "waiting"
    missing: tuple[str, ...] = ()  # parts that are not there just before it: their names, "" where unknown


@dataclass(frozen=True, slots=True)
class Document:
    """A finished transcript with its origin: of one recording, or of several that are parts of one."""

    transcript: Transcript
    name: str  # the recording's file name, as the file system has it
    sha256: str  # of the recording's content, hexadecimal
    profile: Profile
    recognised_at: datetime  # aware, in the local time zone
    word: WordLook = WordLook()
    parts: tuple[Part, ...] = ()  # in order; none where it is of one recording


def printable(name: str) -> str:
    """Return a file name on one line of valid text.

    Bytes that are no UTF-8, line breaks and characters that turn the reading direction become U+FFFD.
    """
    return HARMFUL.sub("\ufffd", name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def says_something(text: str) -> bool:
    """Whether a text is more than marks: SenseVoice answers 。 where nobody spoke."""
    return any(map(str.isalnum, text))


def clock_time(at_ms: int, *, separator: str = "") -> str:
    """Return ``hh:mm:ss``, with the milliseconds after ``separator`` where one is given."""
    seconds, ms = divmod(max(0, at_ms), 1000)
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{shown}{separator}{ms:03}" if separator else shown
