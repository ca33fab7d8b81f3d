"""The demonstration in a browser: daemon and gateway on what was transcribed, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from asr_daemon.control.socket import ask
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from asr_daemon.demo.stage import Stage

RIGHTS = "read,upload,edit,operate"
ENTER_ONCE = "ASR_DAEMON_ENTER_ONCE"  # as the gateway reads it
STARTS_WITHIN_S = 60.0
LOOK_AGAIN_S = 0.1
STOP_WITHIN_S = 10.0


def show_in_browser(console: Console, stage: Stage) -> None:
    """Open the console at a free port, print its address, and wait for Ctrl-C.

    Raises :class:`~asr_daemon.errors.OperatorError` where the gateway ends by itself.
    """
    port = _free_port()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    with (
        contextlib.suppress(KeyboardInterrupt),
        stage.open_again(f'\n[gateway]\nlisten = "127.0.0.1:{port}"\n') as config,
    ):
        answer = ask(config.socket_path, "access_add", name="demo", inboxes=["*"], rights=RIGHTS)
        word = secrets.token_urlsafe(24)
        with _gateway(stage, f"{word} {answer['token']}", port) as gateway:
            console.print("\nThe console, for one visit:", markup=False)
            console.print(f"http://127.0.0.1:{port}/enter/{word}", markup=False, soft_wrap=True)
            console.print("Ctrl-C ends it.", markup=False)
            gateway.wait()
            raise OperatorError(f"the gateway ended with {gateway.returncode}:\n{_log(stage)}")


@contextlib.contextmanager
def _gateway(stage: Stage, once: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with (stage.folder / "gateway.log").open("wb") as log:
        gateway = subprocess.Popen(
            [sys.executable, "-m", "asr_daemon", "serve", "-c", os.fspath(stage.folder / "config.toml")],
            env={**os.environ, ENTER_ONCE: once},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline_s = time.monotonic() + STARTS_WITHIN_S
        while not _listens(port):
            if gateway.poll() is not None or time.monotonic() > deadline_s:
                raise OperatorError(f"the gateway did not start:\n{_log(stage)}")
            time.sleep(LOOK_AGAIN_S)
        yield gateway
    finally:
        gateway.terminate()
        try:
            gateway.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            gateway.kill()
            gateway.wait()


def _log(stage: Stage) -> str:
    return (stage.folder / "gateway.log").read_text(encoding="utf-8", errors="replace")[-2000:]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
