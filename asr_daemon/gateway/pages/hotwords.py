"""热词: a department's list with the check's word for every line, edited in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; None where the person sees no inbox."""

    inbox: str
    file: ca.HotwordFile | None
    counts: tuple[tuple[str, int], ...]


@router.get("/hotwords")
def hotwords(who: Looking, inbox: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Show the list of an inbox, the first one's where none is asked for."""
    inbox = inbox or next(iter(who.person.inboxes), "")
    file = who.daemon.ask(ca.HotwordFile, cm.GetHotwords(inbox), who.secret) if inbox else None
    verdicts = [line.verdict for line in file.lines] if file else []
    counts = tuple((verdict, verdicts.count(verdict)) for verdict in ("good", "warning", "unusable"))
    return who.page("hotwords.html", View(inbox, file, counts))
