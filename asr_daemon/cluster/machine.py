"""What runs on a machine of the cluster: one recogniser child under one lease, nothing said in the clear.

Ray calls the methods (:mod:`asr_daemon.cluster.actor`), those of a group one after the other. Enters: the
setup, orders, recordings. Leaves: what the child says, whenever the bridge asks. Being asked renews the
lease: where nobody asks for ``LEASE_S``, child and process end. A recording is in memory only, and so is
what is said of it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import threading
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from asr_daemon import __version__
from asr_daemon.cluster.outbox import Outbox
from asr_daemon.cluster.recordings import Recordings
from asr_daemon.cluster.sealing import Seal, Stream
from asr_daemon.dispatch import cluster_messages, protocol
from asr_daemon.dispatch.local_process import PROGRAM, RecogniserProcess
from asr_daemon.errors import ConfigurationError, RecogniserNotStartedError, WorkError
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.files.control_group import available_bytes
from asr_daemon.lines import Lines
from asr_daemon.models.weights import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.models.weights import Weights

LEASE_S = 10.0
LOOK_S = 0.5
HEAR_S = 2.0  # that a question waits for an answer
MODELS_DIR = Path("/var/lib/asr-daemon/models")
NOBODY_ASKED = 3  # exit status of a machine whose lease ran out
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class About:
    """What the bridge must know before it says anything."""

    release: str
    host: str
    node: str  # Ray's number of this node
    is_guarded: bool  # whether Ray asks here who is there
    available_bytes: int  # memory; 0: unknown


_ABOUT: Lines[About] = Lines((About,), "answer")
encode_about, decode_about = _ABOUT.encode, _ABOUT.decode


def _saying_what_fails(
    method: Callable[Concatenate[Machine, P], T],
) -> Callable[Concatenate[Machine, P], T | None]:
    """Let what fails be told sealed, and not by Ray, which logs it."""

    @functools.wraps(method)
    def wrapped(self: Machine, /, *arguments: P.args, **named: P.kwargs) -> T | None:
        try:
            return method(self, *arguments, **named)
        except WorkError as error:
            self.lose(error.code, str(error), error.evidence)
        except Exception as error:  # noqa: BLE001 (the border to Ray)
            self.lose("recogniser_crashed", f"{type(error).__name__}: {error}", traceback.format_exc())
        return None

    return wrapped


class Machine:
    """One recogniser, from its hire to its end."""

    def __init__(
        self,
        *,
        lease_s: float = LEASE_S,
        program: tuple[str, ...] = PROGRAM,
        end: Callable[[], None] | None = None,
    ) -> None:
        """``end`` is what ends the process, ``program`` the child's."""
        self._lease_s = lease_s
        self._program = program
        self._end = end or self._end_process
        self._asked_s = now_s()
        self._seal: Seal | None = None
        self._lease = 0
        self._outbox = Outbox()
        self._child: RecogniserProcess | None = None
        self._recordings = Recordings(self._give, self._say)
        self._heard, self._told = 0, 0  # messages, in the nonces
        self._is_over = False
        threading.Thread(target=self._watch_lease, name="lease", daemon=True).start()

    # ------------------------------------------------------------------ the lease

    def _watch_lease(self) -> None:
        while not self._has_lapsed():
            time.sleep(min(LOOK_S, self._lease_s / 4))
        self._end()

    def _has_lapsed(self) -> bool:
        return now_s() - self._asked_s > self._lease_s

    def _end_process(self) -> None:
        if self._child is not None:
            with contextlib.suppress(OSError):  # it has ended already
                os.kill(self._child.pid, signal.SIGKILL)
        os._exit(NOBODY_ASKED)

    # ------------------------------------------------------------------ group "words"

    def about(self, node: str = "") -> bytes:
        """Return :class:`About` as a line."""
        asks_token = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
        is_guarded = asks_token or os.environ.get("RAY_USE_TLS", "").lower() in ("1", "true")
        return encode_about(
            About(__version__, socket.gethostname(), node, is_guarded, available_bytes() or 0)
        )

    def hear(self, lease: int, *, wants_words: bool) -> bytes:
        """Return what was said since the last time, sealed; b"" where that is nothing, after a while.

        Whoever asks renews the lease; without ``wants_words`` that is all.
        """
        if self._lease not in (0, lease) or self._has_lapsed():  # 0: start() is under way
            self._end()
            return b""
        self._asked_s = now_s()
        if wants_words:
            words = self._outbox.take(HEAR_S)
        else:
            time.sleep(HEAR_S)
            words = b""
        if self._has_lapsed():  # frozen meanwhile: somebody else has the work by now
            self._end()
            return b""
        if not words or self._seal is None:
            return b""
        self._heard += 1
        return self._seal.close(Stream.WORDS, self._heard, words)

    # ------------------------------------------------------------------ group "orders"

    @_saying_what_fails
    def start(self, hire_line: bytes, setup_line: bytes, key: bytes) -> None:
        """Begin the lease: find the model here, start the child."""
        hire, setup = cluster_messages.decode(hire_line), protocol.decode(setup_line)
        assert isinstance(hire, cluster_messages.Hire)  # noqa: S101
        assert isinstance(setup, protocol.Setup)  # noqa: S101
        self._seal, self._lease = Seal(key, hire.lease), hire.lease
        try:
            ours = _our_setup(setup, hire.weights)
        except WorkError as error:
            self._say(protocol.Broken(error.code, str(error), error.evidence))
            return
        os.environ.pop("OMP_NUM_THREADS", None)  # Ray's: of an actor that asks for a card, not for cores
        self._child = RecogniserProcess.spawn(ours, program=self._program)
        threading.Thread(target=self._relay, args=(self._child,), name="relay", daemon=True).start()

    @_saying_what_fails
    def tell(self, lease: int, sealed: bytes) -> None:
        """Hand an order on to the child."""
        if self._seal is None or lease != self._lease:
            return
        self._told += 1
        message = protocol.decode(self._seal.open(Stream.ORDERS, self._told, sealed))
        if isinstance(message, protocol.Cancel) and self._recordings.cancel(message.order):
            return
        if self._child is not None:
            self._child.send(message)

    # ------------------------------------------------------------------ group "sound"

    @_saying_what_fails
    def take(self, lease: int, number: int, sealed: bytes) -> bool:
        """Expect a recording; return whether it is here already, as this machine sees its file."""
        if self._seal is None or lease != self._lease:
            return True
        order = protocol.decode(self._seal.open(Stream.TAKE, number, sealed))
        assert isinstance(order, protocol.Recognise)  # noqa: S101
        return self._recordings.expect(order)

    @_saying_what_fails
    def sound(self, lease: int, order: int, offset: int, sealed: bytes) -> None:
        """Take the next piece of a recording; the last one gives it to the child."""
        if self._seal is not None and lease == self._lease:
            self._recordings.add(order, offset, self._seal.open(Stream.SOUND, order, sealed, offset))

    def _give(self, order: protocol.Recognise, fd: int) -> None:
        if self._child is not None:
            self._child.send(order, fd)

    # ------------------------------------------------------------------ what is said

    def _relay(self, child: RecogniserProcess) -> None:
        """Hand on what the child says, until it has ended."""
        try:
            while True:
                message = child.relay(None)
                if message is not None:
                    self._say(message)
        except WorkError as error:
            self.lose(error.code, str(error), error.evidence)

    def lose(self, code: str, message: str, evidence: str) -> None:
        """Say that this recogniser is at its end."""
        if not self._is_over:
            self._is_over = True
            self._say(protocol.Lost(code, message, evidence))

    def _say(self, message: protocol.Message) -> None:
        self._outbox.put(protocol.encode(message))


def now_s() -> float:
    """Return the time that goes on while this process, or the whole machine, is frozen."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _our_setup(setup: protocol.Setup, weights: tuple[Weights, ...]) -> protocol.Setup:
    """Return the setup for here: own folders, every file of which is what the daemon's is; own ffmpeg.

    Raises :class:`~asr_daemon.errors.EngineUnavailableError`.
    """
    models_dir = Path(os.environ.get("ASR_DAEMON_MODELS") or MODELS_DIR)
    folders = {each.role: str(find(each, models_dir)) for each in weights}
    try:
        ffmpeg = str(find_ffmpeg())
    except ConfigurationError as error:
        raise RecogniserNotStartedError(str(error)) from None
    return replace(
        setup,
        model_folder=folders.get("model", ""),
        vad_folder=folders.get("vad", ""),
        punctuation_folder=folders.get("punctuation", ""),
        speaker_folder=folders.get("speaker", ""),
        device="cpu" if setup.device == "cpu" else "auto",
        ffmpeg=ffmpeg,
        sharers=1,
        is_verified=True,
        remembered="",
    )
