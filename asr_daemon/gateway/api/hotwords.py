"""Hotword lists: read with the check's word for every line, tried, and written where nobody else did."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter
from starlette.responses import StreamingResponse

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.control import trial_messages as t
from asr_daemon.control.messages import Refusal
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.problems import detail_of
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (FastAPI reads the annotations)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from asr_daemon.control.messages import Told

router = APIRouter(tags=["hotwords"])

Inbox = Annotated[str, Path(min_length=1, max_length=64)]


class Written(BaseModel):
    """A list's new text, and the digest of the one that it was made from ("": there was none)."""

    text: Annotated[str, StringConstraints(max_length=cm.MOST_HOTWORDS_CHARS)]
    digest: Annotated[str, StringConstraints(max_length=64)]


@router.get("/hotwords/{inbox}")
def get_hotwords(daemon: Daemon, secret: Secret, inbox: Inbox) -> ca.HotwordFile:
    """Return the list of an inbox."""
    return daemon.ask(ca.HotwordFile, cm.GetHotwords(inbox), secret)


@router.put("/hotwords/{inbox}")
def put_hotwords(daemon: Daemon, secret: Secret, inbox: Inbox, written: Written) -> ca.HotwordFile:
    """Write the list; the next recording is recognised with it. 409 where it was changed meanwhile."""
    return daemon.ask(ca.HotwordFile, cm.SaveHotwords(inbox, written.text, written.digest), secret)


# ---------------------------------------------------------------------- tried

ENDS = Refusal("unavailable", "the daemon ends", "转写服务正在停止。")
_TOLD: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in (t.Trying, t.Tried)}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events: `trying` (how far it is), then `tried` (both texts) or `refused`",
        "content": {"text/event-stream": {}},
    }
}


class Attempt(BaseModel):
    """The list's text as it would be saved, and the part of a recording that it is tried on."""

    text: Annotated[str, StringConstraints(max_length=cm.MOST_HOTWORDS_CHARS)]
    recording: Annotated[int, Field(ge=1, le=(1 << 63) - 1)]
    from_ms: Annotated[int, Field(ge=0, le=t.MOST_MS)] = 0
    for_ms: Annotated[int, Field(ge=1000, le=t.MOST_TRIED_MS)] = 60_000
    against: Literal["in_force", "nothing"] = "in_force"


@router.post("/hotwords/{inbox}/try", response_class=StreamingResponse, responses=_EVENTS)
async def try_hotwords(daemon: Daemon, secret: Secret, inbox: Inbox, given: Attempt) -> StreamingResponse:
    """Recognise a part of a recording with that list and with the one in force (or none); nothing is kept."""
    asked = t.TryHotwords(inbox, given.recording, given.text, given.from_ms, given.for_ms, given.against)
    told = daemon.follow(asked, secret)
    first = await anext(told, None)
    if first is None:
        raise AnsweredError(ENDS)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(first, told), headers=headers, media_type="text/event-stream")


async def _events(first: Told, told: AsyncGenerator[Told, None]) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(told):
        try:
            yield _event(first)
            async for each in told:
                yield _event(each)
                if isinstance(each, t.Tried):
                    return
            refusal = ENDS
        except AnsweredError as error:  # the status is sent already
            refusal = error.refusal
        detail = json.dumps(detail_of(refusal).model_dump(), ensure_ascii=False)
        yield f"event: refused\ndata: {detail}\n\n".encode()


def _event(told: Told) -> bytes:
    name = type(told).__name__.lower().encode()
    return b"event: " + name + b"\ndata: " + _TOLD[type(told)].dump_json(told) + b"\n\n"
