"""The words of the speaker's WebSocket, in both directions, and of the readers' events: JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

if TYPE_CHECKING:
    from asr_daemon.control.messages import Refusal
    from asr_daemon.gateway.live.captions import Caption, Provisional, Standing

MOST_HOTWORDS = 10_000
Number = Annotated[str, Field(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a session."""

    type: Literal["start"]
    inbox: Annotated[str, Field(min_length=1, max_length=64)]
    name: Annotated[str, Field(min_length=1, max_length=200)]  # of the recording, without a suffix
    hotwords: Annotated[
        tuple[Annotated[str, Field(max_length=600)], ...], Field(max_length=MOST_HOTWORDS)
    ] = ()
    itn: bool | None = None  # None: as the inbox has it
    readers_log_in: bool = False  # else whoever has the link may read


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with a session; ``after``: the number of the last caption that one has."""

    type: Literal["resume"]
    session: Number
    after: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """No sound is to be expected for a while."""

    type: Literal["pause"]


@dataclass(frozen=True, slots=True)
class GoOn:
    """It is, again."""

    type: Literal["go_on"]


@dataclass(frozen=True, slots=True)
class End:
    """End the session: the recording goes into its inbox, or is thrown away."""

    type: Literal["end"]
    keep: bool


Opening = Annotated[Start | Resume, Field(discriminator="type")]
Command = Annotated[Pause | GoOn | End, Field(discriminator="type")]
_OPENING: TypeAdapter[Start | Resume] = TypeAdapter(Opening)
_COMMAND: TypeAdapter[Pause | GoOn | End] = TypeAdapter(Command)


def read_opening(text: str) -> Start | Resume:
    """Return the first message; raises ``ValueError`` where it is none."""
    return _OPENING.validate_json(text)


def read_command(text: str) -> Pause | GoOn | End:
    """Return a later one; raises ``ValueError`` where it is none."""
    return _COMMAND.validate_json(text)


def written(kind: str, **fields: Any) -> str:
    """Return a message as text."""
    return json.dumps({"type": kind, **fields}, ensure_ascii=False)


def final(caption: Caption) -> dict[str, Any]:
    """Return a caption as people read it."""
    return {
        "number": caption.number,
        "start_ms": caption.start_ms,
        "end_ms": caption.end_ms,
        "text": caption.text,
        "speaker": caption.speaker,
    }


def interim(saying: Provisional | None) -> dict[str, Any]:
    """Return what is being said; nothing where nothing is."""
    return {"stable": saying.stable if saying else "", "text": saying.text if saying else ""}


def state(standing: Standing) -> dict[str, Any]:
    """Return how a session stands."""
    return asdict(standing)


def refused(refusal: Refusal) -> str:
    """Return a refusal as text."""
    return written("refused", code=refusal.code, message=refusal.message, message_zh=refusal.chinese)
