"""Hours as an administrator meets them: in the configuration, in `check` and in what alerts go by."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from way import HandClock, OpenDaemon, make_config

from asr_daemon.config import Config, load_config
from asr_daemon.doctor import Finding, Machine
from asr_daemon.doctor.turns import look_at_turns
from asr_daemon.errors import ConfigurationError
from asr_daemon.queue.open_hours import OpenHours

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR_S = 3600.0
NOW = datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)  # a Sunday


@pytest.fixture
def in_shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let the machine be there; TZ may be set to something else."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def written(folder: Path, lines: str, engine: str = "") -> Config:
    """Return the configuration of a file with these lines in its inbox."""
    path = folder / "config.toml"
    path.write_text(f'[engine]\n{engine}\n[[inbox]]\nname = "财务"\npath = "a"\n{lines}\n', encoding="utf-8")
    return load_config(path)


def test_hours_are_read(tmp_path: Path) -> None:
    """As they are documented."""
    config = written(tmp_path, 'hours = ["22:00-07:00", "Sat,Sun"]\nweight = 2\norder = "oldest_first"')
    assert config.inbox[0].hours == ("22:00-07:00", "Sat,Sun")
    assert (config.inbox[0].weight, config.inbox[0].order) == (2.0, "oldest_first")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('hours = ["22-7"]', "inbox[0].hours: '22-7' says no hours: write \"22:00-07:00\""),
        ('hours = ["Mon-Fry"]', "inbox[0].hours: 'Mon-Fry': there is no day 'fry'"),
        ("weight = 0", "inbox[0].weight: "),
        ('order = "longest_first"', "inbox[0].order: "),
    ],
)
def test_what_cannot_be_meant_is_one_problem_with_its_key(tmp_path: Path, lines: str, told: str) -> None:
    """And with what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        written(tmp_path, lines)
    (problem,) = caught.value.problems
    assert told in problem


@pytest.mark.parametrize(("value", "percent"), [("false", 0.0), ("20", 20.0), ("0", 0.0)])
def test_threshold_may_be_off_or_a_percentage(tmp_path: Path, value: str, percent: float) -> None:
    """In TOML's own words."""
    assert written(tmp_path, "", f"yield_to_others = {value}").engine.yield_to_others == percent


def test_true_is_no_threshold(tmp_path: Path) -> None:
    """It is not taken for one percent."""
    with pytest.raises(ConfigurationError, match="write a percentage"):
        written(tmp_path, "", "yield_to_others = true")


def found(folder: Path, *hours: str, **engine: Any) -> list[Finding]:
    """Return what `check` says of an inbox with these hours."""
    config = make_config(folder, hours=hours)
    config = config.model_copy(update={"engine": config.engine.model_copy(update=engine)})
    return list(look_at_turns(config, Machine(now=lambda: NOW)))


def test_check_says_what_the_hours_come_to(tmp_path: Path, in_shanghai: pytest.MonkeyPatch) -> None:
    """In the machine's own time: it is half past five in the afternoon there."""
    (finding,) = found(tmp_path, "22:00-07:00")
    assert (finding.level, finding.key) == ("ok", "inbox 'inbox': hours")
    assert finding.text == "22:00-07:00: 63 hours a week; closed now, until Sun 2026-03-15 22:00"
    assert "open now, until Mon 2026-03-16 07:00" in found(tmp_path, "16:00-07:00")[0].text
    assert found(tmp_path) == []


def test_check_warns_of_little_time_and_of_a_clock_that_nobody_set(
    tmp_path: Path, in_shanghai: pytest.MonkeyPatch
) -> None:
    """Half an hour a day is hardly meant; a container without TZ has its nights at noon."""
    assert found(tmp_path, "12:00-12:30")[0].level == "warning"
    in_shanghai.setenv("TZ", "UTC")
    time.tzset()
    assert [each.key for each in found(tmp_path, "22:00-07:00")] == ["inbox 'inbox': hours", "hours"]


def test_check_finds_hours_that_never_come(tmp_path: Path, in_shanghai: pytest.MonkeyPatch) -> None:
    """The only hour of the week is the one that summer time skips."""
    in_shanghai.setenv("TZ", "Europe/Berlin")
    time.tzset()
    config = make_config(tmp_path, hours=("Sun 02:10-02:50",))
    monday_before = datetime(2026, 3, 23, 9, 30, tzinfo=timezone.utc)
    (finding,) = look_at_turns(config, Machine(now=lambda: monday_before))
    assert (finding.level, "nothing of this inbox is recognised" in finding.text) == ("error", True)


def test_check_says_that_nobody_watches_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library is missing that this needs."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    (finding,) = found(tmp_path, yield_to_others=20.0)
    assert finding.key == "engine.yield_to_others"


def test_age_of_the_queue_grows_within_the_hours_alone(
    tmp_path: Path, in_shanghai: pytest.MonkeyPatch
) -> None:
    """Who is woken for a queue of half a day is not woken for one that waits for its night."""
    daemon = OpenDaemon(tmp_path)
    (section,) = daemon.config.inbox
    nights = section.model_copy(update={"hours": ("22:00-07:00",)})
    daemon.parts.reload(daemon.config.model_copy(update={"inbox": (nights,)}))
    daemon.put()
    ages_h = []
    for hours in (0, 4.5, 1, 8, 13, 4):  # 17:30, 22:00, 23:00, 7:00, 20:00, 24:00
        daemon.time.pass_s(hours * HOUR_S)
        ages_h.append(daemon.jobs.turns.oldest_age_s() / HOUR_S)
    daemon.close()
    assert ages_h == [0, 0, 1, 9, 9, 11]


def test_hours_are_looked_at_once_a_minute(tmp_path: Path, in_shanghai: pytest.MonkeyPatch) -> None:
    """A claim asks several times a second; the answer of this minute holds for this minute alone."""
    clock = HandClock()

    hours = OpenHours(make_config(tmp_path, hours=("17:31-18:00",)), clock.clock)
    assert hours.closed() == ("inbox",)
    clock.pass_s(59)
    assert hours.closed() == ("inbox",)
    clock.pass_s(1)
    assert hours.closed() == ()
