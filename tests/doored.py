"""An opened daemon of two departments that a gateway may ask, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import way

from asr_daemon.access import Accesses, parse_rights
from asr_daemon.config import Config
from asr_daemon.config_sections import GatewaySection
from asr_daemon.control.gateway_door import open_door
from asr_daemon.gateway.daemon_client import AnsweredError, DaemonClient

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.control import messages as m


def two_inboxes(folder: Path, formats: tuple[str, ...] = ("txt", "srt", "json"), **inbox: object) -> Config:
    """Return a configuration with the inboxes "inbox" and "hr"."""
    inboxes = [
        {"name": name, "path": folder / name, "formats": formats, **(inbox if name == "inbox" else {})}
        for name in ("inbox", "hr")
    ]
    return Config.model_validate({"daemon": {"state_dir": folder / "state"}, "gateway": {}, "inbox": inboxes})


class EditedDaemon(way.OpenDaemon):
    """Its recordings are recognised and delivered by hand."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **inbox: object) -> None:
        monkeypatch.setattr(way, "make_config", lambda folder: two_inboxes(folder, **inbox))
        super().__init__(folder)
        (folder / "hr").mkdir()
        self.accesses = Accesses(self.history, self.time.clock)
        self.door = open_door(self.parts, GatewaySection())
        self.client = DaemonClient(self.config.gateway_socket_path)

    def token(self, name: str, *inboxes: str, may: str = "edit") -> str:
        """Let somebody in."""
        return self.accesses.add(name, inboxes, parse_rights(may))

    def transcribed(self, name: str, *texts: str, content: bytes = b"") -> int:
        """Have a recording recognised and its files written; return its number."""
        recording = self.put(name, content or name.encode())
        self.finish(self.claim().id, *texts)
        assert self.parts.deliverer.deliver(recording)
        return recording

    def recognised_again(self, recording: int, *texts: str) -> None:
        """Transcribe it once more."""
        self.arrivals.retry(recording)
        self.finish(self.claim().id, *texts)
        assert self.parts.deliverer.deliver(recording)

    def refused(self, request: m.Request, secret: str) -> m.Refusal:
        """Ask for what is not given."""
        with pytest.raises(AnsweredError) as caught:
            self.client.ask(object, request, secret)
        return caught.value.refusal

    def rewritten(self) -> int:
        """Write anew what is due, a while after the last time."""
        self.time.pass_s(600)
        return self.parts.deliverer.rewriter.rewrite_all()

    def shut(self) -> None:
        """End."""
        self.door.close()
        self.close()
