"""The gateway's application, served by a thread of the test."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from gatewayed import free_port
from websockets.sync.client import ClientConnection, connect

from asr_daemon.config import Config
from asr_daemon.gateway.app import create_app
from asr_daemon.gateway.connection import Connection, SocketConnection
from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

WITHIN_S = 30


class Gateway:
    """The gateway's application, served by a thread."""

    def __init__(self, folder: Path, **section: Any) -> None:
        self.config = Config.model_validate({"daemon": {"state_dir": folder}, "gateway": section})
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Serve."""
        assert self.config.gateway is not None
        settings = uvicorn.Config(
            create_app(self.config, self.config.gateway),
            port=self.port,
            http=Connection,
            ws=SocketConnection,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        eventually(lambda: self.server.started, what="the gateway")
        return self

    def __exit__(self, *_: object) -> None:
        """End, as by SIGTERM: what is under way is left to the next one."""
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def socket(self, who: str = "speaker", path: str = "/api/v1/live", **more: Any) -> ClientConnection:
        """Open a socket as a program does."""
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        headers |= {name: more.pop(name) for name in ("Cookie", "Origin") if name in more}
        return connect(self.url + path, additional_headers=headers, **more).__enter__()

    def ask(self, method: str, path: str, who: str = "speaker", **more: Any) -> httpx.Response:
        """Ask as a program does."""
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **more)
