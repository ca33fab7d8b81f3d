"""How an inbox is watched when all is well, and what happens when it is not."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from asr_daemon.clock import Clock
from asr_daemon.inboxes.observation import InotifyObservation
from asr_daemon.inboxes.watch import (
    EXHAUSTED_RETRY_S,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    POLLING_RESCAN_S,
    PROBE_S,
    STEADY_S,
    STOPPED_S,
    InboxWatch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 10.0
on_watchdog_7 = pytest.mark.skipif(
    int(metadata.version("watchdog").partition(".")[0]) < 7,
    reason="watchdog 6 (Python 3.10) tells neither of lost events nor of folders moved in: rescans find them",
)


@dataclass
class FakeObserver:
    """An observer that lives and dies as the test wants."""

    failure: OSError | None = None
    alive: bool = False
    stopped: bool = False

    def start(self) -> None:
        """Begin, or fail."""
        if self.failure is not None:
            raise self.failure
        self.alive = True

    def stop(self) -> None:
        """End."""
        self.alive, self.stopped = False, True

    def join(self, timeout: float | None = None) -> None:
        """Do nothing."""

    def is_alive(self) -> bool:
        """Return what the test said."""
        return self.alive


@dataclass
class Desk:
    """What a watch is given, and what it said."""

    folder: Path
    now_s: float = 0.0
    fs_type: str = "ext4"
    failure: OSError | None = None
    probe_failure: OSError | None = None
    observers: list[FakeObserver] = field(default_factory=list)
    wakes: list[Path | None] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def watch(self, mode: Any = "auto") -> InboxWatch:
        """Return a watch of fake parts."""

        def probe(_: Path) -> None:
            if self.probe_failure is not None:
                raise self.probe_failure

        def make(_: InboxWatch) -> FakeObserver:
            self.observers.append(FakeObserver(self.failure))
            return self.observers[-1]

        epoch = datetime(2026, 3, 15, tzinfo=timezone.utc)
        return InboxWatch(
            "finance",
            self.folder,
            recursive=True,
            mode=mode,
            clock=Clock(lambda: epoch + timedelta(seconds=self.now_s), lambda: self.now_s),
            on_wake=lambda _, path: self.wakes.append(path),
            on_problem=lambda _, problem: self.problems.append(problem),
            make_observer=make,
            fs_type_of=lambda _: self.fs_type,
            probe=probe,
        )

    def pass_time(self, watch: InboxWatch, seconds: float) -> None:
        """Let the daemon tick each second."""
        for _ in range(round(seconds)):
            self.now_s += 1
            watch.check()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with an inbox that is there."""
    folder = tmp_path / "in"
    folder.mkdir()
    return Desk(folder)


@pytest.mark.parametrize(
    ("wanted", "fs_type", "mode"),
    [
        ("auto", "ext4", "events"),
        ("auto", "cifs", "polling"),
        ("auto", "overlay", "polling"),
        ("auto", "unknown", "polling"),
        ("events", "cifs", "events"),
        ("polling", "ext4", "polling"),
    ],
)
def test_events_or_polling_by_file_system_unless_told(
    desk: Desk, wanted: str, fs_type: str, mode: str
) -> None:
    """The mount decides, the configuration overrides it."""
    desk.fs_type = fs_type
    watch = desk.watch(wanted)
    watch.start()
    assert (watch.state.mode, watch.state.fs_type) == (mode, fs_type)
    assert len(desk.observers) == (mode == "events")


def test_polling_is_a_rescan_at_a_shorter_period(desk: Desk) -> None:
    """Without events the folder is scanned sooner, and never more dearly than 0.3% of a core."""
    watch = desk.watch()
    watch.start()
    assert watch.rescan_period_s(60) == 60
    assert watch.rescan_period_s(60, last_scan_cpu_s=0.1) == 60
    assert watch.rescan_period_s(60, last_scan_cpu_s=0.6) == pytest.approx(200)
    desk.fs_type = "cifs"
    watch.start()
    assert watch.rescan_period_s(60) == POLLING_RESCAN_S
    assert watch.rescan_period_s(3) == 3
    assert watch.rescan_period_s(60, last_scan_cpu_s=0.12) == pytest.approx(40)


