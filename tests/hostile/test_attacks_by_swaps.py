"""Folders that are swapped for others, or for links, while the daemon works with them."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from way import OpenDaemon

from asr_daemon.errors import NotDecodableError
from asr_daemon.files.syscalls import exchange
from asr_daemon.files.temporary import new_temporary_name, remove_stale_temporary
from asr_daemon.inboxes.observation import InotifyObservation
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = "a.转写失败.txt"


class Swapped(OpenDaemon):
    """An inbox with a folder whose recording failed, and another department's folder with the same names."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        section = self.config.inbox[0].model_copy(update={"watch": "polling"})
        self.parts.reload(self.config.model_copy(update={"inbox": (section,)}))
        self.mine, self.others = self.inbox / "sub", folder / "hr"
        for each in (self.mine, self.others):
            each.mkdir()
        self.theirs = self.others / FAILED
        self.theirs.write_text("hr's own", encoding="utf-8")
        (self.mine / "a.wav").write_bytes(b"bad")
        self.settle()
        job = self.claim()
        self.jobs.fail(job.id, NotDecodableError())
        self.parts.deliverer.deliver_job(job.id)
        assert (self.mine / FAILED).exists()

    def settle(self) -> None:
        """Let the inbox be looked at, and all of it be taken in."""
        for _ in range(2):
            self.parts.intake.wake("inbox", None)
            self.parts.intake.step(0.0)
            self.time.pass_s(30.0)
        self.parts.intake.step(0.0)

    def swap(self) -> None:
        """Put a link to the others' folder in its place."""
        self.mine.rename(self.folder / "away")
        self.mine.symlink_to(self.others)


@pytest.fixture
def swapped(tmp_path: Path) -> Iterator[Swapped]:
    """Return them."""
    daemon = Swapped(tmp_path)
    yield daemon
    daemon.close()


def test_another_departments_failure_file_stays_when_a_folder_is_swapped(swapped: Swapped) -> None:
    """Its recording is gone behind the link: what is deleted is not what the link leads to."""
    swapped.swap()
    swapped.settle()
    assert swapped.theirs.read_text(encoding="utf-8") == "hr's own"


def test_another_departments_failure_file_stays_when_its_recording_is_done_at_last(
    swapped: Swapped,
) -> None:
    """The failure file is to go; behind the link lies another's."""
    (swapped.others / "a.wav").write_bytes(b"bad")
    swapped.parts.arrivals.retry(1)
    swapped.finish(swapped.claim().id, "你好")
    swapped.swap()
    swapped.parts.deliverer.deliver_all()
    assert {path.name for path in swapped.others.iterdir()} == {"a.wav", FAILED}
    assert swapped.theirs.read_text(encoding="utf-8") == "hr's own"


def test_another_departments_file_stays_when_a_recording_was_moved(swapped: Swapped) -> None:
    """It follows its recording; what it is taken away from is not what the link leads to."""
    swapped.swap()
    (swapped.folder / "away" / "a.wav").rename(swapped.inbox / "b.wav")
    swapped.settle()
    assert swapped.theirs.read_text(encoding="utf-8") == "hr's own"


def test_one_swapped_folder_holds_up_no_other_transcript(swapped: Swapped) -> None:
    """Of the same inbox, in the same round: it alone waits, and goes on once the folder is back."""
    (swapped.mine / "b.wav").write_bytes(b"behind the link")
    swapped.settle()
    (swapped.inbox / "c.wav").write_bytes(b"beside it")
    swapped.settle()
    for text in ("b", "c"):
        swapped.finish(swapped.claim().id, text)
    (swapped.others / "b.wav").write_bytes(b"hr's")
    swapped.swap()
    assert swapped.parts.deliverer.deliver_all() == 1
    assert (swapped.inbox / "c.txt").exists()
    assert not (swapped.others / "b.txt").exists()
    swapped.mine.unlink()
    (swapped.folder / "away").rename(swapped.mine)
    assert swapped.parts.deliverer.deliver_all() == 1
    assert (swapped.mine / "b.txt").exists()


