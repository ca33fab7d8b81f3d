"""实时字幕: somebody speaks into a microphone, and everybody reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; ``inbox`` is the one that is chosen at first."""

    may_upload: bool
    inbox: str


@router.get("/live")
def live(who: Looking, inbox: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Show it."""
    chosen = inbox if inbox in who.person.inboxes else next(iter(who.person.inboxes), "")
    return who.page("live.html", View(who.may("upload"), chosen))