def test_a_dead_observer_is_restarted_with_doubling_delay(desk: Desk) -> None:
    """Each death doubles the wait, up to a bound; each restart asks for a rescan and is counted."""
    watch = desk.watch()
    watch.start()
    delay_s = FIRST_DELAY_S
    for restarts in range(1, 12):
        desk.observers[-1].alive = False
        watch.check()
        assert watch.state.mode == "restarting"
        assert watch.state.restarts == restarts
        assert "died" in watch.state.last_problem
        made = len(desk.observers)
        desk.pass_time(watch, delay_s - 1)
        assert len(desk.observers) == made
        desk.wakes.clear()
        desk.pass_time(watch, 1)
        assert (watch.state.mode, len(desk.observers)) == ("events", made + 1)
        assert desk.wakes == [None]
        delay_s = min(2 * delay_s, LONGEST_DELAY_S)
    assert delay_s == LONGEST_DELAY_S
    assert desk.problems == ["the observer of file events has died"]


def test_an_observer_that_was_well_starts_over(desk: Desk) -> None:
    """After a long life the next delay is the first again."""
    watch = desk.watch()
    watch.start()
    for _ in range(5):
        desk.observers[-1].alive = False
        watch.check()
        desk.pass_time(watch, 40)
    desk.pass_time(watch, STEADY_S)
    desk.observers[-1].alive = False
    watch.check()
    desk.pass_time(watch, FIRST_DELAY_S)
    assert watch.state.mode == "events"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_used_up_watches_fall_back_to_polling_said_once(desk: Desk, number: int) -> None:
    """Without watches the inbox is polled, the administrator told once; later it is tried again."""
    desk.failure = OSError(number, "inotify watch limit reached")
    watch = desk.watch()
    watch.start()
    assert watch.state.mode == "polling"
    assert "max_user_watches" in watch.state.last_problem
    assert desk.observers[0].stopped
    desk.pass_time(watch, 3 * EXHAUSTED_RETRY_S)
    assert len(desk.observers) == 4
    assert len(desk.problems) == 1
    desk.failure = None
    desk.pass_time(watch, EXHAUSTED_RETRY_S)
    assert watch.state.mode == "events"
    assert desk.wakes == [None]


def test_watches_used_up_for_sub_folders_are_noticed(desk: Desk) -> None:
    """The observer says nothing when a sub-folder gets no watch: asking for one more tells, now and later."""
    watch = desk.watch()
    watch.start()
    desk.probe_failure = OSError(errno.ENOSPC, "no watches left")
    desk.pass_time(watch, PROBE_S)
    assert watch.state.mode == "polling"
    assert desk.observers[0].stopped
    assert len(desk.problems) == 1


def test_a_folder_that_is_replaced_is_observed_anew(desk: Desk) -> None:
    """A share mounted over the folder, or a folder made again, is another folder to the kernel."""
    watch = desk.watch()
    watch.start()
    desk.folder.rename(desk.folder.with_name("old"))
    desk.folder.mkdir()
    watch.check()
    desk.pass_time(watch, FIRST_DELAY_S)
    assert watch.state.mode == "events"
    assert len(desk.observers) == 2
    assert desk.observers[0].stopped


def test_a_polled_folder_that_gets_a_local_disk_gets_events(desk: Desk) -> None:
    """What the mount decided is decided again when the mount changes."""
    desk.fs_type = "cifs"
    watch = desk.watch()
    watch.start()
    desk.folder.rename(desk.folder.with_name("old"))
    desk.folder.mkdir()
    desk.fs_type = "ext4"
    watch.check()
    assert watch.state.mode == "events"


