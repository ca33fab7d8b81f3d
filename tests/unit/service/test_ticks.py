"""What a daemon does every few seconds costs no more with a large history than with a small one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from way import OpenDaemon

from asr_daemon.service.schedule import Schedule
from asr_daemon.telemetry.exposition import Exposition
from asr_daemon.ticks import TICK_S, schedule_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RECORDINGS = 5000
MOST_INSTRUCTIONS = (
    RECORDINGS  # of SQLite's machine: a tick that reads every recording takes several for each
)


class Over:
    """What was begun, and is over."""

    def is_alive(self) -> bool:
        """Return that it is over."""
        return False

    def join(self, timeout: float | None = None) -> None:
        """Wait for nothing."""


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[OpenDaemon]:
    """Return a daemon with a history of thousands of finished recordings."""
    idle = OpenDaemon(tmp_path)
    with idle.history.transaction() as history:
        history.db.execute("INSERT INTO profiles (digest, profile, created_at) VALUES ('p', '{}', 'x')")
        history.db.conn.executemany(
            "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at, finished_at)"
            " VALUES (?, hex(randomblob(32)), 'p', 'done', 'x', 'x')",
            [(number,) for number in range(RECORDINGS)],
        )
        history.db.conn.executemany(
            "INSERT INTO recordings"
            " (inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state, found_at)"
            " VALUES ('inbox', CAST(? AS BLOB), 'x', 1, 1, 1, 1, ?, 'done', 'x')",
            [(f"{number}.wav", number) for number in range(RECORDINGS)],
        )
    yield idle
    idle.close()


def test_frequent_ticks_do_not_read_every_recording(idle: OpenDaemon) -> None:
    """A NAS with a hundred thousand recordings is idle when nothing comes."""
    spent: Counter[str] = Counter()

    def counted(name: str, run: Callable[[], None]) -> Over:
        def count() -> None:
            spent[name] += 1

        idle.history.db.conn.set_progress_handler(count, 1)
        run()
        idle.history.db.conn.set_progress_handler(None, 0)
        return Over()

    schedule = Schedule(idle.time.clock, begin=counted)
    schedule_ticks(schedule, idle.parts, Exposition(idle.parts), idle.daemon._find_status_line)
    schedule.step()  # the first time may be dearer
    spent.clear()
    for _ in range(round(TICK_S)):
        idle.time.pass_s(1)
        schedule.step()
    assert spent.keys() >= {"rewrite", "status line"}, "they read nothing at all: is this counted?"
    assert {name: count for name, count in spent.items() if count > MOST_INSTRUCTIONS} == {}
