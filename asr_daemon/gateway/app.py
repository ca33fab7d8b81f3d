"""The gateway's application: routes, and what holds for every answer."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from asr_daemon import __version__
from asr_daemon.gateway import entering
from asr_daemon.gateway.api import (
    corrections,
    events,
    export,
    hotwords,
    playback,
    recordings,
    session,
    speakers,
    uploads,
)
from asr_daemon.gateway.daemon_client import DaemonClient
from asr_daemon.gateway.description import describe
from asr_daemon.gateway.funasr_ws import routes as funasr
from asr_daemon.gateway.live import reading, speaking
from asr_daemon.gateway.live.sessions import LiveSessions
from asr_daemon.gateway.openai import routes as openai
from asr_daemon.gateway.pages import add_pages
from asr_daemon.gateway.problems import RESPONSES, add_handlers
from asr_daemon.gateway.sockets import Sockets
from asr_daemon.gateway.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from asr_daemon.config import Config
    from asr_daemon.config_sections import GatewaySection

GB = 10**9
MINUTE_S = 60.0
# Nothing is loaded from elsewhere, nothing is inline, nobody frames a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


def create_app(config: Config, section: GatewaySection) -> FastAPI:
    """Return the application that asks the daemon of that configuration."""
    app = FastAPI(
        title="asr-daemon",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.daemon = DaemonClient(config.gateway_socket_path)
    app.state.patience = session.Patience()
    app.state.spool = Spool(section.spool or _own_folder(config) / "uploads")
    app.state.most_upload_bytes = int(section.most_upload_gb * GB)
    app.state.entrance = entering.Entrance()
    app.state.sockets = Sockets()
    app.state.ffmpeg = config.engine.ffmpeg
    app.state.readers = reading.Readers()
    folder = _own_folder(config) / "live"
    app.state.live = LiveSessions(folder, app.state.daemon, section.live_left_m * MINUTE_S)
    add_handlers(app)
    for module in (
        session,
        recordings,
        corrections,
        speakers,
        playback,
        export,
        hotwords,
        uploads,
        events,
        speaking,
    ):
        app.include_router(module.router, prefix="/api/v1", responses=RESPONSES)  # type: ignore[arg-type]
    app.include_router(openai.router, prefix="/v1")
    app.include_router(funasr.router)
    app.include_router(reading.router, responses=RESPONSES)  # type: ignore[arg-type]
    app.include_router(reading.pages, include_in_schema=False)
    add_pages(app, section)
    app.include_router(entering.router)
    describe(app)

    @app.middleware("http")
    async def with_headers(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith(("/api/", "/v1/")):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Go on with the live sessions that an earlier process left, and leave them to the next one."""
    live: LiveSessions = app.state.live
    await live.restore()
    yield
    await live.stop()


def _own_folder(config: Config) -> Path:
    """Return the gateway's own state folder: systemd's, or one in the daemon's where both are one user's."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else config.state_dir / "gateway"
