"""Listening to a recording: what is asked, and what is answered; part of ``messages``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class GetPlayback:
    """Have a copy made that can be listened to, if there is none; answered by :class:`Playback`."""

    recording: int
    command: Literal["get_playback"] = "get_playback"


@dataclass(frozen=True, slots=True)
class OpenPlayback:
    """The copy, or its peaks; answered by ``Opened`` with a descriptor, refused while it is made."""

    recording: int
    what: Literal["flac", "peaks"] = "flac"
    command: Literal["open_playback"] = "open_playback"


@dataclass(frozen=True, slots=True)
class Playback:
    """How it stands with the copy of a recording. Whoever watches is told when it is there."""

    state: Literal["ready", "making", "failed"]
    progress: float  # 0..1; 0 while it cannot be told
    problem: str  # why there is none


PlaybackRequest = GetPlayback | OpenPlayback
