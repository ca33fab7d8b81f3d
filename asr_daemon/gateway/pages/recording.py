"""A recording: its text beside the sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Response

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)

DOUBTS = frozenset({"failed", "hallucination_suspected", "repetition", "cut_off"})
FORMATS = ("txt", "docx", "md", "srt", "vtt", "json")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A passage in the picture of the recording: milliseconds."""

    index: int
    start_ms: int
    length_ms: int
    is_doubtful: bool


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    reading: ca.Reading
    duration_ms: int
    stretches: tuple[Stretch, ...]
    speech_ms: int
    speakers: tuple[str, ...]  # in order of first word
    said_ms: int  # by all who are told apart
    doubts: frozenset[str]
    formats: tuple[str, ...]


@router.get("/recordings/{recording}")
def recording(who: Looking, recording: Annotated[int, Path(ge=1, le=(1 << 63) - 1)]) -> Response:
    """Show it."""
    reading = who.daemon.ask(ca.Reading, cm.GetReading(recording), who.secret)
    last_ms = reading.passages[-1].end_ms if reading.passages else 0
    stretches = tuple(
        Stretch(each.index, each.start_ms, each.end_ms - each.start_ms, not DOUBTS.isdisjoint(each.flags))
        for each in reading.passages
    )
    view = View(
        reading,
        max(reading.recording.duration_ms or 0, last_ms),
        stretches,
        sum(each.length_ms for each in stretches),
        tuple(dict.fromkeys(each.speaker for each in reading.passages if each.speaker)),
        sum(each.speech_ms for each in reading.who.speakers),
        DOUBTS,
        FORMATS,
    )
    return who.page("recording.html", view)
