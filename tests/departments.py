"""Departments and their queue, without a file on the disk: what the tests of whose turn it is share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from way import ENGINE, PROFILE, RECOGNISER, HandClock

from asr_daemon.config import Config
from asr_daemon.history import open_history
from asr_daemon.history.recordings import Look
from asr_daemon.queue.arrivals import Arrivals
from asr_daemon.queue.job import Job, Result
from asr_daemon.queue.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WAV_BYTES_PER_S = 96_000  # as is taken while nothing is known
HOUR_S = 3600.0


class Departments:
    """Departments and their queue; nothing of a file is on the disk."""

    def __init__(self, folder: Path, **inboxes: dict[str, object]) -> None:
        self.time = HandClock()
        self.folder = folder
        self.config = self.configured(**inboxes)
        self.history = open_history(self.config.history_path)
        self.jobs = Jobs(self.config, self.history, self.time.clock)
        self.arrivals = Arrivals(self.history, self.jobs, self.time.clock)
        self.truth_s: dict[int, float] = {}  # of a job
        self.number = 0

    def configured(self, **inboxes: dict[str, object]) -> Config:
        """Return a configuration with these inboxes."""
        return Config.model_validate(
            {
                "daemon": {"state_dir": self.folder / "state"},
                "inbox": [
                    {"name": name, "path": self.folder / name, **settings}
                    for name, settings in inboxes.items()
                ],
            }
        )

    def put(
        self, inbox: str, length_s: float, *, true_s: float = 0.0, priority: int = 0, content: str = ""
    ) -> int:
        """Queue a recording that looks that long (and is ``true_s`` long, where given); return its job."""
        self.number += 1
        size_bytes = round(length_s * WAV_BYTES_PER_S)
        look = Look(self.folder / inbox / f"{self.number}.wav", f"{self.number}.wav", size_bytes, 1, 1, 1)
        sha256 = hashlib.sha256((content or str(self.number)).encode()).hexdigest()
        job = self.arrivals.put(inbox, look, sha256, PROFILE, priority=priority).job
        self.truth_s[job] = true_s or length_s
        return job

    def put_many(self, count: int, lengths_s: Mapping[str, float]) -> None:
        """Queue that many recordings of each inbox, in turn."""
        with self.history.transaction():
            for _ in range(count):
                for inbox, length_s in lengths_s.items():
                    self.put(inbox, length_s)

    def claim(self, **limits: object) -> Job | None:
        """Claim what is next."""
        return self.jobs.claim(RECOGNISER, **limits)  # type: ignore[arg-type]

    def finish(self, job: int) -> None:
        """Recognise a claimed job to its end."""
        self.jobs.finish(job, Result(0, round(self.truth_s[job] * 1000)), ENGINE)

    def served(self, count: int) -> list[str]:
        """Recognise that many, one after the other; return for whose part each was."""
        return [self.serve() for _ in range(count)]

    def serve(self) -> str:
        """Recognise the next one; return for whose part."""
        job = self.claim()
        assert job is not None
        inbox = self.part_of(job.id)
        self.finish(job.id)
        return inbox

    def part_of(self, job: int) -> str:
        """Return for whose part a job was claimed."""
        row = self.history.one("get_job", job=job)
        assert row is not None
        return str(row["claimed_for"])

    def order(self) -> list[int]:
        """Recognise everything; return the jobs in their order."""
        jobs = []
        while (job := self.claim()) is not None:
            jobs.append(job.id)
            self.finish(job.id)
        return jobs
