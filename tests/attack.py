"""What the tests that attack share: a daemon with the fake recogniser, recordings for it, and the verdict."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import PATIENCE_S, DaemonUnderTest, eventually

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

HERE = Path(__file__).parent
FAILED = ".转写失败.txt"
ENDED = ("done", "failed", "quarantined")


def recording(number: object, **orders: Any) -> bytes:
    """Return the content of a recording for the fake recogniser; ``number`` tells it from others."""
    return b"FAKE " + json.dumps(orders).encode() + f"\n{number}\n".encode() + b"\0" * 2000


def drop(path: Path, content: bytes) -> Path:
    """Put a recording into an inbox as a careful program does: whole, by a rename."""
    hidden = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:20]}.part")
    hidden.write_bytes(content)
    return hidden.rename(path)


def several(recognisers: int) -> str:
    """Return what the configuration says for that many recognisers, behind the lines of [daemon]."""
    devices = ["cpu"] * recognisers
    return f"\n[engine]\ndevices = {devices}\n" if recognisers > 1 else ""


class AttackedDaemon(DaemonUnderTest):
    """A real daemon in its process, with the fake recogniser as its child."""

    def __init__(self, folder: Path, *, inboxes: dict[str, str] | None = None, extra: str = "") -> None:
        """Take a folder; the default inbox is called "inbox" and writes txt alone."""
        super().__init__(folder, inboxes=inboxes or {"inbox": 'formats = ["txt"]'}, extra=extra)
        self.program = tuple(
            os.fspath(HERE / name) for name in ("run_daemon_with_recogniser.py", "fake_recogniser.py")
        )
        self.trace_path = folder / "trace.txt"
        self.environment = {"FAKE_TRACE": os.fspath(self.trace_path)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def inbox(self) -> Path:
        """The default inbox."""
        return self.folder / "inbox"

    @property
    def history_path(self) -> Path:
        """The database."""
        return self.folder / "state" / "history.db"

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def kill_all(self) -> None:
        """Kill it with whatever it runs under."""
        if self._process is not None:
            kill_quietly(children_of(self._process.pid), signal.SIGKILL)
            self._process.wait(PATIENCE_S)  # strace stays until the last thread has ended
        self.kill()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the history, whatever goes on there."""
        with contextlib.closing(sqlite3.connect(self.history_path, timeout=30)) as database:
            return database.execute(sql).fetchall()

    def all_settled(self) -> bool:
        """Whether no recording waits any more (and there is one)."""
        if not self.history_path.exists():
            return False
        try:
            states = dict(self.query("SELECT state, count(*) FROM recordings GROUP BY state"))
        except sqlite3.OperationalError:
            return False  # it has not begun
        return bool(states) and "waiting" not in states

    def wait_until_done(self, count: int, *, within_s: float = 90.0) -> None:
        """Wait until that many recordings are done."""

        def done() -> bool:
            try:
                return self.query("SELECT count(*) FROM recordings WHERE state = 'done'") == [(count,)]
            except sqlite3.OperationalError:
                return False

        eventually(done, within_s=within_s, what=f"{count} recordings done")

    def recognised(self) -> collections.Counter[str]:
        """Return how often each segment ("SHA256 NUMBER") was recognised."""
        if not self.trace_path.exists():
            return collections.Counter()
        return collections.Counter(self.trace_path.read_text(encoding="utf-8").splitlines())

    def check_integrity(self) -> None:
        """Fail where the database is damaged, or its index does not fit its text."""
        if not self.history_path.exists():
            return
        assert self.query("PRAGMA integrity_check") == [("ok",)]
        assert self.query("PRAGMA foreign_key_check") == []
        with contextlib.suppress(sqlite3.OperationalError):  # the tables come with the first start
            told = (
                "SELECT id FROM segments WHERE raw_text IS NOT NULL"
                " UNION ALL SELECT 1099511627776 + passages.id FROM passages"
                " JOIN corrected ON corrected.id = passages.corrected_id WHERE corrected.first IS NOT NULL"
            )
            # One statement, one look: the daemon may be at work.
            indexed = "SELECT rowid FROM segments_fts"
            more = f"{indexed} EXCEPT SELECT * FROM ({told})"  # noqa: S608
            less = f"SELECT * FROM ({told}) EXCEPT {indexed}"  # noqa: S608
            astray = self.query(f"SELECT * FROM ({more}) UNION ALL SELECT * FROM ({less})")  # noqa: S608
            assert astray == []

    def check_nothing_half(self, wanted: dict[str, bytes]) -> None:
        """Fail where a transcript that is there is not whole and right (others may be missing)."""
        for name, content in wanted.items():
            path = self.inbox / f"{Path(name).stem}.txt"
            if path.exists():
                check_transcript(path, content)

    def check_exactly_once(self, wanted: dict[str, bytes]) -> None:
        """Fail unless each recording has exactly one whole transcript, and nothing else lies about."""
        left = {path.name for path in self.inbox.iterdir()} - set(wanted)
        left -= {f"{Path(name).stem}.txt" for name in wanted}
        assert not left, f"lying about: {left}"
        self.check_exactly_once_of_those(wanted)
        ((jobs,),) = self.query("SELECT count(*) FROM jobs WHERE state = 'done'")
        assert jobs == len({hashlib.sha256(content).hexdigest() for content in wanted.values()})

    def check_exactly_once_of_those(self, wanted: dict[str, bytes]) -> None:
        """Fail unless each of these recordings has exactly one whole transcript; others are not looked at."""
        for name, content in wanted.items():
            assert (self.inbox / name).read_bytes() == content, f"{name} itself was changed"
            check_transcript(self.inbox / f"{Path(name).stem}.txt", content)
        self.check_integrity()
        states = self.query("SELECT name, state FROM recordings WHERE state <> 'superseded'")
        assert sorted(row for row in states if row[0] in wanted) == sorted((name, "done") for name in wanted)


def check_transcript(path: Path, content: bytes) -> None:
    """Fail unless the transcript is whole and of that very content."""
    text = path.read_text(encoding="utf-8")
    head = json.loads(content.partition(b"\n")[0][5:])
    sha256 = hashlib.sha256(content).hexdigest()
    count = head.get("segments", 1)
    wanted = [f"第{number}段{sha256}" for number in range(count)]
    got = [place for place in text.replace("\n", " ").split() if place.startswith("第")]
    assert got == wanted, f"{path.name}: {len(got)} of {count} segments"
    assert text.endswith("\n")


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started."""
    with contextlib.suppress(OSError):
        told = [
            (task / "children").read_text(encoding="ascii") for task in Path(f"/proc/{pid}/task").iterdir()
        ]
        return [int(child) for line in told for child in line.split()]
    return []


def kill_quietly(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes that may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
