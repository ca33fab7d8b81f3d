"""The recogniser process from its start to its loop: says Ready or Broken, and dies with the daemon."""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.dispatch.channel import Channel
from asr_daemon.dispatch.protocol import DAEMON_PID, Broken, Note, Ready, Setup
from asr_daemon.errors import WorkError
from asr_daemon.models.soundness import require_sound

if TYPE_CHECKING:
    from asr_daemon.recogniser.engine import Engine

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the recogniser on the socket ``--fd``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="asr_daemon.recogniser", description="The daemon's child; not for people."
    )
    parser.add_argument("--fd", type=int, required=True, help="the daemon's socket")
    given = parser.parse_args(arguments)
    _die_with_the_daemon()
    tell_where_it_crashed()
    _quieten()
    channel = Channel(socket.socket(fileno=given.fd))
    try:
        received = channel.receive()
    except EOFError:
        return 0
    if received is None or not isinstance(received[0], Setup):
        return 1
    setup = received[0]
    try:
        return _work(channel, setup)
    except OSError:  # the daemon is gone
        return 0


def _work(channel: Channel, setup: Setup) -> int:
    began = time.monotonic()
    try:
        engine = _load(channel, setup)
    except WorkError as error:
        channel.send(Broken(error.code, str(error), error.evidence or traceback.format_exc()))
        return 1
    except Exception as error:  # noqa: BLE001 (whatever loading raises, the daemon must hear of it)
        code = "out_of_memory" if "OutOfMemory" in type(error).__name__ else "model_missing"
        channel.send(Broken(code, f"{type(error).__name__}: {error}", traceback.format_exc()))
        return 1
    versions = {name: metadata.version(name) for name in ("funasr", "torch", "silero-vad")}
    load_ms = round((time.monotonic() - began) * 1000)
    channel.send(
        Ready(
            engine.device,
            engine.model_name,
            load_ms,
            versions,
            engine.full_bound_s,
            engine.precision,
            was_checked=engine.was_checked,
        )
    )
    from asr_daemon.recogniser.loop import Loop  # noqa: PLC0415 (torch comes with it)

    Loop(channel, engine, setup).run()
    channel.close()
    return 0


def _load(channel: Channel, setup: Setup) -> Engine:
    given = (setup.model_folder, setup.vad_folder, setup.punctuation_folder)
    folders = () if setup.is_verified else tuple(filter(None, given))
    with ThreadPoolExecutor(1, "soundness") as beside:  # hashing goes on while torch and funasr are imported
        checks = [beside.submit(require_sound, Path(folder)) for folder in folders]
        from asr_daemon.recogniser.families import on_demand  # noqa: PLC0415 (here, the engine's: seconds)

        on_demand.install()
        from asr_daemon.recogniser.engine import Engine  # noqa: PLC0415

        for check in checks:
            check.result()
    return Engine(setup, lambda level, event, fields: channel.send(Note(level, event, fields)))


def _die_with_the_daemon() -> None:
    """Ask the kernel to end this process when the daemon's thread that started it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        daemon = os.environ.get(DAEMON_PID)
        if daemon is not None and os.getppid() != int(daemon):  # it died before the kernel was asked
            os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the daemon's to handle


def tell_where_it_crashed() -> None:
    """On SIGSEGV, SIGABRT and their like write Python's stacks to stderr, the daemon's evidence; no core."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _quieten() -> None:
    """Keep libraries off stdout, and FunASR (which would configure logging itself) to its warnings."""
    os.dup2(2, 1)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(pathname)s: %(message)s"
    )
