"""Listening: a copy of a recording that every browser seeks exactly, and its peaks for a picture of it."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from asr_daemon.control import messages as m
from asr_daemon.control import playback_messages as p
from asr_daemon.gateway.api.recordings import Number  # noqa: TC001 (FastAPI reads the annotations)
from asr_daemon.gateway.ranges import serve_descriptor
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (as above)

router = APIRouter(tags=["playback"])

PEAKS_PER_S = 20
MOST_POINTS = 20_000


class Peaks(BaseModel):
    """The loudest sample of each stretch of equal length, 0 to 255 of full scale."""

    peaks: tuple[int, ...]
    peak_s: float  # how long a stretch is


@router.get("/recordings/{recording}/playback")
def playback(daemon: Daemon, secret: Secret, recording: Number) -> p.Playback:
    """Return whether the copy can be listened to; where there is none it is made from now on.

    `events` tells when it is there.
    """
    return daemon.ask(p.Playback, p.GetPlayback(recording), secret)


@router.get("/recordings/{recording}/playback.flac", response_class=StreamingResponse)
def playback_sound(request: Request, daemon: Daemon, secret: Secret, recording: Number) -> Response:
    """Return the copy; ranges are served. 503 while it is being made."""
    opened, descriptor = daemon.ask_for_descriptor(m.Opened, p.OpenPlayback(recording), secret)
    assert descriptor is not None  # noqa: S101 (it comes with the answer)
    response = serve_descriptor(descriptor, opened.size_bytes, request.headers)
    response.headers["Content-Type"] = "audio/flac"
    return response


@router.get("/recordings/{recording}/peaks", response_model=Peaks)
def peaks(
    daemon: Daemon,
    secret: Secret,
    recording: Number,
    points: Annotated[int, Query(ge=1, le=MOST_POINTS)] = 2000,
    format: Literal["json", "binary"] = "json",  # noqa: A002
) -> Peaks | Response:
    """Return the peaks, `points` at most; `binary`: a byte for each twentieth of a second, all of them."""
    opened, descriptor = daemon.ask_for_descriptor(m.Opened, p.OpenPlayback(recording, "peaks"), secret)
    assert descriptor is not None  # noqa: S101 (it comes with the answer)
    try:
        data = os.pread(descriptor, opened.size_bytes, 0)
    finally:
        os.close(descriptor)
    if format == "binary":
        return Response(data, media_type="application/octet-stream")
    together = max(1, -(-len(data) // points))
    shown = tuple(max(data[at : at + together]) for at in range(0, len(data), together))
    return Peaks(peaks=shown, peak_s=together / PEAKS_PER_S)
