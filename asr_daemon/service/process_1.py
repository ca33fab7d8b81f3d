"""Process 1 of a container: an init for the program, in front of it.

Whatever loses its parent becomes process 1's child (ffmpeg, when its recogniser is killed), and stays a
zombie until process 1 asks how it ended; and a signal does nothing to process 1 that it has no handler for. A
program that starts children itself cannot ask for "any child" without taking their exit codes from whoever
waits for them. So process 1 forks: it stays behind, reaps everybody and passes signals on, and its one child
of its own is the program. Where another init is there (``podman run --init``) nothing is done.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

PASSED_ON = frozenset(
    (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
)
_MEANT_FOR = ("LISTEN_PID", "WATCHDOG_PID")  # of systemd, where the container's own is passed on
_KILLED = 128  # and the signal's number: what shells say


def stay_behind_as_process_1() -> None:
    """Return in the program's own process; where that would be process 1, in a child of it.

    Call it while there is one thread.
    """
    if os.getpid() != 1:
        return
    heard = PASSED_ON | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    sys.stdout.flush()
    sys.stderr.flush()
    program = os.fork()
    if program == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _is_meant(os.environ)
        return
    os._exit(_look_after(program, heard))


def _is_meant(environ: MutableMapping[str, str]) -> None:
    """Take what systemd means for process 1."""
    for name in _MEANT_FOR:
        if environ.get(name) == "1":
            environ[name] = str(os.getpid())


def _look_after(program: int, heard: frozenset[signal.Signals]) -> int:
    """Pass signals on and reap until the program has ended; return its exit code."""
    while True:
        number = signal.sigwait(heard)
        if number != signal.SIGCHLD:
            os.kill(program, number)  # it is not reaped yet: the number is its own
            continue
        while ended := _reaped():
            pid, status = ended
            if pid == program:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else _KILLED - code


def _reaped() -> tuple[int, int] | None:
    """Return one that has ended, and how; None where there is none at present."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None
