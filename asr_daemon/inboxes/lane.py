"""One inbox's reading: what has settled there is hashed one file after the other, beside the other inboxes.

Enters: candidates. Leaves: for each a :class:`Read`, or why there is none, told to whoever waits. A large
file, a slow disk or a share that hangs in the middle of it holds up its own inbox and no other. Files that
their names do not tell are looked into when nothing else waits: most are no recordings.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.inboxes.fingerprint import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.inboxes.candidate import Candidate
    from asr_daemon.transcripts.profile import Profile

LOOK_S = 1.0  # how often it is asked whether the file is still there


@dataclass(frozen=True, slots=True)
class Order:
    """A file that is to be read."""

    candidate: Candidate
    is_urged: bool = False  # also where its writer still has it open: it has for an hour


@dataclass(frozen=True, slots=True)
class Read:
    """A file's content, known by its digest, and the profile that its inbox asks for."""

    found: Candidate  # as it was when it had been read
    sha256: str  # "" where its writer has it open, and nothing was read
    profile: Profile


@dataclass(frozen=True, slots=True)
class NoRecording:
    """A file that its name does not tell, whose first bytes show no recording."""

    found: Candidate


Ended = Read | NoRecording | Exception  # how the reading of a file ended


class Progress:
    """How far the reading of one open file is; says when to give it up."""

    def __init__(self, path: Path, descriptor: int, is_given_up: Callable[[], bool]) -> None:
        found = os.fstat(descriptor)
        self.path = path
        self.size_bytes = found.st_size
        self.read_bytes = 0
        self.began_s = self._looked_s = time.monotonic()
        self._identity = (found.st_dev, found.st_ino)
        self._is_given_up = is_given_up

    def must_stop(self) -> bool:
        """Count a block, and return whether nobody wants the file any more, or it lies there no more."""
        self.read_bytes = min(self.size_bytes, self.read_bytes + READ_BYTES)
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_S:
            return self._is_given_up()
        self._looked_s = now_s
        try:
            found = self.path.lstat()
        except OSError:
            return True
        return self._is_given_up() or (found.st_dev, found.st_ino) != self._identity


class Lane:
    """The files of one inbox that wait to be read; :meth:`put` and the rest from any thread."""

    def __init__(
        self,
        read: Callable[[Order, Lane], Read | NoRecording],
        on_end: Callable[[Order, Ended], None],
        begin: Callable[[Callable[[], None]], None],
    ) -> None:
        """``read`` does the work, ``on_end`` is told how it ended; ``begin`` runs a loop, in a thread say."""
        self.progress: Progress | None = None  # of the file in hand
        self._read = read
        self._on_end = on_end
        self._begin = begin
        self._orders: deque[Order] = deque()
        self._unsure: deque[Order] = deque()  # those that their names do not tell
        self._paths: set[str] = set()  # of those that wait, in hand, or ended and not yet released
        self._lock = threading.Lock()
        self._is_running = False

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def put(self, order: Order) -> None:
        """Have a file read, unless it is waiting for that already."""
        path = str(order.candidate.path)
        with self._lock:
            if path in self._paths:
                return
            self._paths.add(path)
            (self._unsure if order.candidate.needs_look else self._orders).append(order)
            if self._is_running:
                return
            self._is_running = True
        try:
            self._begin(self._run)
        except RuntimeError:  # no thread is to be had: the next file tries again
            with self._lock:
                self._is_running = False

    def release(self, order: Order) -> None:
        """Let that file be put again: how its reading ended was heard."""
        with self._lock:
            self._paths.discard(str(order.candidate.path))

    def _run(self) -> None:
        while True:
            with self._lock:
                orders = self._orders or self._unsure
                if not orders:
                    self._is_running = False
                    return
                order = orders.popleft()
            try:
                result: Ended = self._read(order, self)
            except Exception as error:  # noqa: BLE001 (told to whoever waits)
                result = error
            self.progress = None
            self._on_end(order, result)


def begin_here(run: Callable[[], None]) -> None:
    """Read at once, in the caller's thread."""
    run()


def begin_in_a_thread(run: Callable[[], None]) -> None:
    """Read in a thread that ends when nothing waits any more."""
    threading.Thread(target=run, name="hashing", daemon=True).start()
