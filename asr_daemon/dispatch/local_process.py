"""The daemon's side of the recogniser: starts the child, talks to it, knows why it ended. Never torch.

Enters: :class:`~asr_daemon.dispatch.protocol.Setup` and messages. Leaves: messages. Fails with
:class:`~asr_daemon.errors.RecogniserCrashedError` with the child's last words as evidence.
"""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.dispatch.channel import Channel
from asr_daemon.dispatch.kernel_kills import KernelKills
from asr_daemon.dispatch.protocol import DAEMON_PID, Recognise, Recognised, Saved, Stop
from asr_daemon.errors import KilledForMemoryError, RecogniserCrashedError
from asr_daemon.files.control_group import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.dispatch.protocol import Message, Setup

PROGRAM = ("-m", "asr_daemon.recogniser")
EXPENDABLE = 500  # of 1000: see oom_score_adj in proc(5)
_KEPT_LINES = 200
_EVIDENCE_LINES = 60  # a traceback is among them
ABORT_WITHIN_S = 3.0
_READS_ANYTHING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class RecogniserProcess:
    """One run of the child. Send from any thread; receive from one."""

    def __init__(
        self,
        channel: Channel,
        command: list[str],
        fd: int,
        on_line: Callable[[str], None],
        read_kills: Callable[[], KernelKills],
    ) -> None:
        """Start ``command``, which talks on ``fd``; callers use :meth:`spawn`."""
        self._channel = channel
        self._on_line = on_line
        self._read_kills = read_kills
        self._kills_before = read_kills()
        self._unconfirmed: int | None = None  # the job whose segments were received last
        self._words: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
        # The kernel ends the child with the *thread* that started it: hence one that lives as long as it.
        self._keeper = threading.Thread(
            target=self._keep, args=(command, fd), name="recogniser-keeper", daemon=True
        )
        self._keeper.start()
        started = self._started.get()
        if isinstance(started, OSError):
            raise RecogniserCrashedError(f"The recogniser could not be started: {started}")
        self._process = started

    @classmethod
    def spawn(
        cls,
        setup: Setup,
        on_line: Callable[[str], None] = lambda _line: None,
        program: tuple[str, ...] = PROGRAM,
        read_kills: Callable[[], KernelKills] = KernelKills.read,
    ) -> RecogniserProcess:
        """Start the child and send it the setup; it answers Ready or Broken when the model is loaded.

        ``program`` is what Python runs, with ``--fd N`` behind it.
        ``on_line`` is given every line that the child, or a library in it, writes on stderr or stdout; it
        is called from a thread of its own.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            command = [sys.executable, *program, "--fd", str(theirs.fileno())]
            started = cls(Channel(ours, takes_files=False), command, theirs.fileno(), on_line, read_kills)
        started.send(setup)
        return started

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the child still runs."""
        return self._process.poll() is None

    def fileno(self) -> int:
        """Return the channel's descriptor: readable when something can be received."""
        return self._channel.fileno()

    def send(self, message: Message, fd: int | None = None) -> None:
        """Send a message, a recording's descriptor with it; raises :class:`RecogniserCrashedError`."""
        if isinstance(message, Recognise):
            self._kills_before = self._read_kills()
        try:
            self._channel.send(message, fd)
        except OSError:
            raise self._crash() from None

    def receive(self, timeout_s: float | None) -> Message | None:
        """Return the next message, None after the time-out; raises :class:`RecogniserCrashedError`.

        Who asks for the next has committed the last: the child is told so, and goes on with that recording.
        """
        if self._unconfirmed is not None:
            order, self._unconfirmed = self._unconfirmed, None
            self.send(Saved(order))
        message = self.relay(timeout_s)
        if isinstance(message, Recognised):
            self._unconfirmed = message.order
        return message

    def relay(self, timeout_s: float | None) -> Message | None:
        """Do as :meth:`receive`, for who hands it on: whoever commits it sends Saved."""
        try:
            received = self._channel.receive(timeout_s)
        except (EOFError, OSError):
            raise self._crash() from None
        except ValueError as error:
            self.kill()
            raise RecogniserCrashedError(f"The recogniser sent what is no message: {error}") from None
        return received[0] if received else None

    def kill(self) -> None:
        """End the child at once; its memory is free when this returns."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._keeper.join(timeout=5)
        self._channel.close()

    def abort(self) -> str:
        """End a child that hangs by SIGABRT, on which it says where it is; return its last words."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ABORT_WITHIN_S)
        self.kill()
        return self._last_words()

    def stop(self, timeout_s: float) -> bool:
        """Ask the child to end after the batch in hand; kill it after the time-out. Return if it obeyed."""
        with contextlib.suppress(OSError):  # it may have ended already
            self._channel.send(Stop())
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self.kill()
        return True

    def _keep(self, command: list[str], fd: int) -> None:
        """Start the child, take down what it says, and stay until it has ended."""
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(fd,),
                env=_child_environment(),
            )
        except OSError as error:
            self._started.put(error)
            return
        _make_expendable(process.pid)
        self._started.put(process)
        assert process.stderr is not None  # noqa: S101 (PIPE above)
        with process.stderr:
            for raw in process.stderr:
                line = raw.decode(errors="replace").rstrip()
                self._words.append(line)
                self._on_line(line)
        process.wait()

    def _crash(self) -> RecogniserCrashedError:
        """Return the error of a child that is gone: how it ended and what it said last."""
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            status = self._process.returncode
        self._keeper.join(timeout=5)
        how = f"was ended by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
        kind = RecogniserCrashedError
        if status == -signal.SIGKILL:
            verdict = self._read_kills().since(self._kills_before)
            kind = KilledForMemoryError if verdict.is_for_memory else RecogniserCrashedError
            how = f"{how} ({verdict.value})"
        return kind(f"The recogniser process {how}.", evidence=f"{how}\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(list(self._words)[-_EVIDENCE_LINES:])


def _make_expendable(pid: int) -> None:
    """Let the kernel, where memory runs out, end the child before the daemon and others of its size."""
    with contextlib.suppress(OSError):  # it has ended already
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(EXPENDABLE), encoding="ascii")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _child_environment() -> dict[str, str]:
    """Return the daemon's environment; waiting threads sleep there, as spinning ones cost others tenfold.

    A checkpoint is a pickle: torch is made to take weights out of it and nothing else, wherever it is called.
    On a machine of a cluster, Ray's token is not for who reads recordings.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != _READS_ANYTHING and not name.startswith("RAY_")
    }
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "0",
        "OPENBLAS_NUM_THREADS": str(usable_cores()),  # numpy's would be one for each core of the machine
        "PYTHONUNBUFFERED": "1",
        **inherited,
        DAEMON_PID: str(os.getpid()),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
    }