def test_an_absent_folder_is_waited_for(tmp_path: Path) -> None:
    """An inbox that is not there at the start is watched once it is."""
    desk = Desk(tmp_path / "absent", failure=FileNotFoundError(errno.ENOENT, "No such file or directory"))
    watch = desk.watch()
    watch.start()
    assert watch.state.mode == "restarting"
    desk.pass_time(watch, 20)
    desk.failure = None
    desk.folder.mkdir()
    desk.pass_time(watch, 32)
    assert watch.state.mode == "events"


def test_a_daemon_that_did_not_run_rescans(desk: Desk) -> None:
    """After a stop (SIGSTOP, say) events may be lost: a gap between two checks asks for a rescan."""
    watch = desk.watch()
    watch.start()
    desk.pass_time(watch, 5)
    assert desk.wakes == []
    desk.now_s += STOPPED_S + 1
    watch.check()
    assert desk.wakes == [None]


def test_stopping_ends_everything(desk: Desk) -> None:
    """After the end nothing is observed and nothing restarted."""
    watch = desk.watch()
    watch.start()
    watch.stop()
    desk.pass_time(watch, 10)
    assert watch.state.mode == "stopped"
    assert [observer.stopped for observer in desk.observers] == [True]


# ------------------------------------------------------------------ with the kernel's own events


@dataclass
class Live:
    """A watch of a real folder, and what woke it."""

    folder: Path
    watch: InboxWatch
    wakes: queue.Queue[Path | None]

    def woken_by(self, act: Callable[[], object], *, until: Path | None) -> set[Path | None]:
        """Return everything that woke up to the given path (or None)."""
        act()
        seen: set[Path | None] = set()
        while until not in seen:
            seen.add(self.wakes.get(timeout=PATIENCE_S))
        return seen


