"""``POST /v1/audio/transcriptions`` and ``GET /v1/models``.

A request waits until its transcript is there, told by the daemon and not by the clock. A client that loses
patience and sends the same again joins the work that runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.openai.answers import STILL_HERE, Told, answer, delta, event, last_events
from asr_daemon.gateway.openai.errors import (
    RESPONSES,
    InvalidRequestError,
    OpenAIRoute,
    refusal_detail,
)
from asr_daemon.gateway.openai.form import read_form
from asr_daemon.gateway.openai.wanted import FORMATS, GRANULARITIES, Wanted, read_wanted
from asr_daemon.gateway.problems import GONE
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (FastAPI reads the annotations)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from asr_daemon.gateway.openai.form import Form

router = APIRouter(tags=["openai"], route_class=OpenAIRoute, responses=RESPONSES)

CREATED = 1_700_000_000  # what the client wants as a number
USUAL = "whisper-1"
ENDS = m.Refusal("unavailable", "the daemon ended; send it again", "转写服务已停止，请稍后重试。")


class Model(BaseModel):
    """A model, as OpenAI describes one."""

    id: str
    object: str = "model"
    created: int = CREATED
    owned_by: str = "asr-daemon"


class ModelList(BaseModel):
    """All of them."""

    object: str = "list"
    data: list[Model]


@router.get("/models")
def list_models(daemon: Daemon, secret: Secret) -> ModelList:
    """Return the model that is here, and the name under which most programs ask for it."""
    return ModelList(data=[Model(id=name) for name in (*_models(daemon, secret), USUAL)])


@router.get("/models/{name}")
def get_model(daemon: Daemon, secret: Secret, name: str) -> Model:
    """Return one of them."""
    if name not in (*_models(daemon, secret), USUAL):
        told = f"the model {name[:100]!r} does not exist"
        raise InvalidRequestError(told, "model", status=404, code="model_not_found")
    return Model(id=name)


def _models(daemon: Daemon, secret: str) -> tuple[str, ...]:
    return daemon.ask(m.ModelNames, m.ListModels(), secret).names


_MANY = {"type": "array", "items": {"type": "string"}}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "model": {"type": "string", "default": USUAL},
                        "language": {"type": "string"},
                        "languages[]": _MANY,
                        "prompt": {"type": "string", "description": "words that are likely, as hotwords"},
                        "keywords[]": _MANY,
                        "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
                        "timestamp_granularities[]": {
                            "type": "array",
                            "items": {"type": "string", "enum": list(GRANULARITIES)},
                        },
                        "temperature": {"type": "number", "description": "without effect"},
                        "stream": {"type": "boolean", "default": False},
                        "inbox": {
                            "type": "string",
                            "description": "whose hotwords count, who sees it; not one of OpenAI's",
                        },
                    },
                }
            }
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The transcript, in the format that was asked for, or as events",
        "content": {
            "application/json": {},
            "text/plain": {},
            "application/x-subrip": {},
            "text/vtt": {},
            "text/event-stream": {},
        },
    }
}


@router.post("/audio/transcriptions", response_class=Response, openapi_extra=_FORM, responses=_ANSWERS)
async def transcribe(request: Request, daemon: Daemon, secret: Secret) -> Response:
    """Transcribe a recording, before what waits in the queue."""
    person = await asyncio.to_thread(daemon.ask, m.Person, m.WhoAmI(), secret)
    if "upload" not in person.rights:
        raise AnsweredError(m.Refusal("forbidden", "this token may not upload", "您没有这个权限。"))
    spool = request.app.state.spool
    most_bytes = request.app.state.most_upload_bytes
    content_type = request.headers.get("content-type", "")
    with await read_form(request.stream(), content_type, spool.folder, most_bytes) as form:
        models = await asyncio.to_thread(_models, daemon, secret)
        wanted = read_wanted(form.fields, models)
        told = daemon.follow(_asked(form, wanted), secret, form.descriptor)
        async with _absence(request) as gone:
            first = await _next_unless(gone, told)
            while first is not None and not wanted.is_streamed and not isinstance(first, m.Transcribed):
                first = await _next_unless(gone, told)
    if isinstance(first, m.Transcribed) and not wanted.is_streamed:
        await told.aclose()
        return answer(Told.of(first), wanted)
    if first is None:
        return Response(status_code=GONE)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_events(first, told, wanted), headers=headers, media_type="text/event-stream")


def _asked(form: Form, wanted: Wanted) -> m.Transcribe:
    if form.descriptor is None or not form.size_bytes:
        raise InvalidRequestError("there is no recording in `file`, or it is empty", "file")
    return m.Transcribe(
        form.file_name[:1000],
        wanted.inbox,
        wanted.language,
        wanted.hotwords,
        "srt" if wanted.format == "srt" else "vtt" if wanted.format == "vtt" else "",
    )


@contextlib.asynccontextmanager
async def _absence(request: Request) -> AsyncIterator[asyncio.Future[None]]:
    """Yield what is done once the client has gone."""

    async def disconnected() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    gone = asyncio.ensure_future(disconnected())
    try:
        yield gone
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _next_unless(gone: asyncio.Future[None], told: AsyncGenerator[m.Told, None]) -> m.Told | None:
    """Return what is told next; None where the client has gone meanwhile: the work goes on without it.

    Raises :class:`AnsweredError`.
    """
    next_one = asyncio.ensure_future(_next(told))
    try:
        await asyncio.wait((next_one, gone), return_when=asyncio.FIRST_COMPLETED)
        if next_one.done():
            return next_one.result()
    finally:
        if not next_one.done():
            next_one.cancel()
            await asyncio.gather(next_one, return_exceptions=True)
    await told.aclose()
    return None


async def _next(told: AsyncIterator[m.Told]) -> m.Told:
    try:
        return await anext(told)
    except StopAsyncIteration:
        raise AnsweredError(ENDS) from None


async def _events(first: m.Told, told: AsyncGenerator[m.Told, None], wanted: Wanted) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(told):
        try:
            while True:
                if isinstance(first, m.Transcribed):
                    for each in last_events(Told.of(first), wanted):
                        yield each
                    return
                if isinstance(first, m.Heard):
                    yield delta(first.text) if first.text else STILL_HERE
                first = await _next(told)
        except AnsweredError as error:  # the status is sent already: the client looks for this
            yield event({"error": refusal_detail(error.refusal).model_dump()})
