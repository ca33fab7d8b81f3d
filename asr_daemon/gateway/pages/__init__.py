"""The console: pages that are rendered here, and live by small scripts of our own.

What is shown is asked of the daemon with the secret of whoever looks (``shell``); texts are in one catalogue
(``texts.json``), templates and scripts are files of the package. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.messages import Refusal
from asr_daemon.gateway.pages import (
    assets,
    hotwords,
    live_captions,
    login,
    models,
    overview,
    recording,
    recordings,
    search,
    upload,
    voices,
)
from asr_daemon.gateway.pages.shell import Rendering, refusal_page
from asr_daemon.gateway.problems import problem_response

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

    from asr_daemon.config_sections import GatewaySection

PROGRAMS = ("/api/", "/v1/")  # below these, no answer is a page
PARTS = (
    assets,
    login,
    overview,
    recordings,
    recording,
    search,
    upload,
    live_captions,
    hotwords,
    models,
    voices,
)


def add_pages(app: FastAPI, section: GatewaySection) -> None:
    """Add every page to the application."""
    app.state.rendering = Rendering(section.language)
    for part in PARTS:
        app.include_router(part.router, include_in_schema=False)
    app.add_exception_handler(404, _nowhere)


def _nowhere(request: Request, error: Exception) -> Response:
    """Answer for an address that leads nowhere: by a page where a browser asks for one."""
    refusal = Refusal("not_found", str(getattr(error, "detail", error)), "没有这个地址。")
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        PROGRAMS
    )
    return refusal_page(request, refusal) if wants_page else problem_response(refusal)
