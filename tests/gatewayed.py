"""A daemon with the fake recogniser and a gateway beside it, each in its process, for tests over HTTP."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
from attack import AttackedDaemon

from support import eventually

MOST_GATEWAY_BYTES, MOST_DAEMON_BYTES = 300 << 20, 100 << 20


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gatewayed(AttackedDaemon):
    """Both processes; the inboxes are "inbox" and "hr"."""

    def __init__(
        self,
        folder: Path,
        *,
        gateway: str = "",
        model: str = "",
        before: str = "",
        listen: str = "",
        of_inbox: str = 'formats = ["txt"]',
    ) -> None:
        """Take further lines of ``[gateway]``, and ``before`` them of ``[daemon]``.

        ``model``: a real recogniser instead of the fake one; ``listen``: elsewhere than at a free port;
        ``of_inbox``: the lines of the inbox "inbox".
        """
        self.port = free_port()
        self.listen = listen or f"127.0.0.1:{self.port}"
        self.gateway_prefix: tuple[str, ...] = ()  # what it runs under: strace, say
        self.gateway_program: tuple[str, ...] = ("-m", "asr_daemon")
        self.gateway_log = folder / "gateway.log"
        self._gateway: subprocess.Popen[bytes] | None = None
        super().__init__(
            folder,
            inboxes={"inbox": of_inbox, "hr": 'formats = ["txt"]'},
            extra=f'{before}\n[gateway]\nlisten = "{self.listen}"\n{gateway}\n',
        )
        if model:
            self.program = ("-m", "asr_daemon")

    def start(self) -> Gatewayed:
        """Start both and wait until both answer."""
        super().start()
        self.start_gateway()
        return self

    def start_gateway(self) -> None:
        """Start the gateway alone."""
        with self.gateway_log.open("ab") as log:
            self._gateway = subprocess.Popen(
                [
                    *(*self.gateway_prefix, sys.executable, *self.gateway_program),
                    *("serve", "-c", os.fspath(self.config_path)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def listens() -> bool:
            assert self._gateway is not None
            assert self._gateway.poll() is None, self.gateway_log.read_text(encoding="utf-8")
            path = self.listen.removeprefix("unix:")
            if path != self.listen:
                with socket.socket(socket.AF_UNIX) as probe:
                    return probe.connect_ex(path) == 0
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(listens, what="the gateway's start")

    def kill_gateway(self) -> None:
        """End it as a power cut would."""
        if self._gateway is not None:
            self._gateway.kill()
            self._gateway.wait()
            self._gateway = None

    def stop_gateway(self) -> int:
        """End it as systemd does; return its exit code."""
        assert self._gateway is not None
        self._gateway.send_signal(signal.SIGTERM)
        code, self._gateway = self._gateway.wait(20), None
        return code

    def kill(self) -> None:
        """End both."""
        self.kill_gateway()
        super().kill()

    def let_in(self, name: str, *inboxes: str, may: str = "read") -> str:
        """Run ``access add``; return the token."""
        which = [part for inbox in inboxes for part in ("--inbox", inbox)] or ["--every-inbox"]
        added = self.command("access", "add", name, *which, "--may", may)
        assert added.returncode == 0, added.stderr
        return str(added.stdout.strip())

    def client(self, token: str = "") -> httpx.Client:
        """Return a program's way to the gateway."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=60)

    def check_memory(self) -> None:
        """Fail where one of them has grown beyond its bound."""
        assert self._gateway is not None
        assert self._process is not None
        assert memory_bytes(self._gateway.pid) < MOST_GATEWAY_BYTES
        assert memory_bytes(self._process.pid) < MOST_DAEMON_BYTES


def memory_bytes(pid: int) -> int:
    """Return what a process has of its own."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"(?m)^Pss:\s+(\d+) kB", text)
    assert found
    return int(found[1]) << 10
