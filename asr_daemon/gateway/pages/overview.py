"""总览: how everything stands."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.gateway.pages.hours_chart import HoursChart, draw_hours
from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)

PHASES = (
    "blocked",
    "working",
    "loading",
    "paused",
    "yielding",
    "idle",
)  # which of several recognisers' counts


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    board: ca.Dashboard
    phase: str
    chart: HoursChart
    may_operate: bool
    may_edit: bool


@router.get("/")
def overview(who: Looking) -> Response:
    """Show it."""
    board = who.daemon.ask(ca.Dashboard, cm.GetDashboard(), who.secret)
    phases = {each.phase for each in board.recognisers}
    phase = "paused" if board.paused else next((each for each in PHASES if each in phases), "idle")
    chart = draw_hours(board.hours, board.today)
    return who.page("overview.html", View(board, phase, chart, who.may("operate"), who.may("edit")))
