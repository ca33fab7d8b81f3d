"""热词: a department's list with the check's word for every line, edited in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.control import corrections_messages as c
from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.pages.shell import Looker, Looking, PageRoute

router = APIRouter(route_class=PageRoute)

RECENT = 30  # recordings that a list may be tried on
NOTHING = c.SuggestionList((), "")


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; None where the person sees no inbox."""

    inbox: str
    file: ca.HotwordFile | None
    counts: tuple[tuple[str, int], ...]
    suggested: c.SuggestionList  # what people corrected again and again
    recent: tuple[m.Listed, ...]  # that it may be tried on


@router.get("/hotwords")
def hotwords(who: Looking, inbox: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Show the list of an inbox, the first one's where none is asked for."""
    inbox = inbox or next(iter(who.person.inboxes), "")
    file = who.daemon.ask(ca.HotwordFile, cm.GetHotwords(inbox), who.secret) if inbox else None
    verdicts = [line.verdict for line in file.lines] if file else []
    counts = tuple((verdict, verdicts.count(verdict)) for verdict in ("good", "warning", "unusable"))
    may_edit = file is not None and file.may_edit
    suggested = _suggested(who, inbox) if may_edit else NOTHING
    recent = _recent(who, inbox) if may_edit else ()
    return who.page("hotwords.html", View(inbox, file, counts, suggested, recent))


def _recent(who: Looker, inbox: str) -> tuple[m.Listed, ...]:
    """Return the newest recordings whose length is known: they can be decoded."""
    listed = who.daemon.ask(m.RecordingList, m.ListRecordings(inbox, limit=RECENT), who.secret)
    return tuple(each for each in listed.recordings if each.duration_ms and each.state != "gone")


def _suggested(who: Looker, inbox: str) -> c.SuggestionList:
    try:
        return who.daemon.ask(c.SuggestionList, c.GetSuggestions(inbox), who.secret)
    except AnsweredError:
        return NOTHING  # a file that cannot be read now; the page says so itself
