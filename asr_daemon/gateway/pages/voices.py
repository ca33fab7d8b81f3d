"""记住的声音: whom a department knows by voice; what is stored of them, and forgetting it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from asr_daemon.control import speaker_messages as s
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; None where the person may not edit there, or sees no inbox."""

    inbox: str
    known: s.VoiceList | None


@router.get("/voices")
def voices(who: Looking, inbox: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Show those of an inbox, the first one's where none is asked for."""
    inbox = inbox or next(iter(who.person.inboxes), "")
    known = None
    if inbox:
        try:
            known = who.daemon.ask(s.VoiceList, s.GetVoices(inbox), who.secret)
        except AnsweredError as error:
            if error.refusal.code != "forbidden":
                raise
    return who.page("voices.html", View(inbox, known))
