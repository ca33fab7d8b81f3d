"""What Prometheus is told."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from way import OpenDaemon

from asr_daemon.config_notify import NotifySection
from asr_daemon.dispatch.in_work import InWork
from asr_daemon.errors import NotDecodableError
from asr_daemon.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parents[3] / "README.md"
Figures = dict[tuple[str, ...], float]


class Watched(OpenDaemon):
    """A daemon that is opened, and its figures."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.metrics = Metrics(self.parts)

    def figures(self) -> Figures:
        """Write the file, and return each figure by its name and labels."""
        path = self.folder / "asr.prom"
        self.metrics.write(path)
        return parsed(path.read_text(encoding="utf-8"))


def parsed(text: str) -> Figures:
    """Return the figures of the text format."""
    return {
        (sample.name.removeprefix("asr_daemon_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Return the opened daemon."""
    watched = Watched(tmp_path)
    yield watched
    watched.metrics.port.close()
    watched.close()


def test_queue_and_the_age_of_its_oldest(watched: Watched) -> None:
    """How many wait, and for how long the first one has."""
    assert watched.figures()["queue_oldest_age_seconds",] == 0
    watched.put("a.wav", b"a")
    watched.time.pass_s(90.0)
    watched.put("b.wav", b"b")
    figures = watched.figures()
    assert figures["queue_jobs", "queued"] == 2
    assert figures["queue_oldest_age_seconds",] == 90.0
    watched.claim()
    assert watched.figures()["queue_jobs", "running"] == 1


def test_messages_that_wait_or_were_given_up(watched: Watched) -> None:
    """By receiver; nothing is told where there is none."""
    assert not any(name.startswith("messages") for name, *_ in watched.figures())
    notify = (NotifySection(name="office", url="https://a.example/", on=("blocked",)),)  # type: ignore[arg-type]
    watched.parts.configuration.now = watched.config.model_copy(update={"notify": notify})
    outbox = watched.parts.upkeep.outbox
    outbox.configure(notify)
    outbox.announce("blocked", "queue", "no model")
    watched.time.pass_s(90.0)
    figures = watched.figures()
    assert figures["messages_waiting", "office"] == 1
    assert figures["messages_oldest_age_seconds", "office"] == 90.0
    outbox.give_up(1, "tried for a day")
    figures = watched.figures()
    assert (figures["messages_waiting", "office"], figures["messages_given_up", "office"]) == (0, 1)


def test_files_that_are_no_recordings_are_counted(watched: Watched) -> None:
    """By inbox: something there is called as nobody expects, or should not lie there."""
    watched.parts.intake.watch()
    assert watched.figures()["ignored_files", "inbox"] == 0
    (watched.inbox / "a.xyz").write_bytes(b"x")
    for _ in range(2):
        watched.parts.intake.wake("inbox", None)
        watched.parts.intake.step(0.0)
        watched.time.pass_s(60.0)
    assert watched.figures()["ignored_files", "inbox"] == 1


def test_retried_work_waits_from_now_on(watched: Watched) -> None:
    """A recording of last year that somebody tries again is no old queue."""
    recording = watched.put()
    watched.jobs.fail(watched.claim().id, NotDecodableError())
    watched.time.pass_s(1e7)
    watched.arrivals.retry(recording)
    assert watched.figures()["queue_oldest_age_seconds",] == 0


def test_failures_are_counted_by_class(watched: Watched) -> None:
    """What failed for good, from the history; attempts since the start, from the session."""
    watched.put()
    job = watched.claim()
    state = watched.jobs.fail(job.id, NotDecodableError())
    watched.session._endings._tell(job, NotDecodableError(), state)
    figures = watched.figures()
    assert figures["failed_jobs", "not_decodable"] == 1
    assert figures["failures_total", "not_decodable"] == 1
    assert figures["recogniser_out_of_memory_total",] == 0


def test_steps_for_want_of_memory_are_counted_by_kind(watched: Watched) -> None:
    """Each rung has its counter from the start, so that an increase is seen."""
    watched.daemon.parts.dispatcher.states[0].memory_steps["cpu"] += 2
    figures = watched.figures()
    steps = {
        step: figures["recogniser_memory_steps_total", step]
        for step in ("batch", "segment", "process", "cpu")
    }
    assert steps == {"batch": 0, "segment": 0, "process": 0, "cpu": 2}


def test_sound_and_speed(watched: Watched) -> None:
    """Seconds recognised, seconds with work in hand, their ratio, and in how many of them a card computed."""
    watched.put()
    job = watched.claim()
    state = watched.session.state
    state.in_work[job.id] = InWork(job, "a.wav", "inbox", watched.time.seconds)
    assert ("device_busy_ratio", "auto") not in watched.figures()
    state.audio_ms, state.busy_s, state.device_busy_s = 120_000, 6.0, 4.5
    figures = watched.figures()
    names = ("audio_seconds_total", "busy_seconds_total", "rtfx", "device_busy_ratio")
    assert [figures[name, "auto"] for name in names] == [120, 6, 20, 0.75]


def test_each_of_several_recognisers_has_figures_of_its_own(watched: Watched) -> None:
    """What one did is not the other's; none of them is left out."""
    engine = watched.config.engine.model_copy(update={"devices": ("cpu", "cpu")})
    watched.parts.dispatcher.reload(watched.config.model_copy(update={"engine": engine}))
    first, second = watched.parts.dispatcher.states
    first.audio_ms, first.restarts, second.audio_ms = 60_000, 2, 30_000
    first.count_failure("not_decodable")
    second.count_failure("not_decodable")
    figures = watched.figures()
    names = ("audio_seconds_total", "recogniser_restarts_total")
    assert [[figures[name, each] for name in names] for each in ("cpu#1", "cpu#2")] == [[60, 2], [30, 0]]
    assert figures["failures_total", "not_decodable"] == 2
    assert {key[1] for key in figures if key[0] == "audio_seconds_total"} == {"cpu#1", "cpu#2"}


def test_backups_and_disks(watched: Watched) -> None:
    """The age of the last backup, whether one failed or is overdue, and the room that is left."""
    assert ("backup_age_seconds",) not in watched.figures()
    watched.daemon.parts.upkeep.back_up()
    watched.daemon.parts.upkeep.look_after_backups()
    watched.time.pass_s(100.0)
    figures = watched.figures()
    assert figures["backup_age_seconds",] == figures["restore_drill_age_seconds",] == 100.0
    assert (figures["backup_failed",], figures["backup_overdue",], figures["restore_drill_ok",]) == (0, 0, 1)
    assert figures["disk_free_bytes", "state"] > 0
    assert figures["disk_free_bytes", "inbox inbox"] > 0
    watched.time.pass_s(3 * 86_400.0)
    assert watched.figures()["backup_overdue",] == 1


def test_what_cannot_be_read_is_left_out_and_the_rest_is_there(watched: Watched) -> None:
    """A folder that is gone costs its own figure alone."""
    watched.inbox.rmdir()
    figures = watched.figures()
    assert ("disk_free_bytes", "inbox inbox") not in figures
    assert ("disk_free_bytes", "state") in figures


def test_file_is_readable_for_node_exporter_and_whole(watched: Watched) -> None:
    """Others may read it whatever the daemon's umask, and nothing is left beside it."""
    watched.figures()
    assert stat.S_IMODE((watched.folder / "asr.prom").stat().st_mode) == 0o644
    assert [path.name for path in watched.folder.glob("asr.prom*")] == ["asr.prom"]


def test_every_figure_that_the_readme_alerts_on_is_there(watched: Watched) -> None:
    """The page on what to alert on names no figure that there is not."""
    watched.daemon.parts.upkeep.back_up()
    watched.daemon.parts.upkeep.look_after_backups()
    watched.daemon.parts.dispatcher.states[0].failures["not_decodable"] = 1
    watched.daemon.parts.dispatcher.states[0].busy_s = 1.0
    watched.daemon.parts.heartbeats.watch("intake")
    watched.daemon.parts.intake.watch()
    notify = (NotifySection(name="office", url="https://a.example/", on=("blocked",)),)  # type: ignore[arg-type]
    watched.parts.configuration.now = watched.config.model_copy(update={"notify": notify})
    readme = README.read_text(encoding="utf-8")
    named = set(re.findall(r"asr_daemon_(\w+)", readme))
    assert len(named) > 8
    assert named <= {name for name, *_ in watched.figures()}
