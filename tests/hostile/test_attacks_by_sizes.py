"""Files in a share that are as large as somebody says: nothing of that size is read, nobody waits for it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
import structlog
from way import OpenDaemon, Way

from asr_daemon.control.status import live_status
from asr_daemon.control.status_line import status_line
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.inboxes import fingerprint as fingerprint_module
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HUGE_BYTES = 8 << 40  # sparse: it costs whoever makes it nothing
WITHIN_S = 20.0  # what is right takes milliseconds; reading it would take hours


def sparse(path: Path, size_bytes: int = HUGE_BYTES) -> Path:
    """Make a file of that size without a byte in it; skip where the file system has no such size."""
    path.touch()
    try:
        os.truncate(path, size_bytes)
    except OSError:
        pytest.skip("no file can be that large here")
    return path


class Desk(Way):
    """A queue whose work is finished by hand, and the deliverer."""

    def __init__(self, folder: Path, **inbox: object) -> None:
        super().__init__(folder, **inbox)  # type: ignore[arg-type]
        self.deliverer = Deliverer(self.config, self.history, self.arrivals, self.shares, self.time.clock)

    def finished(self, name: str, content: bytes, text: str = "你好") -> int:
        """Queue a file and finish its work; return its recording."""
        recording = self.put(name, content)
        self.finish(self.claim().id, text)
        return recording

    def deliver_in_time(self, recording: int) -> bool:
        """Deliver it; False where that did not end within the time."""
        thread = threading.Thread(target=self.deliverer.deliver, args=(recording,), daemon=True)
        thread.start()
        thread.join(WITHIN_S)
        return not thread.is_alive()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with an empty inbox."""
    return Desk(tmp_path)


def test_huge_file_in_the_way_of_a_transcript_is_not_read(desk: Desk) -> None:
    """Two files of a department stop nobody: the transcript takes the next name, and the next one its own."""
    trap = sparse(desk.inbox / "trap.txt")
    assert desk.deliver_in_time(desk.finished("trap.wav", b"trap"))
    assert desk.deliver_in_time(desk.finished("other.wav", b"other"))
    assert (desk.inbox / "trap.wav.txt").exists()
    assert (desk.inbox / "other.txt").exists()
    assert trap.stat().st_size == HUGE_BYTES


def test_huge_file_in_place_of_our_own_transcript_is_not_read(desk: Desk) -> None:
    """The row says that it is ours; its size says that it is not what we wrote."""
    assert desk.deliver_in_time(desk.finished("a.wav", b"short", "短"))
    sparse(desk.inbox / "a.txt")
    assert desk.deliver_in_time(desk.finished("a.wav", b"a longer one", "更长的内容"))
    assert "更长的内容" in (desk.inbox / "a.wav.txt").read_text(encoding="utf-8")


def test_huge_file_in_place_of_an_older_releases_transcript_is_not_read(desk: Desk) -> None:
    """Its size is not in the history; no transcript is that large."""
    assert desk.deliver_in_time(desk.finished("a.wav", b"short", "短"))
    desk.history.db.execute("UPDATE outputs SET written_bytes = NULL, planned_bytes = NULL")
    sparse(desk.inbox / "a.txt")
    assert desk.deliver_in_time(desk.finished("a.wav", b"a longer one", "更长的内容"))
    assert (desk.inbox / "a.wav.txt").exists()


def test_transcript_that_is_to_go_is_not_read_where_it_has_another_size(tmp_path: Path) -> None:
    """A format that was configured no more, or a failure's end, looks at what lies there."""
    desk = Desk(tmp_path, formats=("txt", "srt"))
    assert desk.deliver_in_time(desk.finished("a.wav", b"short", "短"))
    (desk.inbox / "a.txt").write_text("会后补记", encoding="utf-8")
    sparse(desk.inbox / "a.srt")
    assert desk.deliver_in_time(desk.finished("a.wav", b"a longer one", "更长的内容"))
    assert (desk.inbox / "a.srt").stat().st_size == HUGE_BYTES
    assert (desk.inbox / "a.wav.srt").exists()


