"""Found, settled, hashed, queued: stepped by hand, with the inboxes of an opened daemon."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from way import OpenDaemon

from asr_daemon.errors import (
    HistoryFailedError,
    InboxGoneError,
    NotDecodableError,
    NotReadableError,
    ReadFailedError,
)
from asr_daemon.inboxes import admission
from asr_daemon.inboxes.presence import MARKER
from asr_daemon.inboxes.share import Shares

if TYPE_CHECKING:
    from collections.abc import Iterator


SETTLE_S = 5.0


class Inbox(OpenDaemon):
    """An inbox that is polled, stepped by the test."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        section = self.config.inbox[0].model_copy(update={"watch": "polling"})
        self.parts.configuration.now = self.config = self.config.model_copy(update={"inbox": (section,)})
        self.intake = self.parts.intake
        self.intake.config = self.parts.profiles._config = self.config
        self.intake.watch()
        self.logged: list[str] = []
        self.settle()

    def settle(self) -> list[str]:
        """Look at the inbox, let everything settle, and take it in; return the files that are queued."""
        with structlog.testing.capture_logs() as records:
            self.intake.wake("inbox", None)
            self.intake.step(0.0)
            self.time.pass_s(SETTLE_S + 0.1)
            self.intake.step(0.0)
        self.logged = [record["event"] for record in records]
        return self.queued()

    def queued(self) -> list[str]:
        """Return the files that wait, by their names."""
        rows = self.history.db.execute("SELECT name FROM recordings WHERE state = 'waiting' ORDER BY name")
        return [row["name"] for row in rows]

    def states(self) -> dict[str, str]:
        """Return how each file stands."""
        rows = self.history.db.execute("SELECT name, state FROM recordings WHERE state <> 'superseded'")
        return {row["name"]: row["state"] for row in rows}

    def done(self, text: str = "你好") -> None:
        """Have the next job recognised and written."""
        job = self.claim()
        self.finish(job.id, text)
        self.parts.deliverer.deliver_job(job.id)

    def drop(self, name: str, content: bytes = b"sound") -> Path:
        """Put a file there."""
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """Return the inbox, empty and looked at once."""
    inbox = Inbox(tmp_path)
    yield inbox
    inbox.close()


# ------------------------------------------------------------------ what is taken in, and when


def test_file_is_queued_once_it_is_quiet(inbox: Inbox) -> None:
    """Not before; and only once, however often the inbox is looked at."""
    inbox.drop("a.wav")
    inbox.intake.wake("inbox", None)
    inbox.intake.step(0.0)
    assert inbox.queued() == []
    assert inbox.intake.settling(inbox.inbox) == 1
    inbox.time.pass_s(SETTLE_S - 0.1)
    inbox.intake.step(0.0)
    assert inbox.queued() == []
    inbox.time.pass_s(0.2)
    inbox.intake.step(0.0)
    assert inbox.queued() == ["a.wav"]
    assert inbox.intake.settling(inbox.inbox) == 0
    inbox.settle()
    assert "recording_queued" not in inbox.logged


def test_event_names_a_file_or_a_folder(inbox: Inbox) -> None:
    """A file that an event names needs no scan, nor do those of a folder that came as a whole."""
    for name in ("a.wav", "day/b.wav"):
        inbox.drop(name)
    inbox.drop("c.wav")
    inbox.intake.wake("inbox", inbox.inbox / "a.wav")
    inbox.intake.wake("nobody", inbox.inbox / "c.wav")
    inbox.intake.step(0.0)
    assert inbox.intake.settling(inbox.inbox) == 1
    inbox.intake.wake("inbox", inbox.inbox / "day")
    inbox.intake.step(0.0)
    inbox.time.pass_s(SETTLE_S + 0.1)
    inbox.intake.step(0.0)
    assert inbox.queued() == ["a.wav", "b.wav", "c.wav"]


