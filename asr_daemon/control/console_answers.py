"""What the console's pages are answered: plain rows, with times in milliseconds or as stamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asr_daemon.control.answers import InWork, Listed  # noqa: TC001 (pydantic reads the annotations)
from asr_daemon.control.speaker_messages import SpeakerList  # noqa: TC001 (as above)


@dataclass(frozen=True, slots=True)
class Failed:
    """A recording that has no transcript, with what to do, in both languages."""

    recording: Listed
    code: str
    chinese: str
    remedy: str


@dataclass(frozen=True, slots=True)
class InboxCard:
    """An inbox and what goes on there."""

    name: str
    problem: str
    problem_zh: str
    hotwords_problem: bool
    watch: str  # "events", "polling", "restarting", "stopped"
    settling: int
    waiting: int
    done: int
    failed: int
    begins_at: str | None = None  # outside its hours: when they begin


@dataclass(frozen=True, slots=True)
class RecogniserCard:
    """A recogniser: a device and what it does."""

    name: str
    phase: str
    problem: str
    problem_zh: str
    model: str
    model_zh: str
    device: str
    precision: str
    busy_ratio: float | None
    is_loaded: bool
    machine: str  # the other one that it is on, or ""


@dataclass(frozen=True, slots=True)
class DayHours:
    """What was transcribed on a day (``2026-03-15``) in an inbox."""

    day: str
    inbox: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class BackupCard:
    """The newest backup, and all that is wrong with them."""

    taken_at: str | None
    size_bytes: int
    problems: tuple[str, ...]
    problems_zh: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DiskCard:
    """The disk that holds history and models."""

    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Next:
    """A recording that waits, and for what (control/waiting.py)."""

    recording: Listed
    why: str
    before: int
    begins_at: str | None
    in_s: float | None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """How everything stands, of what may be read; ``today`` is the first day's end of ``hours``."""

    version: str
    paused: bool
    state_problem: str
    state_problem_zh: str
    recognisers: tuple[RecogniserCard, ...]
    inboxes: tuple[InboxCard, ...]
    in_work: tuple[InWork, ...]
    next: tuple[Next, ...]
    queued: int
    remaining_s: float | None
    failed: tuple[Failed, ...]
    hours: tuple[DayHours, ...]
    today: str
    backup: BackupCard
    disk: DiskCard | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a passage's text (offsets in characters) that is more than words."""

    start: int
    end: int
    kind: Literal["number", "hotword", "corrected"]
    said: str  # what was recognised there, "" where it is the same


@dataclass(frozen=True, slots=True)
class ReadPassage:
    """A passage as it is read: its text, and what is marked in it."""

    index: int
    start_ms: int
    end_ms: int
    text: str
    marks: tuple[Mark, ...]
    flags: tuple[str, ...]
    speaker: str = ""  # several passages may share an index where this changes


@dataclass(frozen=True, slots=True)
class PassageTimes:
    """When each piece of a passage is spoken.

    ``times`` holds three numbers for each piece of the text, in order: its length in characters, and when it
    begins and ends, in milliseconds from the start of the recording.
    """

    index: int
    start_ms: int
    times: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """The times of some passages, of that version of the text."""

    version: str
    passages: tuple[PassageTimes, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A recording with its transcript, as its page shows it."""

    recording: Listed
    failed: Failed | None
    model: str
    model_zh: str
    is_trial: bool  # the model is the built-in one
    flags: tuple[str, ...]
    passages: tuple[ReadPassage, ...]
    may_edit: bool
    version: str  # of the text: corrections name it
    may_forget: bool
    who: SpeakerList


@dataclass(frozen=True, slots=True)
class FoundIn:
    """A recording that a search found, with the first of its passages and how many there are."""

    recording: int
    inbox: str
    path: str
    found_at: str
    passages: tuple[FoundPassage, ...]
    count: int


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that a search found."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class FoundList:
    """A page of what was found; ``mark`` asks for the next one, "" where there is none."""

    recordings: tuple[FoundIn, ...]
    mark: str


@dataclass(frozen=True, slots=True)
class HotwordLine:
    """A line of a hotword list with what the check says of it."""

    number: int  # from 1
    text: str
    verdict: Literal["good", "warning", "unusable"]
    english: tuple[str, ...]
    chinese: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HotwordFile:
    """An inbox's hotword list; ``digest`` names its content, "" where there is no file yet."""

    inbox: str
    name: str  # of the file, "" where the inbox has none configured
    text: str
    digest: str
    lines: tuple[HotwordLine, ...]
    english: tuple[str, ...]  # on the list as a whole
    chinese: tuple[str, ...]
    may_edit: bool


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model that is here, or could be."""

    name: str
    state: Literal["manifest", "unverified", "damaged", "absent"]
    used_for: str
    size_bytes: int
    origin: str
    licence: str
    problem: str
    problem_zh: str
    good_at: str
    good_at_zh: str


@dataclass(frozen=True, slots=True)
class Models:
    """The models, and what runs them."""

    models: tuple[ModelCard, ...]
    recognisers: tuple[RecogniserCard, ...]


ConsoleTold = Dashboard | Reading | Times | FoundList | HotwordFile | Models