def test_names_without_end_in_the_way_end_the_search(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lays thousands of files in the way gets no transcript until some are gone, and is told so."""
    looks: list[tuple[int, str, int]] = []
    real = fingerprint_module.open_beneath
    monkeypatch.setattr(
        fingerprint_module, "open_beneath", lambda *told: (looks.append(told), real(*told))[1]
    )
    for middle in ("", ".wav", *(f".wav.{number}" for number in range(2, 1000))):
        (desk.inbox / f"a{middle}.txt").write_text("别人的", encoding="utf-8")
    recording = desk.finished("a.wav", b"sound")
    assert desk.deliver_in_time(recording)
    assert len({told[1] for told in looks}) <= 100
    assert "in the way" in str(desk.recording(recording)["problem"])
    (desk.inbox / "a.txt").unlink()
    assert desk.deliver_in_time(recording)
    assert "你好" in (desk.inbox / "a.txt").read_text(encoding="utf-8")


# ------------------------------------------------------------------ recordings


class Running(OpenDaemon):
    """A daemon of which the intake runs, with two inboxes whose files settle at once."""

    def __init__(self, folder: Path, *, max_size_gb: float) -> None:
        super().__init__(folder)
        (folder / "other").mkdir()
        one = self.config.inbox[0].model_copy(
            update={"settle_s": 0.01, "watch": "polling", "max_size_gb": max_size_gb}
        )
        other = one.model_copy(update={"name": "other", "path": folder / "other"})
        self.parts.reload(self.config.model_copy(update={"inbox": (one, other)}))
        self.intake = self.parts.intake
        self._thread = threading.Thread(target=self.intake.run, daemon=True)
        self._thread.start()

    def look(self) -> bool:
        """Let both inboxes be looked at, and some time pass."""
        for name in ("inbox", "other"):
            self.intake.wake(name, None)
        self.time.pass_s(0.1)
        return True

    def states(self) -> dict[str, str]:
        """Return how each file stands."""
        self.look()
        return {
            row["name"]: row["state"] for row in self.history.db.execute("SELECT name, state FROM recordings")
        }

    def hashing(self, inbox: str) -> dict[str, object] | None:
        """Return what `status` says of the file that is read in an inbox."""
        self.look()
        (told,) = (each for each in live_status(self.parts)["inboxes"] if each["name"] == inbox)
        return told["hashing"]  # type: ignore[no-any-return]

    def close(self) -> None:
        """End."""
        self.intake.stop()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        super().close()


@pytest.fixture
def unbounded(tmp_path: Path) -> Iterator[Running]:
    """Return a daemon whose inboxes take any size."""
    running = Running(tmp_path, max_size_gb=0.0)
    yield running
    running.close()


def test_recording_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    """Its size is enough; the people in the share are told, once."""
    running = Running(tmp_path, max_size_gb=100.0)
    with structlog.testing.capture_logs() as records:
        sparse(running.inbox / "huge.wav")
        (running.inbox / "good.wav").write_bytes(b"sound")
        eventually(
            lambda: running.states() == {"huge.wav": "failed", "good.wav": "waiting"}, within_s=WITHIN_S
        )
        for _ in range(5):
            running.look()
        failure = running.inbox / "huge.转写失败.txt"
        eventually(failure.exists, within_s=WITHIN_S)
    assert "太大" in failure.read_text(encoding="utf-8")
    assert [record["event"] for record in records].count("recording_not_readable") == 1
    os.truncate(running.inbox / "huge.wav", 5)
    eventually(lambda: running.states()["huge.wav"] == "waiting", within_s=WITHIN_S)
    running.close()


def test_reading_of_one_inbox_holds_no_other(unbounded: Running) -> None:
    """Hours of it, in one; those of the other are queued, and `status` says what is being read."""
    sparse(unbounded.inbox / "huge.wav")
    told = eventually(
        lambda: unbounded.hashing("inbox"), within_s=WITHIN_S, what="the reading of a huge file"
    )
    assert (told["file"], told["size_bytes"]) == ("huge.wav", HUGE_BYTES)
    (unbounded.folder / "other" / "a.wav").write_bytes(b"sound")
    eventually(lambda: unbounded.states() == {"a.wav": "waiting"}, within_s=WITHIN_S, what="the other's file")
    assert unbounded.hashing("other") is None
    assert "reading huge.wav" in status_line(unbounded.parts)


@pytest.mark.parametrize("how", ["deleted", "renamed", "replaced", "of an inbox that is configured no more"])
def test_reading_ends_when_nobody_wants_the_file_any_more(unbounded: Running, how: str) -> None:
    """Gone, or another file in its place: those behind it have their turn."""
    huge = sparse(unbounded.inbox / "huge.wav")
    eventually(lambda: unbounded.hashing("inbox"), within_s=WITHIN_S, what="the reading of a huge file")
    (unbounded.inbox / "behind.wav").write_bytes(b"behind")
    if how == "deleted":
        huge.unlink()
    elif how == "renamed":
        huge.rename(unbounded.folder / "huge.wav")
    elif how == "replaced":
        (unbounded.inbox / "new.tmp").write_bytes(b"new")
        (unbounded.inbox / "new.tmp").rename(huge)
    else:
        config = unbounded.parts.config
        unbounded.parts.reload(config.model_copy(update={"inbox": config.inbox[1:]}))
        eventually(
            lambda: unbounded.intake.reader.progress("inbox") is None, within_s=WITHIN_S, what="its end"
        )
        return
    wanted = {"behind.wav", "huge.wav"} if how == "replaced" else {"behind.wav"}
    eventually(lambda: set(unbounded.states()) == wanted, within_s=WITHIN_S, what="the files behind it")


def test_file_is_read_once_however_often_it_is_found(unbounded: Running) -> None:
    """Scans go on while it is read."""
    huge = sparse(unbounded.inbox / "huge.wav")
    eventually(lambda: unbounded.hashing("inbox"), within_s=WITHIN_S, what="the reading of a huge file")
    for _ in range(20):
        unbounded.hashing("inbox")
    assert unbounded.intake.settling(unbounded.inbox) == 0
    huge.unlink()