def test_event_outside_or_behind_a_link_is_nothing(inbox: Inbox, tmp_path: Path) -> None:
    """A link to a folder elsewhere is not followed."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.wav").write_bytes(b"secret")
    (inbox.inbox / "link").symlink_to(tmp_path / "secret")
    for path in (inbox.inbox / "link", tmp_path / "secret" / "a.wav"):
        inbox.intake.wake("inbox", path)
        inbox.intake.step(0.0)
        inbox.time.pass_s(SETTLE_S + 0.1)
        inbox.intake.step(0.0)
    assert inbox.queued() == []


def test_changed_file_is_work_again(inbox: Inbox) -> None:
    """A longer version over a finished one; one that was touched alone is none."""
    path = inbox.drop("a.wav", b"short")
    inbox.settle()
    inbox.done()
    assert inbox.settle() == []
    os.utime(path)
    assert inbox.settle() == []
    path.write_bytes(b"much longer")
    inbox.settle()
    inbox.time.pass_s(4 * SETTLE_S)  # what went on growing after a pause waits longer
    inbox.intake.step(0.0)
    assert inbox.queued() == ["a.wav"]


def test_file_that_its_writer_has_open_is_waited_for(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """However quiet it is."""
    is_open = True
    monkeypatch.setattr(admission, "is_open_for_writing", lambda _descriptor: is_open)
    inbox.drop("a.wav")
    assert inbox.settle() == []
    is_open = False
    assert inbox.settle() == ["a.wav"]


def test_twin_of_a_finished_recording_gets_its_transcript_at_once(inbox: Inbox) -> None:
    """Nothing is recognised again, and no recogniser is woken for it."""
    inbox.drop("a.wav", b"same")
    inbox.settle()
    inbox.done()
    inbox.drop("b.wav", b"same")
    inbox.session.wake.clear()
    inbox.settle()
    assert inbox.states() == {"a.wav": "done", "b.wav": "done"}
    assert "你好" in (inbox.inbox / "b.txt").read_text(encoding="utf-8")
    assert not inbox.session.wake.is_set()
    inbox.drop("c.wav", b"other")
    inbox.settle()
    assert inbox.session.wake.is_set()


def test_known_files_need_no_look_after_a_restart(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands that are done are not hashed anew; whoever changed meanwhile is."""
    for name in ("a.wav", "b.wav"):
        inbox.drop(name, name.encode())
    inbox.settle()
    hashed: list[str] = []
    real = admission.open_recording

    def open_it(path: Path, root: Path) -> int:
        hashed.append(path.name)
        return real(path, root)

    monkeypatch.setattr(admission, "open_recording", open_it)
    (inbox.inbox / "b.wav").write_bytes(b"changed")
    inbox.intake.reload(inbox.config)
    inbox.settle()
    inbox.time.pass_s(4 * SETTLE_S)
    inbox.intake.step(0.0)
    assert hashed == ["b.wav"]


