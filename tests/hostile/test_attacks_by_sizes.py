"""Files in a share that are as large as somebody says: nothing of that size is read, nobody waits for it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from way import Way

from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.inboxes import fingerprint as fingerprint_module

if TYPE_CHECKING:
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
    looks: list[object] = []
    real = fingerprint_module.open_beneath
    monkeypatch.setattr(
        fingerprint_module, "open_beneath", lambda *told: (looks.append(told), real(*told))[1]
    )
    for middle in ("", ".wav", *(f".wav.{number}" for number in range(2, 1000))):
        (desk.inbox / f"a{middle}.txt").write_text("别人的", encoding="utf-8")
    recording = desk.finished("a.wav", b"sound")
    assert desk.deliver_in_time(recording)
    assert len(looks) <= 100
    assert "in the way" in str(desk.recording(recording)["problem"])
    (desk.inbox / "a.txt").unlink()
    assert desk.deliver_in_time(recording)
    assert "你好" in (desk.inbox / "a.txt").read_text(encoding="utf-8")
