"""Logging in: with the token that `asr-daemon access add` printed. The script sends it to the interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from asr_daemon.gateway.pages.shell import PageRoute, rendering_of

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class View:
    """Where to go on to, a path of ours."""

    next: str


@router.get("/login")
def login(request: Request, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:  # noqa: A002
    """Show the page to log in."""
    return rendering_of(request).page(request, "login.html", View(own_path(next)), None)


def own_path(asked: str) -> str:
    """Return a path of ours to go on to; whatever else is asked for, the first page."""
    is_ours = asked.startswith("/") and not asked.startswith("//") and "\\" not in asked
    return asked if is_ours and asked.isprintable() else "/"
