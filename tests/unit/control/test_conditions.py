"""What is wrong for longer than a moment is told once, across restarts; what passes is not."""

from __future__ import annotations

import shutil
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest
import way
from way import OpenDaemon

from asr_daemon.config import Config
from asr_daemon.config_cluster import ClusterSection
from asr_daemon.control.conditions import HOLD_S, Conditions
from asr_daemon.dispatch.in_work import InWork, Phase
from asr_daemon.history.outbox import Row, listed
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ON = ["blocked", "unblocked", "inbox_gone", "disk_low"]
NO_MODEL = Sentence("the model is missing", "识别模型尚未就绪。")
Room = namedtuple("Room", "total used free")  # noqa: PYI024 (as shutil's)


class Watched(OpenDaemon):
    """A daemon whose conditions are looked at by hand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.conditions = Conditions(self.parts)

    def phase(self, phase: Phase, reason: str = "") -> None:
        """Let the recogniser be so."""
        state = self.parts.dispatcher.states[0]
        state.phase, state.reason = phase, reason

    def look(self, after_s: float = 0.0) -> list[Row]:
        """Return all that was told so far."""
        self.time.pass_s(after_s)
        self.conditions.look()
        return listed(self.history, ("waiting",))

    def held(self) -> list[str]:
        """Look, and again after a while; return the events."""
        self.look()
        return [row.event for row in self.look(HOLD_S)]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Return the daemon."""
    plain = way.make_config

    def with_receiver(folder: Path) -> Config:
        notify = [{"name": "office", "url": "https://a.example/", "on": ON}]
        return Config.model_validate({**plain(folder).model_dump(), "notify": notify})

    monkeypatch.setattr(way, "make_config", with_receiver)
    watched = Watched(tmp_path)
    yield watched
    watched.close()


def test_a_queue_that_waits_and_goes_on_is_told_once_each(watched: Watched) -> None:
    """In both languages; while it is tried again and again in between, nothing new is said."""
    watched.phase(Phase.BLOCKED, NO_MODEL)
    assert watched.look() == []
    watched.phase(Phase.LOADING)
    watched.look(10)
    watched.phase(Phase.BLOCKED, NO_MODEL)
    (row,) = watched.look(HOLD_S)
    assert (row.event, row.problem, row.problem_zh) == ("blocked", str(NO_MODEL), NO_MODEL.chinese)
    assert len(watched.look(600)) == 1
    watched.phase(Phase.PAUSED)
    assert len(watched.look(600)) == 1
    watched.phase(Phase.WORKING)
    assert watched.held() == ["blocked", "unblocked"]


def test_a_queue_of_other_machines_waits_though_this_one_is_idle(watched: Watched) -> None:
    """Where this one is there for live captions only; what it recognises all the same counts."""
    cluster = ClusterSection(address="head:6379", local=False)
    watched.parts.dispatcher.reload(watched.config.model_copy(update={"cluster": cluster}))
    local, remote = watched.parts.dispatcher.states
    remote.phase, remote.reason = Phase.BLOCKED, NO_MODEL
    assert local.phase is Phase.IDLE
    assert watched.held() == ["blocked"]
    watched.put("large.wav", b"large")
    local.in_work[1] = InWork(watched.claim(), "large.wav", "inbox", 0.0)
    local.phase = Phase.WORKING
    assert watched.held() == ["blocked", "unblocked"]
    local.in_work.clear()
    watched.parts.dispatcher.reload(
        watched.config.model_copy(update={"cluster": ClusterSection(address="head:6379")})
    )
    local.phase = Phase.IDLE
    assert remote.phase is Phase.BLOCKED
    assert not watched.parts.dispatcher.is_blocked


def test_what_passes_within_seconds_is_not_told(watched: Watched) -> None:
    """Neither that it came nor that it went."""
    watched.phase(Phase.BLOCKED, NO_MODEL)
    watched.look()
    watched.look(HOLD_S / 2)
    watched.phase(Phase.IDLE)
    assert watched.held() == []


def test_a_daemon_that_is_started_anew_tells_nothing_twice(watched: Watched) -> None:
    """It idles for a moment, and is blocked again."""
    watched.phase(Phase.BLOCKED, NO_MODEL)
    assert watched.held() == ["blocked"]
    watched.conditions = Conditions(watched.parts)
    watched.phase(Phase.IDLE)
    watched.look()
    watched.phase(Phase.BLOCKED, NO_MODEL)
    assert watched.held() == ["blocked"]


def test_an_inbox_that_is_gone_is_told_with_its_name(watched: Watched) -> None:
    """Once, and again when it is gone another time."""
    watched.parts.intake.reload(watched.config)
    inbox = watched.parts.intake.inboxes["inbox"]
    inbox.problem = "the share is not mounted"
    watched.look()
    (row,) = watched.look(HOLD_S)
    assert (row.event, row.inbox) == ("inbox_gone", "inbox")
    inbox.problem = ""
    assert watched.held() == ["inbox_gone"]
    inbox.problem = "the share is not mounted"
    assert watched.held() == ["inbox_gone"] * 2


def test_a_full_disk_is_told_once_for_all_its_folders(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again only after there was room: figures that swing about the limit are not told."""
    rooms = [100]

    def usage(_path: object) -> Room:
        return Room(1000, 0, rooms[-1])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert watched.look() == []
    for free, told in ((40, 1), (60, 1), (40, 1), (100, 1), (40, 2)):
        rooms.append(free)
        assert len(watched.look(60)) == told


def test_nothing_is_looked_at_where_nobody_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without [[notify]]."""
    watched.parts.configuration.now = watched.config.model_copy(update={"notify": ()})
    watched.phase(Phase.BLOCKED, NO_MODEL)
    assert watched.held() == []
    assert watched.settings.get("told queue") == ""
