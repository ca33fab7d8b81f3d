"""录音: all recordings that may be read, by department, state, date and name; a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)

IN_PAGE = 50
STATES = ("done", "waiting", "running", "failed", "cancelled", "forgotten", "gone")
BAD_DATE = m.Refusal("refused", "a date is written 2026-03-15", "日期的格式应为 2026-03-15。")


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; ``older`` is the address of the next page, "" where there is none."""

    listed: m.RecordingList
    inbox: str
    state: str
    since: str
    until: str
    text: str
    states: tuple[str, ...]
    older: str
    is_first: bool
    may_edit: bool


@router.get("/recordings")
def recordings(
    who: Looking,
    inbox: Annotated[str, Query(max_length=64)] = "",
    state: Annotated[str, Query(max_length=32)] = "",
    since: Annotated[str, Query(max_length=10)] = "",
    until: Annotated[str, Query(max_length=10)] = "",
    text: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int | None, Query(ge=1, le=(1 << 63) - 1)] = None,
) -> Response:
    """Show a page of them."""
    asked = m.ListRecordings(
        inbox or None,
        state or None,
        day_begins(since),
        before,
        IN_PAGE,
        day_begins(until, days=1),
        text or None,
    )
    listed = who.daemon.ask(m.RecordingList, asked, who.secret)
    filters = {"inbox": inbox, "state": state, "since": since, "until": until, "text": text}
    older = ""
    if listed.next_before is not None:
        given = {name: value for name, value in filters.items() if value}
        older = "/recordings?" + urlencode({**given, "before": listed.next_before})
    view = View(listed, inbox, state, since, until, text, STATES, older, before is None, who.may("edit"))
    return who.page("recordings.html", view)


def day_begins(day: str, *, days: int = 0) -> str | None:
    """Return the stamp of when a day (or one so many later) begins here; None where none is given.

    Raises :class:`AnsweredError` where it is no day.
    """
    if not day:
        return None
    try:
        moment = datetime.strptime(day, "%Y-%m-%d").astimezone() + timedelta(days=days)
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, OverflowError):
        raise AnsweredError(BAD_DATE) from None
