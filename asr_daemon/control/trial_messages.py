"""Trying a hotword list on a recording: what is asked, and what is answered; see messages.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from asr_daemon.control.console_messages import MOST_HOTWORDS_CHARS

MOST_TRIED_MS = 600_000
MOST_MS = 360_000_000  # no recording is that long


@dataclass(frozen=True, slots=True)
class TryHotwords:
    """Recognise a part of a recording with that text as the inbox's list, and with its list as it is.

    ``against``: "in_force" for the list that is saved, "nothing" for none. Answered by one :class:`Trying`
    after the other and a last :class:`Tried`, or by a refusal; who hangs up ends it.
    """

    inbox: str
    recording: int
    text: Annotated[str, Field(max_length=MOST_HOTWORDS_CHARS)]
    from_ms: Annotated[int, Field(ge=0, le=MOST_MS)] = 0
    for_ms: Annotated[int, Field(ge=1000, le=MOST_TRIED_MS)] = 60_000
    against: Literal["in_force", "nothing"] = "in_force"
    command: Literal["try_hotwords"] = "try_hotwords"


TrialRequest = TryHotwords


@dataclass(frozen=True, slots=True)
class Trying:
    """How far it is, 0..1 of both texts."""

    phase: Literal["cutting", "waiting", "recognising"]
    progress: float


@dataclass(frozen=True, slots=True)
class TriedStretch:
    """A piece of a text: whether the other one differs there, and whether it is a hotword of its list."""

    text: str
    is_changed: bool
    is_hotword: bool


@dataclass(frozen=True, slots=True)
class TriedPassage:
    """A passage of both texts; times are the recording's."""

    start_ms: int
    end_ms: int
    before: tuple[TriedStretch, ...]
    after: tuple[TriedStretch, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """Both texts, which of each list's words are in them, and lines of the text that serve nothing."""

    passages: tuple[TriedPassage, ...]
    words_before: int
    words_after: int
    found_before: tuple[str, ...]
    found_after: tuple[str, ...]
    english: tuple[str, ...]
    chinese: tuple[str, ...]


TrialTold = Trying | Tried
