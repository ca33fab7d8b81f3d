"""What the unit tests share from the queue to the status: a hand-turned clock, a history, files, a daemon."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from asr_daemon.clock import Clock
from asr_daemon.config import Config
from asr_daemon.control.socket import ControlServer
from asr_daemon.history import History, open_history
from asr_daemon.history.segments import Segments
from asr_daemon.history.settings import Settings
from asr_daemon.inboxes.candidate import Candidate
from asr_daemon.inboxes.share import Shares
from asr_daemon.life import Daemon
from asr_daemon.queue.arrivals import Arrivals
from asr_daemon.queue.job import Engine, Job, Result
from asr_daemon.queue.jobs import Jobs
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Segment, Token

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.dispatch.session import Session

START = datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)
PROFILE = Profile("model@1")
RECOGNISER = "cpu"
ENGINE = Engine("model", model_is_builtin=False, device="cpu")


@dataclass
class HandClock:
    """Both clocks, turned by the test."""

    wall: datetime = START
    seconds: float = 1000.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(now=lambda: self.wall, monotonic_s=lambda: self.seconds)

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds

    def set_by_s(self, seconds: float) -> None:
        """Set the wall clock, as a person or NTP does."""
        self.wall += timedelta(seconds=seconds)


class Way:
    """An inbox, a history and a queue below a folder."""

    def __init__(self, folder: Path, *, max_attempts: int = 3, **inbox: object) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.time = HandClock()
        self.config = make_config(folder, max_attempts=max_attempts, **inbox)
        self.history: History = open_history(self.config.history_path)
        self.settings = Settings(self.history)
        self.shares = Shares(self.settings)
        self.segments = Segments(self.history)
        self.jobs = Jobs(self.config, self.history, self.time.clock)
        self.arrivals = Arrivals(self.history, self.jobs, self.time.clock)

    def candidate(
        self, name: str = "a.wav", content: bytes = b"sound", mtime_ns: int | None = None
    ) -> Candidate:
        """Write a file into the inbox and return how a scan sees it."""
        path = self.inbox / name
        path.write_bytes(content)
        found = path.lstat()
        return Candidate(path, found.st_size, mtime_ns or found.st_mtime_ns, found.st_ino, found.st_dev)

    def put(self, name: str = "a.wav", content: bytes = b"sound", profile: Profile = PROFILE) -> int:
        """Queue a file; return its recording."""
        sha256 = hashlib.sha256(content).hexdigest()
        return self.arrivals.put("inbox", self.candidate(name, content).look, sha256, profile).recording

    def claim(self, *, fresh_only: bool = False) -> Job:
        """Claim the next job, which there must be."""
        job = self.jobs.claim(RECOGNISER, fresh_only=fresh_only)
        assert job is not None
        return job

    def finish(self, job: int, *texts: str) -> None:
        """Recognise a job."""
        self.segments.save(job, tuple(segment(number, text) for number, text in enumerate(texts)))
        self.end(job, len(texts))

    def end(self, job: int, segment_count: int) -> None:
        """Say that a job has that many segments and is done."""
        self.jobs.finish(job, Result(segment_count, 1000 * segment_count), ENGINE)

    def job(self, number: int) -> dict[str, object]:
        """Return a job's row."""
        row = self.history.one("get_job", job=number)
        assert row is not None
        return dict(row)

    def recording(self, number: int) -> dict[str, object]:
        """Return a recording's row."""
        row = self.history.one("get_recording", recording=number)
        assert row is not None
        return dict(row)


class OpenDaemon(Way):
    """The same way in a daemon that is opened, with nothing of it running."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inbox, self.time = folder, folder / "inbox", HandClock()
        self.inbox.mkdir()
        self.config = make_config(folder)
        self.daemon = Daemon(self.config, clock=self.time.clock)
        self.daemon.open()
        self.parts = parts = self.daemon.parts
        self.history, self.settings, self.shares = parts.history, parts.settings, parts.shares
        self.jobs, self.arrivals, self.segments = parts.jobs, parts.arrivals, Segments(parts.history)

    @property
    def session(self) -> Session:
        """The one recogniser's."""
        (session,) = self.parts.dispatcher.sessions.values()
        return session

    def serve(self) -> ControlServer:
        """Answer commands; the caller closes it."""
        return ControlServer(self.config.socket_path, self.daemon.commands.answer)

    def close(self) -> None:
        """End."""
        self.parts.intake.stop()
        self.daemon.close()


def make_config(folder: Path, *, max_attempts: int = 3, **inbox: object) -> Config:
    """Return a configuration with one inbox, called "inbox"."""
    section = {"name": "inbox", "path": folder / "inbox", "formats": ("txt",), **inbox}
    return Config.model_validate(
        {
            "daemon": {"state_dir": folder / "state", "max_attempts": max_attempts, "retry_after_s": 30.0},
            "engine": {"stall_s": 60.0},
            "inbox": (section,),
        }
    )


def segment(number: int, text: str) -> Segment:
    """Return a recognised segment of a second."""
    start_ms = number * 1000
    return Segment(number, start_ms, start_ms + 1000, text, text, (Token(text, start_ms, start_ms + 1000),))
