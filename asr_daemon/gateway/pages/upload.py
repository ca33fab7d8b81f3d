"""上传: files, many and large, and the microphone."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    may_upload: bool
    most_bytes: int


@router.get("/upload")
def upload(who: Looking) -> Response:
    """Show it."""
    return who.page("upload.html", View(who.may("upload"), who.request.app.state.most_upload_bytes))