def test_what_lay_there_is_forgotten_when_it_is_archived(inbox: Inbox) -> None:
    """The same file may come again: it is looked at anew."""
    path = inbox.drop("a.wav")
    found = path.stat()
    inbox.settle()
    watched = inbox.intake.inboxes["inbox"]
    assert watched.seen.is_known(os.fspath(path), found)
    inbox.intake.forget("nobody", path)
    assert watched.seen.is_known(os.fspath(path), found)
    inbox.intake.forget("inbox", path)
    assert not watched.seen.is_known(os.fspath(path), found)


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize("error", [NotReadableError("no right to"), ReadFailedError("input/output error")])
def test_file_that_cannot_be_read_is_told_of_once(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """In the log and beside it; each scan tries again, and then it is taken in as if nothing had been."""

    def refuse(_path: Path, _root: Path) -> int:
        raise error

    real = admission.open_recording
    monkeypatch.setattr(admission, "open_recording", refuse)
    inbox.drop("a.wav")
    inbox.settle()
    assert inbox.logged.count("recording_not_readable") == 1
    assert inbox.states() == {"a.wav": "failed"}
    assert (inbox.inbox / "a.转写失败.txt").exists()
    inbox.settle()
    assert "recording_not_readable" not in inbox.logged
    monkeypatch.setattr(admission, "open_recording", real)
    assert inbox.settle() == ["a.wav"]
    inbox.done()
    assert not (inbox.inbox / "a.转写失败.txt").exists()
    monkeypatch.setattr(admission, "open_recording", refuse)
    inbox.drop("a.wav", b"another")
    inbox.settle()
    inbox.time.pass_s(4 * SETTLE_S)
    with structlog.testing.capture_logs() as records:
        inbox.intake.step(0.0)
    assert "recording_not_readable" in [*inbox.logged, *(record["event"] for record in records)]


def test_history_that_cannot_be_written_is_said_once_and_tried_again(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the next scan."""

    def refuse(*_: object, **__: object) -> None:
        raise HistoryFailedError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(inbox.parts.arrivals.__class__, "put", refuse)
        inbox.drop("a.wav")
        inbox.settle()
        assert inbox.logged.count("recording_not_queued") == 1
        inbox.time.pass_s(20.0)
        with structlog.testing.capture_logs() as records:
            inbox.intake.step(0.0)
        assert records == []
    inbox.time.pass_s(20.0)
    inbox.intake.step(0.0)
    assert inbox.queued() == ["a.wav"]


def test_list_of_hotwords_that_does_not_answer_lets_its_recordings_wait(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are queued with the list, once it answers, without a scan."""

    def hang(*_: object) -> None:
        raise InboxGoneError("the share of /lists does not answer")

    with monkeypatch.context() as hung:
        hung.setattr(type(inbox.parts.profiles), "profile", hang)
        inbox.drop("a.wav")
        inbox.settle()
        assert inbox.logged.count("recording_not_queued") == 1
        assert inbox.queued() == []
    inbox.time.pass_s(20.0)
    inbox.intake.step(0.0)
    assert inbox.queued() == ["a.wav"]


def test_fault_with_one_recording_leaves_those_behind_it(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is logged; the others are queued, and it is tried again after a pause."""
    real = admission.fingerprint
    calls: list[int] = []

    def fail_first(descriptor: int, must_stop: object) -> object:
        calls.append(descriptor)
        if len(calls) == 1:
            raise RuntimeError("ours")
        return real(descriptor, must_stop)  # type: ignore[arg-type]

    monkeypatch.setattr(admission, "fingerprint", fail_first)
    for name in ("a.wav", "b.wav"):
        inbox.drop(name, name.encode())
    assert len(inbox.settle()) == 1
    assert "recording_not_taken_in" in inbox.logged
    inbox.time.pass_s(inbox.config.daemon.retry_after_s)
    assert inbox.settle() == ["a.wav", "b.wav"]


def test_end_in_the_middle_of_many_takes_no_more_in(inbox: Inbox) -> None:
    """The daemon ends within seconds; the next start finds the rest."""
    for name in ("a.wav", "b.wav"):
        inbox.drop(name, name.encode())
    inbox.intake.wake("inbox", None)
    inbox.intake.step(0.0)
    inbox.time.pass_s(SETTLE_S + 0.1)
    inbox.intake._stopping.set()
    inbox.intake.step(0.0)
    assert inbox.queued() == []


def test_inbox_that_is_gone_is_said_and_takes_no_file_with_it(inbox: Inbox) -> None:
    """An unmounted share is no deletion; its return is said, too."""
    inbox.drop("a.wav")
    inbox.settle()
    away = inbox.inbox.rename(inbox.folder / "away")
    inbox.settle()
    assert inbox.logged.count("inbox_problem") == 1
    assert inbox.intake.inboxes["inbox"].problem
    inbox.intake.wake("inbox", inbox.inbox / "a.wav")
    inbox.intake.step(0.0)
    inbox.settle()
    assert "inbox_problem" not in inbox.logged
    assert inbox.states() == {"a.wav": "waiting"}
    away.rename(inbox.inbox)
    inbox.settle()
    assert "inbox_back" in inbox.logged
    assert inbox.intake.inboxes["inbox"].problem == ""
    assert inbox.states() == {"a.wav": "waiting"}


def test_empty_place_where_the_share_belongs_takes_no_file_with_it(inbox: Inbox) -> None:
    """An inbox with a marker is there only with it; an event of its file is no deletion either."""
    inbox.drop("a.wav")
    inbox.drop(MARKER)
    inbox.settle()
    inbox.inbox.rename(inbox.folder / "away")
    inbox.inbox.mkdir()
    inbox.settle()
    assert "inbox_problem" in inbox.logged
    inbox.intake.wake("inbox", inbox.inbox / "a.wav")
    inbox.intake.step(0.0)
    assert inbox.states() == {"a.wav": "waiting"}


def test_finished_recording_that_was_away_is_looked_at_again(inbox: Inbox) -> None:
    """A whole scan without it: it may come back without its transcript, which is written again then."""
    path = inbox.drop("a.wav")
    inbox.settle()
    inbox.done()
    inbox.settle()
    away = inbox.folder / "a.wav"
    path.rename(away)
    (inbox.inbox / "a.txt").unlink()
    inbox.settle()
    away.rename(path)
    inbox.settle()
    inbox.time.pass_s(4 * SETTLE_S)
    inbox.intake.step(0.0)
    assert (inbox.inbox / "a.txt").exists()


def test_no_file_stays_open(inbox: Inbox) -> None:
    """Not of those that were taken in, nor of those that were not."""
    count = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        inbox.drop(f"{number}.wav", str(number).encode())
    inbox.settle()
    named = inbox.folder / "named.wav"
    named.write_bytes(b"named")
    for _ in range(20):
        inbox.intake.submit(named, inbox.parts.profiles.profile(""), priority=-1)
    assert len(list(Path("/proc/self/fd").iterdir())) < count + 20


def test_share_that_does_not_answer_is_watched_once_it_does(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tick looks after it; until then nothing else is asked there."""
    with monkeypatch.context() as hung:

        def hang(*_: object) -> None:
            raise InboxGoneError("does not answer")

        hung.setattr(Shares, "ask", hang)
        inbox.intake.reload(inbox.config)
        watched = inbox.intake.inboxes["inbox"]
        assert (watched.watch.state.mode, watched.problem) == ("stopped", "does not answer")
        inbox.intake.tick()
        assert watched.watch.state.mode == "stopped"
        inbox.drop("a.wav")
        inbox.intake.wake("inbox", inbox.inbox / "a.wav")
        inbox.intake.step(0.0)
        assert inbox.intake.settling(inbox.inbox) == 0
    inbox.intake.tick()
    assert watched.watch.state.mode == "polling"
    inbox.intake.step(0.0)
    inbox.time.pass_s(SETTLE_S + 0.1)
    inbox.intake.step(0.0)
    assert inbox.queued() == ["a.wav"]


# ------------------------------------------------------------------ ticks and reloads


def test_tick_rescans_when_that_is_due(inbox: Inbox) -> None:
    """Not sooner; when polling, oftener than the configuration's minute."""
    inbox.drop("a.wav")
    inbox.intake.tick()
    inbox.intake.step(0.0)
    assert inbox.intake.settling(inbox.inbox) == 0
    inbox.time.pass_s(61.0)
    inbox.intake.tick()
    inbox.intake.step(0.0)
    assert inbox.intake.settling(inbox.inbox) == 1


def test_reload_takes_up_other_inboxes(inbox: Inbox) -> None:
    """One that is new is scanned, one that went is watched no more and nobody waits for its files."""
    inbox.drop("a.wav")
    inbox.settle()
    old = inbox.intake.inboxes["inbox"].watch
    other = inbox.folder / "other"
    other.mkdir()
    (other / "b.wav").write_bytes(b"b")
    section = inbox.config.inbox[0].model_copy(update={"name": "other", "path": other})
    inbox.parts.reload(inbox.config.model_copy(update={"inbox": (section,)}))
    assert list(inbox.intake.inboxes) == ["other"]
    assert old.state.mode == "stopped"
    assert inbox.states() == {"a.wav": "gone"}
    inbox.intake.step(0.0)
    inbox.time.pass_s(SETTLE_S + 0.1)
    inbox.intake.step(0.0)
    assert inbox.states() == {"a.wav": "gone", "b.wav": "waiting"}
    assert inbox.jobs.count_queued() == 1


def test_loop_ends_when_it_is_told_and_survives_a_fault(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong in a round is logged; the next one comes."""
    rounds: list[float | None] = []

    def step(timeout_s: float | None) -> None:
        rounds.append(timeout_s)
        if len(rounds) == 1:
            raise RuntimeError("ours")
        inbox.intake.stop()

    monkeypatch.setattr(inbox.intake, "step", step)
    with structlog.testing.capture_logs() as records:
        inbox.intake.run()
    assert [record["event"] for record in records] == ["intake_failed"]
    assert len(rounds) == 2
    assert inbox.intake.inboxes == {}


# ------------------------------------------------------------------ departures


def test_deleted_recording_is_waited_for_no_more(inbox: Inbox) -> None:
    """By the scan, or by the event that names it; one that comes back is work again."""
    for name in ("a.wav", "b.wav", "c.wav"):
        inbox.drop(name, name.encode())
    inbox.settle()
    (inbox.inbox / "a.wav").unlink()
    inbox.session.wake.clear()
    inbox.settle()
    assert inbox.states() == {"a.wav": "gone", "b.wav": "waiting", "c.wav": "waiting"}
    assert inbox.session.wake.is_set(), "whoever has it in work is to stop"
    (inbox.inbox / "b.wav").unlink()
    inbox.intake.wake("inbox", inbox.inbox / "b.wav")
    inbox.intake.step(0.0)
    assert inbox.states() == {"a.wav": "gone", "b.wav": "gone", "c.wav": "waiting"}
    assert inbox.jobs.count_queued() == 1
    inbox.drop("a.wav", b"a.wav")
    inbox.settle()
    inbox.time.pass_s(4 * SETTLE_S)
    inbox.intake.step(0.0)
    assert inbox.queued() == ["a.wav", "c.wav"]


def test_event_of_a_file_that_is_there_lets_nobody_go(inbox: Inbox) -> None:
    """Or that is done, or unknown."""
    inbox.drop("a.wav", b"a")
    inbox.settle()
    inbox.done()
    inbox.drop("b.wav", b"b")
    inbox.settle()
    (inbox.inbox / "a.wav").unlink()
    for name in ("a.wav", "b.wav", "never.wav"):
        inbox.parts.intake.departures.look_at("inbox", inbox.inbox / name, lambda _path: None)
    assert inbox.states() == {"a.wav": "done", "b.wav": "waiting"}


def test_deleted_failure_file_asks_for_another_try(inbox: Inbox) -> None:
    """Its recording is there: it is queued again; gone, too: its failure file goes and nobody waits."""
    for name in ("a.wav", "b.wav"):
        inbox.drop(name, name.encode())
    inbox.settle()
    for _ in range(2):
        job = inbox.claim()
        inbox.jobs.fail(job.id, NotDecodableError())
        inbox.parts.deliverer.deliver_job(job.id)
    failure_a, failure_b = (inbox.inbox / f"{name}.转写失败.txt" for name in "ab")
    assert failure_a.exists()
    assert failure_b.exists()
    inbox.settle()
    assert inbox.states() == {"a.wav": "failed", "b.wav": "failed"}
    failure_a.unlink()
    (inbox.inbox / "b.wav").unlink()
    inbox.session.wake.clear()
    inbox.settle()
    assert inbox.session.wake.is_set()
    assert inbox.states() == {"a.wav": "waiting", "b.wav": "gone"}
    assert not failure_b.exists()
    assert [each.path.name for each in inbox.claim().waiting] == ["a.wav"]


def test_folder_that_is_deleted_takes_its_recordings(inbox: Inbox) -> None:
    """All of them, and nobody else's."""
    for name in ("day/a.wav", "day/b.wav", "c.wav"):
        inbox.drop(name, name.encode())
    inbox.settle()
    shutil.rmtree(inbox.inbox / "day")
    inbox.settle()
    assert inbox.states() == {"a.wav": "gone", "b.wav": "gone", "c.wav": "waiting"}


def test_strangers_of_an_inbox_that_is_configured_no_more_are_let_go(inbox: Inbox) -> None:
    """What is named on the command line belongs to no inbox, and stays."""
    inbox.drop("a.wav")
    inbox.settle()
    named = inbox.folder / "named.wav"
    named.write_bytes(b"named")
    inbox.intake.submit(named, inbox.parts.profiles.profile(""), priority=-1)
    inbox.session.wake.clear()
    inbox.intake.departures.let_strangers_go(["other"])
    assert inbox.session.wake.is_set(), "whoever has it in work is to stop"
    assert inbox.states() == {"a.wav": "gone", "named.wav": "waiting"}
    assert inbox.jobs.count_queued() == 1


def test_tick_lets_files_of_the_command_line_go(inbox: Inbox) -> None:
    """No scan looks where they lie; what is in work has its file open, and goes on."""
    for name in ("a.wav", "b.wav"):
        named = inbox.folder / name
        named.write_bytes(name.encode())
        inbox.intake.submit(named, inbox.parts.profiles.profile(""), priority=-1)
    inbox.claim()
    for name in ("a.wav", "b.wav"):
        (inbox.folder / name).unlink()
    inbox.intake.tick()
    assert inbox.states() == {"a.wav": "waiting", "b.wav": "gone"}
    assert inbox.jobs.is_empty()


def test_event_of_a_deleted_failure_file_asks_for_another_try(inbox: Inbox) -> None:
    """Without waiting for the next scan."""
    inbox.drop("a.wav")
    inbox.settle()
    job = inbox.claim()
    inbox.jobs.fail(job.id, NotDecodableError())
    inbox.parts.deliverer.deliver_job(job.id)
    failure = inbox.inbox / "a.转写失败.txt"
    failure.unlink()
    inbox.intake.wake("inbox", failure)
    inbox.intake.step(0.0)
    assert inbox.states() == {"a.wav": "waiting"}
    assert inbox.claim().id == job.id


def test_round_rests_until_something_wakes_it(inbox: Inbox) -> None:
    """It does not spin, and it hears at once."""
    inbox.intake.step(0.0)
    began_s = time.monotonic()
    inbox.intake.step(0.3)
    assert time.monotonic() - began_s >= 0.25
    inbox.drop("a.wav")
    threading.Timer(0.1, inbox.intake.wake, ("inbox", None)).start()
    inbox.intake.step(10.0)
    assert inbox.intake.settling(inbox.inbox) == 1
