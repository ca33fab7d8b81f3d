"""Copies of recordings to listen to, within a bound: made by a child when somebody first wants to listen.

Enters: a content's hash and a way to open it. Leaves: whether its copy is there, how far it is, or why there
is none; open files. One copy is made at a time; those heard least recently go when there is no room. Nothing
raises but :class:`BusyError`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import AsrDaemonError, OperatorError
from asr_daemon.ffmpeg import find_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = structlog.get_logger()

MODULE = "asr_daemon.playback"
COPY, PEAKS, HALF = "flac", "peaks", "part"
PEAKS_PER_S = 20  # as playback/copying.py makes them
MOST_WAITING = 100
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FAILED_FOR_S = 60.0  # before another try
STUCK_S = 120.0  # without a word of the child
LEAST_ROOM_BYTES = 1 << 30  # that much of the disk stays free


class BusyError(OperatorError):
    """Too many copies are waited for."""


@dataclass(frozen=True, slots=True)
class Making:
    """How far a copy is; ``problem``: why there is none."""

    progress: float = 0.0  # 0..1; 0 while the length is not known
    problem: str = ""
    ended_s: float = 0.0  # monotonic


class Playbacks:
    """The folder of copies; any thread."""

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        *,
        ffmpeg: str = "",
        most_s: float,
        on_change: Callable[[], None] = lambda: None,
        program: tuple[str, ...] = ("-m", MODULE),
    ) -> None:
        """``most_s`` is the longest recording; ``ffmpeg`` is ``engine.ffmpeg``."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._ffmpeg = ffmpeg
        self._most_s = most_s
        self._on_change = on_change
        self._program = program
        self._making: dict[str, Making] = {}
        self._lock = threading.Lock()
        self._waiting: queue.Queue[tuple[str, Callable[[], int]] | None] = queue.Queue()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False
        for path in folder.glob(f"*.{HALF}"):
            path.unlink(missing_ok=True)  # of a daemon that was killed
        for path in folder.glob(f"*.{PEAKS}"):
            if not path.with_suffix(f".{COPY}").exists():
                path.unlink(missing_ok=True)

    # ------------------------------------------------------------------ who listens

    def open(self, sha256: str, kind: str) -> int | None:
        """Return an open descriptor of a copy ("flac") or its peaks ("peaks"), None where it is not there."""
        path = self._folder / f"{sha256}.{kind}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(self._folder / f"{sha256}.{COPY}")  # heard last
        return descriptor

    def is_there(self, sha256: str) -> bool:
        """Whether both a copy and its peaks are there."""
        return all((self._folder / f"{sha256}.{kind}").exists() for kind in (PEAKS, COPY))

    def want(self, sha256: str, open_sound: Callable[[], int]) -> Making:
        """Have a copy made, unless it is being made; raises :class:`BusyError`.

        ``open_sound`` is called when it is its turn, in another thread; its descriptor is closed here.
        """
        with self._lock:
            making = self._making.get(sha256)
            is_over = making is not None and making.problem != ""
            if making is not None and not (is_over and time.monotonic() - making.ended_s > FAILED_FOR_S):
                return making
            if sum(1 for each in self._making.values() if not each.problem) >= MOST_WAITING:
                raise BusyError
            self._making = {
                key: each
                for key, each in self._making.items()
                if not each.problem or time.monotonic() - each.ended_s < FAILED_FOR_S
            }
            self._making[sha256] = Making()
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="playback", daemon=True)
                self._thread.start()
        self._waiting.put((sha256, open_sound))
        return Making()

    def close(self) -> None:
        """End; a copy that is under way is not kept."""
        with self._lock:
            self._is_closed = True
            if self._child is not None:
                self._child.kill()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(5.0)

    # ------------------------------------------------------------------ making one

    def _run(self) -> None:
        while (wanted := self._waiting.get()) is not None and not self._is_closed:
            sha256, open_sound = wanted
            problem = ""
            began_s = time.monotonic()
            try:
                problem = "" if self.is_there(sha256) else self._make(sha256, open_sound)
            except (AsrDaemonError, OSError) as error:
                problem = str(error)
            except Exception:
                log.exception("playback_copy_failed", sha256=sha256)
                problem = "the copy to listen to could not be made; the journal says why"
            with self._lock:
                if problem:
                    self._making[sha256] = Making(problem=problem, ended_s=time.monotonic())
                else:
                    self._making.pop(sha256, None)
            if problem:
                log.warning("playback_copy_not_made", sha256=sha256, problem=problem)
            else:
                took_s = round(time.monotonic() - began_s, 2)
                log.info("playback_copy_made", sha256=sha256, took_s=took_s, dropped=self._make_room())
            self._on_change()

    def _make(self, sha256: str, open_sound: Callable[[], int]) -> str:
        """Make a copy; return why there is none, or ""."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        stat = os.statvfs(self._folder)
        room = min(self._most_bytes, stat.f_bavail * stat.f_frsize - LEAST_ROOM_BYTES)
        if room <= 0:
            return "there is no room on the disk for a copy to listen to"
        halves = {kind: self._folder / f"{sha256}.{kind}.{HALF}" for kind in (PEAKS, COPY)}
        sound = open_sound()
        made = dict.fromkeys(halves, -1)
        try:
            for kind, path in halves.items():
                flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                made[kind] = os.open(path, flags, 0o600)
            problem = self._watch(sha256, self._start(sound, made[COPY], made[PEAKS], room))
            if not problem:
                for kind, path in halves.items():
                    os.fsync(made[kind])
                    path.rename(self._folder / f"{sha256}.{kind}")
            return problem
        finally:
            for descriptor in (sound, *made.values()):
                if descriptor >= 0:
                    os.close(descriptor)
            for path in halves.values():
                path.unlink(missing_ok=True)

    def _start(self, sound: int, copy: int, peaks: int, room: int) -> subprocess.Popen[bytes]:
        given = (sound, copy, peaks, find_ffmpeg(self._ffmpeg), self._most_s, room)
        process = subprocess.Popen(
            [sys.executable, *self._program, *map(str, given)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(sound, copy, peaks),
            env={**os.environ, **dict.fromkeys(_THREADS, "1")},
        )
        with self._lock:
            self._child = process
            if self._is_closed:
                process.kill()
        return process

    def _watch(self, sha256: str, process: subprocess.Popen[bytes]) -> str:
        """Follow the child to its end; return what went wrong, or ""."""
        told: dict[str, object] = {}
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        stuck = threading.Timer(STUCK_S, process.kill)
        stuck.start()
        try:
            for line in process.stdout:
                stuck.cancel()
                stuck = threading.Timer(STUCK_S, process.kill)
                stuck.start()
                told = json.loads(line)
                self._note(sha256, told)
        finally:
            stuck.cancel()
            process.stdout.close()
            code = process.wait()
            with self._lock:
                self._child = None
        if "duration_ms" in told and not code:
            return ""
        return str(told.get("message") or "the copy to listen to could not be made")

    def _note(self, sha256: str, told: dict[str, object]) -> None:
        decoded_s, announced_s = told.get("decoded_s"), told.get("announced_s")
        if isinstance(decoded_s, (int, float)) and isinstance(announced_s, (int, float)) and announced_s > 0:
            with self._lock:
                self._making[sha256] = Making(progress=min(0.99, decoded_s / announced_s))
            self._on_change()

    # ------------------------------------------------------------------ room

    def _make_room(self) -> int:
        """Drop what was heard least recently until the bound is kept; return how many copies."""
        found: list[tuple[float, int, str]] = []
        for path in self._folder.glob(f"*.{COPY}"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path.stem))
        found.sort(reverse=True)
        dropped = total = 0
        for number, (_, size_bytes, sha256) in enumerate(found):
            total += size_bytes
            if total > self._most_bytes and number:  # the newest stays: somebody waits for it
                for kind in (COPY, PEAKS):
                    (self._folder / f"{sha256}.{kind}").unlink(missing_ok=True)
                dropped += 1
                total -= size_bytes
        return dropped
