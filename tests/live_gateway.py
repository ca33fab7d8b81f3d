"""The gateway's application, served by a thread of the test, and a speaker before any gateway."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import uvicorn
from gatewayed import free_port
from live_standin import BLOCK_BYTES, speech
from websockets.sync.client import ClientConnection, connect

from asr_daemon.config import Config
from asr_daemon.gateway.app import create_app
from asr_daemon.gateway.connection import Connection, SocketConnection
from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

WITHIN_S = 60
PIECE_BYTES = 32_000


class Gateway:
    """The gateway's application, served by a thread."""

    def __init__(self, folder: Path, **section: Any) -> None:
        self.config = Config.model_validate({"daemon": {"state_dir": folder}, "gateway": section})
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Serve."""
        assert self.config.gateway is not None
        self.app = create_app(self.config, self.config.gateway)
        settings = uvicorn.Config(
            self.app,
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


class Served(Protocol):
    """A gateway, wherever it runs."""

    def socket(self, who: str) -> ClientConnection:
        """Open the speaker's socket."""


@dataclass
class Speaker:
    """A speaker's page: keeps sound until it is saved, and what it was told."""

    gateway: Served
    session: str = ""
    number: int = 0

    def __post_init__(self) -> None:
        self.finals: list[dict[str, Any]] = []
        self.said = b""
        self.ready: dict[str, Any] = {}

    @property
    def texts(self) -> list[str]:
        """The captions so far."""
        return [each["text"] for each in self.finals]

    def begin(self, who: str = "speaker", **more: Any) -> Speaker:
        """Begin a session, or go on with it."""
        self.socket = self.gateway.socket(who)
        opening = (
            {"type": "resume", "session": self.session, "after": self.number}
            if self.session
            else {"type": "start", "inbox": "inbox", "name": "讲座", **more}
        )
        self.socket.send(json.dumps(opening))
        self.ready = self.until("ready")
        self.session = self.ready["session"]
        self.socket.send(self.said[self.ready["offset"] :])
        return self

    def say(self, *sentences: str) -> None:
        """Speak."""
        for sentence in sentences:
            self.said += speech(sentence)
            self.socket.send(speech(sentence))

    def begin_to_say(self, sentence: str, characters: int, odd: int = 0) -> None:
        """Speak the beginning of a sentence, and so many bytes more; the rest is in the page."""
        sound = speech(sentence)
        self.said += sound
        self._half = sound[characters * BLOCK_BYTES + odd :]
        self.socket.send(sound[: characters * BLOCK_BYTES + odd])

    def go_on(self) -> None:
        """Speak the rest."""
        self.socket.send(self._half)

    def speak(self, sound: bytes) -> None:
        """Speak any sound."""
        self.said += sound
        for at in range(0, len(sound), PIECE_BYTES):
            self.socket.send(sound[at : at + PIECE_BYTES])

    def until(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """Read until such a message comes; return it."""
        while True:
            told = json.loads(self.socket.recv(WITHIN_S))
            if told["type"] == "final":
                self.finals.append(told)
                self.number = told["number"]
            if told["type"] == kind and all(told.get(name) == value for name, value in wanted.items()):
                return dict(told)
            assert told["type"] != "refused", told

    def hear(self, text: str) -> None:
        """Read until that caption came."""
        self.until("final", text=text)

    def command(self, kind: str, **more: Any) -> None:
        """Send a command."""
        self.socket.send(json.dumps({"type": kind, **more}))

    def end(self, *, keep: bool = True) -> dict[str, Any]:
        """End the session; return how it is over."""
        self.command("end", keep=keep)
        return self.until("state", mood="over")


def spooled(folder: Path) -> list[Path]:
    """Return the folders of sessions that are kept."""
    return list((folder / "gateway" / "live").iterdir())
