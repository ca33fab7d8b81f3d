"""The console: pages that are rendered here, and live by small scripts of our own.

What is shown is asked of the daemon with the secret of whoever looks (``shell``); texts are in one catalogue
(``texts.json``), templates and scripts are files of the package. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.gateway.pages import (
    assets,
    hotwords,
    login,
    models,
    overview,
    recording,
    recordings,
    search,
    upload,
)
from asr_daemon.gateway.pages.shell import Rendering

if TYPE_CHECKING:
    from fastapi import FastAPI

    from asr_daemon.config import GatewaySection

PARTS = (assets, login, overview, recordings, recording, search, upload, hotwords, models)


def add_pages(app: FastAPI, section: GatewaySection) -> None:
    """Add every page to the application."""
    app.state.rendering = Rendering(section.language)
    for part in PARTS:
        app.include_router(part.router, include_in_schema=False)
