"""A hotword list tried before it is saved: both texts, and nothing of it left."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from doored import EditedDaemon

from asr_daemon.control import messages as m
from asr_daemon.control import trial_messages as t
from asr_daemon.control.desk import Desk
from asr_daemon.control.excerpts import NothingThereError
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.trying import MOST_AT_ONCE, Trying
from asr_daemon.history.readers import Readers
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


def cut(_sound: int, path: Path, *_: object) -> Iterator[None]:
    """Write what takes the part's place."""
    yield
    path.write_bytes(b"a part")


class TryingDaemon(EditedDaemon):
    """With a desk of its own, whose parts are not cut by ffmpeg."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.list = folder / "热词.txt"
        self.list.write_text("顾清源\n", encoding="utf-8")
        super().__init__(folder, monkeypatch, hotwords=self.list)
        self.readers = Readers(self.config.history_path)
        self.trying = Trying(self.parts, Desk(self.parts, self.accesses, self.readers), self.readers, cut)

    def attempt(self, token: str, recording: int, text: str, **more: object) -> Generator[object, None, None]:
        """Begin to try a text."""
        asked = t.TryHotwords("inbox", recording, text, **more)  # type: ignore[arg-type]
        return self.trying.serve(m.Ask(asked, token), None)

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has."""
        tables = ("recordings", "jobs", "segments", "segments_fts", "profiles", "attempts")
        with contextlib.closing(sqlite3.connect(self.config.history_path)) as db:
            return {name: len(db.execute(f"SELECT rowid FROM {name}").fetchall()) for name in tables}  # noqa: S608


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TryingDaemon]:
    """Return it, with a recording done."""
    daemon = TryingDaemon(tmp_path, monkeypatch)
    daemon.transcribed("会议.wav", "请古清元看一下")
    yield daemon
    daemon.readers.close()
    daemon.shut()


def test_both_texts_beside_each_other_and_nothing_is_left(daemon: TryingDaemon) -> None:
    """The editor's list against that in force, marked; times are the recording's; no row, no file stays."""
    before = daemon.counts()
    attempt = daemon.attempt(daemon.token("王敏", "inbox"), 1, "王敏\n古清元", from_ms=60_000)
    assert next(attempt) == t.Trying("cutting", 0.0)
    assert next(attempt) == t.Trying("cutting", 0.0)
    assert next(attempt) == t.Trying("waiting", 0.0)
    first, second = daemon.claim(), daemon.claim()
    assert first.profile.hotwords == ("顾清源",)
    assert second.profile.hotwords == ("王敏", "古清元")
    daemon.finish(first.id, "请顾清源看一下", "好")
    daemon.finish(second.id, "请古清元看一下", "好")
    (tried,) = [told for told in attempt if isinstance(told, t.Tried)]
    assert (tried.words_before, tried.words_after) == (1, 2)
    one, other = tried.passages
    assert (one.start_ms, other.start_ms) == (60_000, 61_000)
    assert one.before == (
        t.TriedStretch("请", is_changed=False, is_hotword=False),
        t.TriedStretch("顾清源", is_changed=True, is_hotword=True),
        t.TriedStretch("看一下", is_changed=False, is_hotword=False),
    )
    assert one.after[1] == t.TriedStretch("古清元", is_changed=True, is_hotword=True)
    assert not any(part.is_changed for part in (*other.before, *other.after))
    assert daemon.counts() == before
    assert not list((daemon.config.state_dir / "trials").iterdir())
    assert daemon.list.read_text(encoding="utf-8") == "顾清源\n"


def test_who_hangs_up_ends_it(daemon: TryingDaemon) -> None:
    """What waits is withdrawn; what is in work is let go by its recogniser, and then gone as well."""
    before = daemon.counts()
    attempt = daemon.attempt(daemon.token("王敏", "inbox"), 1, "王敏")
    while next(attempt) != t.Trying("waiting", 0.0):
        pass
    job = daemon.claim().id

    def let_go() -> None:
        eventually(lambda: daemon.jobs.unwanted([job]) == [job], what="that nobody waits")
        daemon.jobs.put_back(job)

    recogniser = threading.Thread(target=let_go)
    recogniser.start()
    attempt.close()
    recogniser.join()
    assert daemon.counts() == before


def test_only_who_may_edit_there_and_only_its_recordings(daemon: TryingDaemon) -> None:
    """Readers are refused; a recording of another inbox is not there; too many at once wait."""
    reader = daemon.attempt(daemon.token("甲", "inbox", may="read"), 1, "王敏")
    with pytest.raises(RefusedError) as refused:
        next(reader)
    assert refused.value.refusal.code == "forbidden"
    token = daemon.token("王敏", "inbox", "hr")
    elsewhere = daemon.trying.serve(m.Ask(t.TryHotwords("hr", 1, ""), token), None)
    with pytest.raises(RefusedError) as refused:
        next(elsewhere)
    assert refused.value.refusal.code == "not_found"
    held = [daemon.attempt(token, 1, "王敏") for _ in range(MOST_AT_ONCE)]
    assert [next(each) for each in held] == [t.Trying("cutting", 0.0)] * MOST_AT_ONCE
    with pytest.raises(RefusedError) as refused:
        next(daemon.attempt(token, 1, "王敏"))
    assert refused.value.refusal.code == "unavailable"
    for each in held:
        each.close()


def test_a_part_behind_the_end_is_said(daemon: TryingDaemon) -> None:
    """In Chinese, as every refusal."""

    def beyond(*_: object) -> Iterator[None]:
        raise NothingThereError
        yield

    daemon.trying._cut = beyond
    attempt = daemon.attempt(daemon.token("王敏", "inbox"), 1, "王敏", from_ms=600_000)
    next(attempt)
    with pytest.raises(RefusedError) as refused:
        next(attempt)
    assert refused.value.refusal.chinese == NothingThereError.chinese