@pytest.fixture(params=["folder", "link"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """Return a real watch, of a folder and of a link to one."""
    folder = tmp_path / "in"
    real = folder if request.param == "folder" else tmp_path / "disk" / "department"
    (real / "sub").mkdir(parents=True)
    if real != folder:
        folder.symlink_to(real)
    wakes: queue.Queue[Path | None] = queue.Queue()
    watch = InboxWatch(
        "finance",
        folder,
        recursive=True,
        mode="events",
        clock=Clock(),
        on_wake=lambda _, path: wakes.put(path),
        on_problem=lambda *_: None,
    )
    watch.start()
    assert watch.state.mode == "events", watch.state.last_problem
    yield Live(folder, watch, wakes)
    watch.stop()


def test_what_happens_to_recordings_wakes(live: Live, tmp_path: Path) -> None:
    """Writing, renaming in, and names of every kind wake with the recording's path."""
    for raw in (b"a.wav", b"sub/b.MP3", b"\xff\n.wav", "é".encode() + b".ogg"):
        path = live.folder / os.fsdecode(raw)
        live.woken_by(lambda path=path: path.write_bytes(b"x"), until=path)
    outside = tmp_path / "c.wav"
    outside.write_bytes(b"x")
    live.woken_by(lambda: outside.rename(live.folder / "c.wav"), until=live.folder / "c.wav")
    live.woken_by((live.folder / "c.wav").unlink, until=live.folder / "c.wav")
    part = live.folder / "d.wav.part"
    part.write_bytes(b"x")
    seen = live.woken_by(lambda: part.rename(live.folder / "d.wav"), until=live.folder / "d.wav")
    assert part not in seen


def test_what_is_not_a_recording_does_not_wake(live: Live) -> None:
    """Our own outputs, temporary files and reading a recording wake nobody; a deleted failure file does."""
    recording = live.folder / "a.wav"
    live.woken_by(lambda: recording.write_bytes(b"x"), until=recording)
    failure = live.folder / "a.转写失败.txt"

    def act() -> None:
        for name in ("a.txt", ".asr-daemon-x.tmp", "a.wav.part"):
            (live.folder / name).write_bytes(b"x")
        failure.write_bytes(b"x")
        (live.folder / "a.txt").unlink()
        failure.unlink()

    assert live.woken_by(act, until=failure) <= {failure, recording}


def test_reading_does_not_wake(live: Live) -> None:
    """Hashing and decoding cause no events: the daemon does not wake itself."""
    recording, fence, marker = (live.folder / name for name in ("a.wav", "fence.wav", "marker.wav"))
    recording.write_bytes(b"x")
    live.woken_by(lambda: fence.write_bytes(b"x"), until=fence)  # events come in order: all of the first came

    def act() -> None:
        recording.read_bytes()
        marker.write_bytes(b"x")

    assert recording not in live.woken_by(act, until=marker)


@on_watchdog_7
def test_a_folder_moved_in_asks_for_a_rescan(live: Live, tmp_path: Path) -> None:
    """A folder that comes with recordings in it is scanned; new files in it are seen."""
    outside = tmp_path / "day"
    outside.mkdir()
    (outside / "a.wav").write_bytes(b"x")
    live.woken_by(lambda: outside.rename(live.folder / "day"), until=None)
    later = live.folder / "day" / "b.wav"
    live.woken_by(lambda: later.write_bytes(b"x"), until=later)
    live.woken_by(lambda: shutil.rmtree(live.folder / "day"), until=None)


def test_a_dead_thread_of_the_observer_is_noticed(live: Live) -> None:
    """If any thread of the observer ends, the watch restarts and hears again."""
    observation = live.watch._observer
    assert isinstance(observation, InotifyObservation)
    assert observation.is_alive()
    for emitter in list(observation._observer.emitters):
        emitter.stop()
        emitter.join()
    live.watch.check()
    assert live.watch.state.mode == "restarting"
    live.watch._retry_s = 0.0  # the wait itself is tested above
    live.watch.check()
    assert live.watch.state.mode == "events"
    path = live.folder / "a.wav"
    live.woken_by(lambda: path.write_bytes(b"x"), until=path)


def test_a_deleted_inbox_is_noticed(live: Live) -> None:
    """When the folder itself goes and comes back, events are heard again."""
    real = live.folder.resolve()
    shutil.rmtree(real)
    live.watch.check()
    assert live.watch.state.mode == "restarting"
    real.mkdir()
    live.watch._retry_s = 0.0
    live.watch.check()
    path = live.folder / "a.wav"
    live.woken_by(lambda: path.write_bytes(b"x"), until=path)


@on_watchdog_7
def test_an_overflowing_queue_asks_for_a_rescan(live: Live) -> None:
    """When the kernel drops events, the loss is answered by a rescan."""
    limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())  # noqa: SIM115, PTH123
    if limit > 200_000:
        pytest.skip("the kernel's queue is too long to overflow in a test")
    released = threading.Event()
    observation = live.watch._observer
    assert isinstance(observation, InotifyObservation)
    reader = observation._observer._inotify_fd
    handle = reader.handle_event

    def hold(event: object) -> None:
        released.wait(PATIENCE_S)
        handle(event)

    reader.handle_event = hold
    targets = (live.folder / "a.wav", live.folder / "b.wav")
    descriptors = [os.open(target, os.O_CREAT | os.O_WRONLY) for target in targets]
    for _ in range(limit // 2 + 5000):  # alternating, since the kernel merges equal neighbours
        for descriptor in descriptors:
            os.write(descriptor, b"x")
    live.woken_by(released.set, until=None)
    for descriptor in descriptors:
        os.close(descriptor)


def test_a_link_that_leads_elsewhere_is_observed_anew(tmp_path: Path) -> None:
    """The inbox is where its link leads now."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "in"
    link.symlink_to("old")
    wakes: queue.Queue[Path | None] = queue.Queue()
    watch = InboxWatch(
        "finance",
        link,
        recursive=True,
        mode="events",
        clock=Clock(),
        on_wake=lambda _, path: wakes.put(path),
        on_problem=lambda *_: None,
    )
    watch.start()
    live = Live(link, watch, wakes)
    link.unlink()
    link.symlink_to("new")
    watch.check()
    assert watch.state.mode == "restarting"
    watch._retry_s = 0.0
    watch.check()
    live.woken_by(lambda: (tmp_path / "new" / "a.wav").write_bytes(b"x"), until=link / "a.wav")
    watch.stop()
