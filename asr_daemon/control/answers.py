"""What the gateway is answered: plain rows, with times in milliseconds or as stamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Done:
    """It was done; ``count`` says to how many."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: a name, the inboxes that may be read, and what may be done in them."""

    name: str
    inboxes: tuple[str, ...]
    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The session that was begun; ``secret`` is its cookie."""

    secret: str
    lasts_s: int
    person: Person


@dataclass(frozen=True, slots=True)
class InWork:
    """A recording that is being recognised."""

    recording: int | None
    inbox: str
    name: str
    duration_s: float
    recognised_s: float
    remaining_s: float | None


@dataclass(frozen=True, slots=True)
class Inbox:
    """An inbox as it stands."""

    name: str
    problem: str
    waiting: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything stands; of the inboxes, those that may be read."""

    phase: str  # "idle", "loading", "working", "paused", "blocked"
    reason: str  # why it is blocked
    model: str
    device: str
    queued: int
    inboxes: tuple[Inbox, ...]
    in_work: tuple[InWork, ...]
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording in a list; its path is within the inbox."""

    id: int
    inbox: str
    path: str
    state: str
    found_at: str
    written_at: str | None
    duration_ms: int | None
    problem: str | None
    problem_zh: str | None = None
    forgotten_at: str | None = None  # its text was deleted for good
    forgotten_by: str = ""  # "" where that is not known


@dataclass(frozen=True, slots=True)
class RecordingList:
    """A page; ``next_before`` asks for the next one, None where there is none."""

    recordings: tuple[Listed, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of text and when it was spoken."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A segment of a transcript; ``raw_text`` is what was said, ``text`` what is written."""

    index: int
    start_ms: int
    end_ms: int
    text: str
    raw_text: str
    words: tuple[Word, ...]
    flags: tuple[str, ...]
    hotwords: tuple[str, ...]
    speaker: str = ""  # who says it; "" where nobody asked. Several passages may share an index then


@dataclass(frozen=True, slots=True)
class RecordingDetail:
    """A recording, and its transcript where it has one."""

    recording: Listed
    model: str
    flags: tuple[str, ...]
    passages: tuple[Passage, ...]
    may_edit: bool
    version: str = ""  # of the text: another one with every recognition and every correction


@dataclass(frozen=True, slots=True)
class Rendered:
    """A transcript as a file; what is no text lies in the descriptor that comes along."""

    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The descriptor that comes along is this recording's."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A passage that a search found."""

    recording: int
    inbox: str
    path: str
    start_ms: int
    end_ms: int
    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, newest first; ``more``: there is more than the limit."""

    places: tuple[FoundPlace, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Put:
    """Where a file was put, within the inbox."""

    path: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Something changed; ask again for what is on the screen."""

    version: int
    in_work: tuple[InWork, ...]


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The models that recordings are recognised with, by name; none while it is missing."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was recognised since the last one, in order; nothing now and then, to say that the daemon lives.

    ``text`` is to be appended to what came before.
    """

    text: str = ""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A whole transcript: as ``NAME.json``, as running text, and as a file of the format asked for."""

    text: str
    json: str
    rendered: str


Code = Literal[
    "log_in", "forbidden", "not_found", "conflict", "refused", "unavailable", "version", "internal"
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: a code for programs, a sentence for people in both languages."""

    code: Code
    message: str
    chinese: str
