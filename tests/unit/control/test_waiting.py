"""Why a recording waits, and when its turn comes: as `status` and the console show it."""

from __future__ import annotations

import io
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from way import PROFILE, START, OpenDaemon

from asr_daemon.control import console_answers as ca
from asr_daemon.control.status import collect
from asr_daemon.control.waiting import waiting
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.errors import RecogniserHungError
from asr_daemon.gateway.pages.shown import waits_for
from asr_daemon.gateway.pages.texts import Texts
from asr_daemon.queue.upcoming import upcoming
from asr_daemon.views.status import status_view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.history.recordings import Look


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenDaemon]:
    """Return a daemon at 09:30 UTC with two inboxes, of which one has the nights."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    daemon = OpenDaemon(tmp_path)
    (section,) = daemon.config.inbox
    (tmp_path / "nights").mkdir()
    nights = section.model_copy(
        update={"name": "nights", "path": tmp_path / "nights", "hours": ("22:00-07:00",)}
    )
    daemon.config = daemon.config.model_copy(update={"inbox": (section, nights)})
    daemon.parts.reload(daemon.config)
    yield daemon
    daemon.close()
    monkeypatch.undo()
    time.tzset()


def put(daemon: OpenDaemon, name: str, inbox: str = "inbox", priority: int = 0) -> None:
    """Queue a recording of some seconds."""
    look: Look = daemon.candidate(name, name.encode() * 100_000).look
    daemon.arrivals.put(inbox, look, name.encode().hex().ljust(64, "0"), PROFILE, priority=priority)


def told(daemon: OpenDaemon) -> list[tuple[int, str, int, str | None]]:
    """Return what is said of each that waits."""
    return [(one.recording, one.why, one.before, one.begins_at) for one in waiting(daemon.parts)]


def test_each_says_why_it_waits(daemon: OpenDaemon) -> None:
    """Its turn, with how many are before it; its hours, with the time; another try, with the time."""
    put(daemon, "night.wav", "nights")
    put(daemon, "failed.wav")
    daemon.jobs.fail(daemon.claim().id, RecogniserHungError())
    for name in ("first.wav", "second.wav"):
        put(daemon, name)
    again, night = daemon.history.one("get_job", job=2), "2026-03-15T22:00:00.000Z"
    assert again is not None
    assert told(daemon) == [
        (3, "turn", 0, None),
        (4, "turn", 1, None),
        (2, "again", 0, again["not_before"]),
        (1, "hours", 0, night),
    ]


def test_order_is_the_one_in_which_they_are_claimed(daemon: OpenDaemon) -> None:
    """What is shown is what the claim does, screens and both inboxes among them."""
    daemon.time.pass_s(13 * 3600)
    for number in range(12):
        put(daemon, f"{number}{'x' * number}.wav", "nights" if number % 3 else "inbox")
    for number in range(5):
        put(daemon, f"screen{number}.wav", "inbox", priority=-1)
    stamp = daemon.time.clock.stamp()
    shown = [one.recording for one in upcoming(daemon.history, daemon.jobs.turns, stamp, 17)]
    assert shown == [daemon.claim().waiting[0].id for _ in range(17)]


def test_estimate_of_its_turn_goes_by_the_last_work(daemon: OpenDaemon) -> None:
    """Nothing is said before anything was finished; then what is before it, at the speed of then."""
    put(daemon, "a.wav")
    put(daemon, "b.wav")
    put(daemon, "c.wav")
    assert [one.in_s for one in waiting(daemon.parts)] == [None, None, None]
    job = daemon.claim()
    daemon.time.pass_s(10)
    daemon.end(job.id, 0)
    daemon.history.run("reset_job", job=99, now="x")
    with daemon.history.transaction():
        daemon.history.db.execute("UPDATE jobs SET duration_ms = 100000 WHERE id = 1")  # ten times real time
    first, second = waiting(daemon.parts)
    assert first.in_s == 0.0
    assert second.in_s is not None
    assert 0 < second.in_s < 10


def test_looking_is_no_change(daemon: OpenDaemon) -> None:
    """A page looks again whenever something has changed: it would never stop."""
    put(daemon, "a.wav")
    waiting(daemon.parts)
    version = daemon.parts.changes.after(-1, within_s=0.0)
    assert version is not None
    waiting(daemon.parts)
    assert daemon.parts.changes.after(version, within_s=0.0) == version


@pytest.mark.parametrize(("phase", "why"), [(Phase.YIELDING, "yielding"), (Phase.BLOCKED, "blocked")])
def test_what_holds_the_whole_queue_is_said_of_each(daemon: OpenDaemon, phase: Phase, why: str) -> None:
    """Others on the card, a missing model, `pause`; of who waits at a screen only what holds that."""
    put(daemon, "a.wav")
    put(daemon, "b.wav", priority=-1)
    daemon.session.state.phase = phase
    at_screen, other = waiting(daemon.parts)
    assert (at_screen.why, other.why) == ("turn" if phase is Phase.YIELDING else why, why)
    daemon.settings.pause(True)
    assert {one.why for one in waiting(daemon.parts)} == {"paused"}


def test_status_shows_it_to_scripts_and_people(daemon: OpenDaemon) -> None:
    """With the times of the machine's own zone."""
    daemon.parts.intake.watch()
    put(daemon, "night.wav", "nights")
    put(daemon, "next.wav")
    control = daemon.serve()
    found: dict[str, Any] = collect(daemon.config, START)
    control.close()
    assert [(one["file"], one["why"]) for one in found["next"]] == [
        ("next.wav", "turn"),
        ("night.wav", "hours"),
    ]
    turn = found["inboxes"][1]["turn"]
    assert (turn["hours_begin_at"], turn["hours_end_at"]) == ("2026-03-15T22:00:00.000Z", None)
    written = io.StringIO()
    Console(file=written, width=200).print(status_view(found))
    assert "its inbox's hours, which begin Sun 22:00" in written.getvalue()
    assert "its turn, it is next" in written.getvalue()
    assert "(begins Sun 22:00)" in written.getvalue()


def test_console_says_it_in_both_languages(daemon: OpenDaemon) -> None:
    """Every reason has its words."""
    listed: Any = None
    begins = datetime(datetime.now(timezone.utc).year, 3, 15, 22, tzinfo=timezone.utc).isoformat()
    for why, at, chinese, english in (
        ("turn", None, "前面还有 2 个 · 约 3 分钟", "2 before it · about 3 min"),
        ("hours", begins, "03-15 22:00 开始转写", "Begins 03-15 22:00"),
        ("hours", None, "不在转写时段", "Outside its hours"),
        ("again", begins, "03-15 22:00 重试", "Tried again 03-15 22:00"),
        ("away", None, "共享文件夹连接不上", "Its share is not there"),
        ("paused", None, "已暂停", "Paused"),
        ("yielding", None, "等待显卡空闲", "Waits for the card"),
        ("blocked", None, "无法工作", "Blocked"),
    ):
        one = ca.Next(listed, why, 2, at, 180.0)
        assert (waits_for(one, Texts("zh")), waits_for(one, Texts("en"))) == (chinese, english)