def test_half_written_file_of_another_folder_stays(tmp_path: Path) -> None:
    """A scan found it in the inbox; until it is removed, its folder has become a link."""
    inbox, others = tmp_path / "inbox", tmp_path / "others"
    for each in (inbox, others):
        each.mkdir()
    name = new_temporary_name()
    (others / name).write_bytes(b"theirs")
    (inbox / "sub").symlink_to(others)
    assert not remove_stale_temporary(inbox / "sub" / name, now_s=time.time() + 7200, root=inbox)
    assert (others / name).exists()


def test_failure_file_in_the_fall_back_folder_goes_when_it_should(swapped: Swapped) -> None:
    """It lies outside the inbox, and outside of what a department can swap."""
    elsewhere = swapped.config.fallback_dir / "inbox" / "sub" / FAILED
    elsewhere.parent.mkdir(parents=True)
    (swapped.mine / FAILED).rename(elsewhere)
    swapped.history.db.execute(
        "UPDATE outputs SET path = ?, same_name = ?", [os.fsencode(elsewhere), os.fsencode(elsewhere)]
    )
    swapped.parts.arrivals.retry(1)
    swapped.finish(swapped.claim().id, "你好")
    assert swapped.parts.deliverer.deliver_all() == 1
    assert not elsewhere.exists()


class Watch:
    """What an observation tells."""

    name = "inbox"
    recursive = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.woken: list[Path | None] = []

    def wake(self, path: Path | None) -> None:
        """Take it down."""
        self.woken.append(path)


def change_places(folder: Path, dice: random.Random) -> None:
    """Make, swap, move or remove folders below one."""
    one, other = (folder / dice.choice("abcd") for _ in range(2))
    deep, elsewhere = one / dice.choice("abcd"), folder / dice.choice("abcd")
    ways = (
        lambda: (deep / dice.choice("abcd")).mkdir(parents=True),
        lambda: exchange(one, other),
        lambda: one.rename(other / one.name),
        lambda: deep.rename(elsewhere),
        lambda: shutil.rmtree(one),
        lambda: one.rename(other),
    )
    try:
        dice.choices(ways, weights=(30, 20, 15, 10, 15, 10))[0]()
    except OSError:
        return


@pytest.mark.filterwarnings("ignore:Callback with id")  # as in the daemon
@pytest.mark.parametrize("seed", range(3))
def test_folders_that_change_places_end_no_observer(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds a second; afterwards a recording still wakes the daemon, and nothing is left behind."""
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    threads, descriptors = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    watch = Watch(tmp_path / "inbox")
    watch.folder.mkdir()
    observation = InotifyObservation(watch)  # type: ignore[arg-type]
    observation.start()
    dice = random.Random(seed)
    for _ in range(1_000):
        change_places(watch.folder, dice)
    assert observation.is_alive()
    recording = watch.folder / "a.wav"
    recording.write_bytes(b"sound")
    eventually(lambda: recording in watch.woken, within_s=30, what="the event of a recording")
    observation.stop()
    observation.join(10)
    assert died == []
    eventually(lambda: threading.active_count() == threads, within_s=20, what="the end of its threads")
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


def test_event_that_goes_wrong_is_followed_by_a_look_at_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that reads the others lives; the inbox is rescanned and observed anew."""
    watch = Watch(tmp_path)
    observation = InotifyObservation(watch)  # type: ignore[arg-type]
    observation.start()
    (group,) = (emitter._inotify for emitter in observation._observer.emitters)  # type: ignore[attr-defined]

    def fail(_event: object) -> None:
        raise KeyError(b"/inbox/sub")

    monkeypatch.setattr(group, "on_event", fail)
    (tmp_path / "a.wav").write_bytes(b"sound")
    eventually(lambda: None in watch.woken, within_s=30, what="the rescan")
    assert not observation.is_alive(), "whoever checks starts another"
    observation.stop()
    observation.join(10)
