"""A daemon's cluster of children: a bridge that is played in a process of its own, and reloads beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.config import load_config
from support import eventually

if TYPE_CHECKING:
    from attack import AttackedDaemon
    from typing_extensions import Self

HERE = Path(__file__).parent
CLUSTER = '\n[cluster]\naddress = "ray://head:10001"\n'


class BridgeProcess:
    """``played_bridge.py``, with the fake recogniser behind it."""

    def __init__(self, daemon: AttackedDaemon, *machines: str) -> None:
        path = load_config(daemon.config_path).cluster_socket_path
        programs = [os.fspath(HERE / name) for name in ("played_bridge.py", "fake_recogniser.py")]
        self._process = subprocess.Popen(
            [sys.executable, programs[0], os.fspath(path), programs[1], *machines],
            stdin=subprocess.PIPE,
            env={**os.environ, **daemon.environment},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def tell(self, line: str) -> None:
        """Say what befalls it; one that has ended does not hear it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """End it, as the kernel does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # of what it was not told
            self._process.stdin.close()


def reload(daemon: AttackedDaemon, extra: str) -> None:
    """Let it take up another configuration."""
    before = len(daemon.events("configuration_reloaded"))
    daemon.configure(inboxes={"inbox": 'formats = ["txt"]'}, extra=extra)
    daemon.signal(signal.SIGHUP)
    eventually(lambda: len(daemon.events("configuration_reloaded")) > before, what="the reload")
