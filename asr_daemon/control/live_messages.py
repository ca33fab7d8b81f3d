"""Live captions: what is asked, and what is answered; part of ``messages``.

The events of a session's socket are here under their own names too: the gateway knows the daemon's messages
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from asr_daemon.transcripts.live import (
    BYTES_PER_S,
    BYTES_PER_SAMPLE,
    SAMPLE_RATE_HZ,
    Ended,
    Event,
    Failed,
    Final,
    Heard,
    Interim,
    decode,
    encode,
)

__all__ = [
    "BYTES_PER_S",
    "BYTES_PER_SAMPLE",
    "END_SILENCE_MS",
    "SAMPLE_RATE_HZ",
    "Ended",
    "Event",
    "Failed",
    "Final",
    "Heard",
    "Interim",
    "LiveOpened",
    "LiveRequest",
    "OpenLive",
    "decode",
    "encode",
]

END_SILENCE_MS = 300  # that ends a sentence


@dataclass(frozen=True, slots=True)
class OpenLive:
    """Begin a live session under an inbox's profile; whoever may upload there may.

    Answered by :class:`LiveOpened`, and the socket of ``transcripts/live.py`` as a descriptor. The answer
    comes once the model is loaded, which may take a minute. Closing the socket ends the session.
    """

    inbox: str
    hotwords: Annotated[tuple[Annotated[str, Field(max_length=600)], ...], Field(max_length=10_000)] = ()
    itn: bool | None = None  # None: as the inbox has it
    end_silence_ms: Annotated[int, Field(ge=100, le=10_000)] = END_SILENCE_MS
    interim: bool = True  # whether anybody wants to read along while a sentence is spoken
    command: Literal["open_live"] = "open_live"


@dataclass(frozen=True, slots=True)
class LiveOpened:
    """The session's number, for people and logs."""

    session: int


LiveRequest = OpenLive
