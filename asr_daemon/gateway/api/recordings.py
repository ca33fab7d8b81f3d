"""Recordings: lists, transcripts, sound, another try, search."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter
from starlette.responses import StreamingResponse

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.control import corrections_messages as c
from asr_daemon.control import messages as m
from asr_daemon.gateway.ranges import media_type_of, serve_descriptor
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (FastAPI reads the annotations)

router = APIRouter(tags=["recordings"])

Number = Annotated[int, Path(ge=1, le=(1 << 63) - 1)]
NumberInBody = Annotated[int, Field(ge=1, le=(1 << 63) - 1)]
MEDIA = {
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


_PARTS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range that was asked for", "content": {"application/octet-stream": {}}},
    416: {"description": "There is no such range"},
}


@router.get("/overview")
def overview(daemon: Daemon, secret: Secret) -> m.Overview:
    """Return how inboxes, queue and recogniser stand."""
    return daemon.ask(m.Overview, m.GetOverview(), secret)


@router.get("/recordings")
def list_recordings(
    daemon: Daemon,
    secret: Secret,
    inbox: Annotated[str | None, Query(max_length=64)] = None,
    state: Annotated[str | None, Query(max_length=32)] = None,
    since: Annotated[str | None, Query(max_length=32)] = None,
    before: Annotated[int | None, Query(ge=1, le=(1 << 63) - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=m.MOST_IN_PAGE)] = 50,
    until: Annotated[str | None, Query(max_length=32)] = None,
    text: Annotated[str | None, Query(max_length=200)] = None,
) -> m.RecordingList:
    """Return recordings, newest first, a page at a time: ``next_before`` asks for the one behind it.

    ``since`` and ``until`` are stamps of when they were found, ``text`` is part of the name.
    """
    asked = m.ListRecordings(inbox, state, since, before, limit, until, text)
    return daemon.ask(m.RecordingList, asked, secret)


@dataclass(frozen=True, slots=True)
class _Version:
    """All that is looked at here of an answer of megabytes."""

    version: str


_VERSION = TypeAdapter(_Version)


@router.get("/recordings/{recording}", response_model=m.RecordingDetail)
def get_recording(
    daemon: Daemon,
    secret: Secret,
    recording: Number,
    words: Annotated[bool, Query(description="With the times of words: most of the answer.")] = True,
) -> Response:
    """Return a recording with its segments and the times of its words; its `ETag` goes with corrections."""
    body = daemon.ask_json(m.RecordingDetail, m.GetRecording(recording, words), secret)
    etag = f'"{_VERSION.validate_json(body).version}"'
    return Response(body, headers={"ETag": etag}, media_type="application/json")


@router.get("/recordings/{recording}/times")
def get_times(
    daemon: Daemon,
    secret: Secret,
    recording: Number,
    first: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
    count: Annotated[int, Query(ge=1, le=cm.MOST_TIMES)] = 100,
) -> ca.Times:
    """Return when the words of some segments are spoken: for each piece of text its length, begin and end."""
    return daemon.ask(ca.Times, cm.GetTimes(recording, first, count), secret)


@router.get("/recordings/{recording}/transcript.{format}", response_class=Response)
def get_transcript(
    daemon: Daemon,
    secret: Secret,
    recording: Number,
    format: Literal["txt", "srt", "vtt", "json", "md", "docx"],  # noqa: A002
) -> Response:
    """Return the transcript as a file."""
    asked = m.GetTranscript(recording, format)
    rendered, descriptor = daemon.ask_for_descriptor(m.Rendered, asked, secret)
    if descriptor is None:
        return Response(rendered.text.encode("utf-8", "replace"), media_type=MEDIA[format])
    return serve_descriptor(descriptor, os.fstat(descriptor).st_size, {}, MEDIA[format])


@router.get("/recordings/{recording}/audio", response_class=StreamingResponse, responses=_PARTS)
def get_audio(request: Request, daemon: Daemon, secret: Secret, recording: Number) -> Response:
    """Return the recording's own file; ranges are served."""
    opened, descriptor = daemon.ask_for_descriptor(m.Opened, m.OpenRecording(recording), secret)
    assert descriptor is not None  # noqa: S101 (it comes with the answer)
    return serve_descriptor(descriptor, opened.size_bytes, request.headers, media_type_of(opened.name))


@router.post("/recordings/{recording}/retry")
def retry(daemon: Daemon, secret: Secret, recording: Number) -> m.Done:
    """Transcribe it again."""
    return daemon.ask(m.Done, m.Retry((recording,)), secret)


@router.post("/recordings/{recording}/files")
def write_files(daemon: Daemon, secret: Secret, recording: Number) -> m.Done:
    """Write the files beside it anew, in every format of its inbox; recognises nothing.

    What a person edited stays as it is; 409 where nothing can be written.
    """
    return daemon.ask(m.Done, c.WriteFiles(recording), secret)


class Chosen(BaseModel):
    """Several recordings, by their numbers."""

    recordings: Annotated[tuple[NumberInBody, ...], Field(min_length=1, max_length=m.MOST_IN_PAGE)]


@router.post("/retry")
def retry_several(daemon: Daemon, secret: Secret, chosen: Chosen) -> m.Done:
    """Transcribe several again."""
    return daemon.ask(m.Done, m.Retry(chosen.recordings), secret)


@router.post("/recordings/{recording}/cancel")
def cancel(daemon: Daemon, secret: Secret, recording: Number) -> m.Done:
    """Wait for it no more; `retry` goes on from there."""
    return daemon.ask(m.Done, m.Cancel((recording,)), secret)


@router.get("/search")
def search(
    daemon: Daemon,
    secret: Secret,
    q: Annotated[str, Query(min_length=1, max_length=1000)],
    inbox: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=m.MOST_IN_PAGE)] = 50,
) -> m.Found:
    """Return passages that hold all the words, newest recordings first."""
    return daemon.ask(m.Found, m.Search(q, inbox, limit), secret)


@router.post("/queue/pause")
def pause(daemon: Daemon, secret: Secret) -> m.Done:
    """Begin no further recording; what is in work is finished."""
    return daemon.ask(m.Done, m.SetPaused(paused=True), secret)


@router.post("/queue/resume")
def resume(daemon: Daemon, secret: Secret) -> m.Done:
    """Go on."""
    return daemon.ask(m.Done, m.SetPaused(paused=False), secret)


@router.post("/engine/unload")
def unload(daemon: Daemon, secret: Secret) -> m.Done:
    """Give the model's memory back; the next recording loads it again. 409 while recordings are in work."""
    return daemon.ask(m.Done, cm.Unload(), secret)
