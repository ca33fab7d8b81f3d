"""模型: what is here, whether it is sound, what is in use; devices, precision, memory."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    here: tuple[ca.ModelCard, ...]
    absent: tuple[ca.ModelCard, ...]
    recognisers: tuple[ca.RecogniserCard, ...]


@router.get("/models")
def models(who: Looking) -> Response:
    """Show it."""
    told = who.daemon.ask(ca.Models, cm.GetModels(), who.secret)
    here = tuple(each for each in told.models if each.state != "absent")
    absent = tuple(each for each in told.models if each.state == "absent")
    return who.page("models.html", View(here, absent, told.recognisers))
