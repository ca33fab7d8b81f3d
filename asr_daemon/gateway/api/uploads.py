"""Uploads that can be resumed, as tus 1.0 describes them (https://tus.io/protocols/resumable-upload).

``POST`` begins one (``Upload-Length``, ``Upload-Metadata: inbox ...,filename ...``, values in base64),
``PATCH`` sends the next piece, ``HEAD`` says how much is there. With the last piece the file goes into the
inbox; its answer says under which name (``X-Recording-Path``).
"""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Request, Response

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.problems import refused
from asr_daemon.gateway.spool import Finished, NoRoomError, OffsetError, Piece, Spool, Upload
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (FastAPI reads the annotations)

router = APIRouter(tags=["uploads"])

TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
GB = 10**9
PIECE_TYPE = "application/offset+octet-stream"
GONE = m.Refusal("not_found", "there is no such upload under way", "没有这个上传任务。")


def _spool(request: Request) -> Spool:
    spool: Spool = request.app.state.spool
    return spool


def _metadata(header: str) -> dict[str, str]:
    """Return the pairs of ``Upload-Metadata``; raises :class:`AnsweredError`."""
    pairs = {}
    for pair in filter(None, map(str.strip, header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            pairs[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except ValueError:
            raise refused(f"Upload-Metadata: {key} is no base64 of UTF-8", "上传信息不正确。") from None
    return pairs


@router.options("/uploads", status_code=204)
def abilities(request: Request) -> Response:
    """Say what of the protocol is spoken."""
    most = str(request.app.state.most_upload_bytes)
    told = {
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation,creation-defer-length,termination",
        "Tus-Max-Size": most,
    }
    return Response(status_code=204, headers={**TUS, **told})


@router.post("/uploads", status_code=201)
def begin(
    request: Request,
    daemon: Daemon,
    secret: Secret,
    upload_metadata: Annotated[str, Header(max_length=8000)],
    upload_length: Annotated[int | None, Header(ge=1)] = None,
    upload_defer_length: Annotated[Literal["1"] | None, Header()] = None,
) -> Response:
    """Begin an upload of that many bytes into an inbox; ``Upload-Defer-Length: 1`` where they come later."""
    about = _metadata(upload_metadata)
    inbox, name = about.get("inbox", ""), about.get("filename", "")
    if (upload_length is None) == (upload_defer_length is None):
        raise refused("send either Upload-Length or Upload-Defer-Length", "上传信息不正确。")
    _require_fitting(request, upload_length or 0)
    daemon.ask(m.Done, m.MayPut(inbox, name or "_"), secret)
    person = daemon.ask(m.Person, m.WhoAmI(), secret)
    try:
        number = _spool(request).begin(Upload(person.name, inbox, name, upload_length))
    except NoRoomError as error:
        raise AnsweredError(m.Refusal("unavailable", str(error), "服务器没有空间，请稍后再试。")) from None
    return Response(status_code=201, headers={**TUS, "Location": f"/api/v1/uploads/{number}"})


def _require_fitting(request: Request, length_bytes: int) -> None:
    most = request.app.state.most_upload_bytes
    if length_bytes > most:
        raise refused(f"at most {most / GB:g} GB can be uploaded", f"文件不能超过 {most / GB:g} GB。")


def _own(request: Request, daemon: Daemon, secret: str, number: str) -> Upload:
    upload = _spool(request).find(number)
    person = daemon.ask(m.Person, m.WhoAmI(), secret)
    if upload is None or upload.owner != person.name:
        raise AnsweredError(GONE)
    return upload


def _finished(request: Request, daemon: Daemon, secret: str, number: str) -> Finished | None:
    """Return one's own upload that the daemon has already; its client did not hear of it."""
    finished = _spool(request).finished(number)
    if finished is None or finished.owner != daemon.ask(m.Person, m.WhoAmI(), secret).name:
        return None
    return finished


def _put_at(path: str) -> dict[str, str]:
    return {"X-Recording-Path": quote(path)}


@router.head("/uploads/{number}")
def how_far(request: Request, daemon: Daemon, secret: Secret, number: str) -> Response:
    """Say how much of an upload is there; of one that is in its inbox, where."""
    if (finished := _finished(request, daemon, secret, number)) is not None:
        length = str(finished.length_bytes)
        whole = {"Upload-Offset": length, "Upload-Length": length, **_put_at(finished.path)}
        return Response(status_code=200, headers={**TUS, **whole})
    upload = _own(request, daemon, secret, number)
    told = {"Upload-Offset": str(_spool(request).offset_bytes(number))}
    if upload.length_bytes is None:
        told["Upload-Defer-Length"] = "1"
    else:
        told["Upload-Length"] = str(upload.length_bytes)
    return Response(status_code=200, headers={**TUS, **told})


@router.delete("/uploads/{number}", status_code=204)
def give_up(request: Request, daemon: Daemon, secret: Secret, number: str) -> Response:
    """Forget an upload."""
    _own(request, daemon, secret, number)
    _spool(request).remove(number)
    return Response(status_code=204, headers=TUS)


@router.patch("/uploads/{number}", status_code=204)
async def go_on(
    request: Request,
    daemon: Daemon,
    secret: Secret,
    number: str,
    upload_offset: Annotated[int, Header(ge=0)],
    content_type: Annotated[str, Header()],
    upload_length: Annotated[int | None, Header(ge=1)] = None,
) -> Response:
    """Take the next piece; with the last one the file goes into the inbox.

    ``Upload-Length`` says how long it is, where that was not known before.
    """
    if content_type != PIECE_TYPE:
        raise refused(f"the content type of a piece is {PIECE_TYPE}", "上传信息不正确。")
    finished = await asyncio.to_thread(_finished, request, daemon, secret, number)
    if finished is not None and finished.length_bytes == upload_offset:
        told = {**TUS, "Upload-Offset": str(upload_offset), **_put_at(finished.path)}
        return Response(status_code=204, headers=told)
    upload = await asyncio.to_thread(_own, request, daemon, secret, number)
    spool = _spool(request)
    if upload.length_bytes is None and upload_length is not None:
        _require_fitting(request, upload_length)
        if upload_length < spool.offset_bytes(number):
            raise refused("more was sent than Upload-Length says", "收到的数据比文件更长。")
        upload = spool.set_length(number, upload_length)
    try:
        piece = await asyncio.to_thread(spool.piece, number, upload_offset)
        try:
            taken = await _take(request, piece, upload_offset, upload.length_bytes)
            headers = {**TUS, "Upload-Offset": str(taken)}
            if taken == upload.length_bytes:  # while the piece is open nobody sends it a second time
                put = await asyncio.to_thread(_hand_over, spool, daemon, secret, number, upload)
                headers |= _put_at(put.path)
        finally:
            piece.close()
    except OffsetError as error:
        raise AnsweredError(m.Refusal("conflict", str(error), "上传位置不一致，请重新续传。")) from None
    except FileNotFoundError:
        raise AnsweredError(GONE) from None
    except OSError as error:
        problem = error.strerror or str(error)
        raise AnsweredError(m.Refusal("unavailable", problem, "服务器没有空间，请稍后再试。")) from None
    return Response(status_code=204, headers=headers)


async def _take(request: Request, piece: Piece, taken: int, length_bytes: int | None) -> int:
    """Write on with what the request brings; return how much is there. What was written counts."""
    most = request.app.state.most_upload_bytes if length_bytes is None else length_bytes
    try:
        async for block in request.stream():
            taken += len(block)
            if taken > most:
                raise refused("more was sent than announced", "收到的数据比文件更长。")
            await asyncio.to_thread(piece.write, block)
    finally:
        await asyncio.to_thread(piece.keep)
    return taken


def _hand_over(spool: Spool, daemon: Daemon, secret: str, number: str, upload: Upload) -> m.Put:
    """Give a whole upload to the daemon; where that fails it stays, and a piece of no bytes tries again."""
    descriptor = spool.open(number)
    try:
        put = daemon.ask(m.Put, m.PutRecording(upload.inbox, upload.name), secret, descriptor)
    finally:
        os.close(descriptor)
    spool.finish(number, Finished(upload.owner, upload.length_bytes or 0, put.path))
    return put
