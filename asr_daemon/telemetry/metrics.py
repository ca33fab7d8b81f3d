"""Figures for Prometheus, on a loopback port or in a file for node_exporter's textfile collector. Opt-in.

Enters: the parts of the running daemon. Leaves: the text format of Prometheus. Every figure is read when it
is asked for, from the history and from what the daemon knows; what cannot be read is left out, so that alerts
on absence fire. Names begin with ``asr_daemon_``, times are seconds, sizes bytes.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from asr_daemon import __version__
from asr_daemon.clock import from_stamp
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.errors import AsrDaemonError, InboxGoneError
from asr_daemon.files.publish import publish
from asr_daemon.history.outbox import Standing, standings
from asr_daemon.history.recordings import inbox_label
from asr_daemon.telemetry.metrics_port import MetricsPort

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.daemon import Parts

log = structlog.get_logger()

PREFIX = "asr_daemon_"
Labels = dict[str, str]


class Figures:
    """Collects from the parts whenever Prometheus asks; a collector of ``prometheus_client``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not ask the daemon."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every figure that can be had."""
        parts = (self._service, self._queue, self._work, self._live, self._messages, self._backups)
        for part in (*parts, self._disks):
            try:
                yield from list(part())
            except (AsrDaemonError, OSError) as error:
                log.debug("figures_missing", part=part.__name__, problem=str(error))

    def _service(self) -> Iterator[Metric]:
        states = self._parts.dispatcher.states
        yield _gauge(
            "info",
            "Release and recognisers.",
            *(
                (1, {"version": __version__, "recogniser": state.name, "device": state.device})
                for state in states
            ),
        )
        yield _gauge(
            "thread_silence_seconds",
            "Since a thread's last step; the watchdog ends the daemon for one above 120.",
            *((age_s, {"thread": name}) for name, age_s in self._parts.heartbeats.ages_s().items()),
        )
        yield _gauge(
            "blocked",
            "1 while the queue waits for a model, a device or room.",
            self._parts.dispatcher.is_blocked or bool(self._parts.upkeep.state_problem),
        )
        yield _gauge(
            "yielding",
            "1 while the queue waits because others use the card.",
            any(state.phase is Phase.YIELDING for state in states),
        )
        yield from self._cluster()
        yield _gauge(
            "state_problem",
            "1 while the state folder is full, read-only, or its history damaged: nothing can be recorded.",
            bool(self._parts.upkeep.state_problem),
        )
        if self._parts.config.gateway is not None:
            yield _gauge(
                "gateway_up", "1 while the gateway serves.", bool(self._parts.changes.attendance.now)
            )
        yield _gauge(
            "configuration_problem",
            "1 while the configuration file is invalid: the next start would fail.",
            bool(self._parts.configuration.look().problem),
        )
        yield _gauge(
            "inbox_problem",
            "1 while an inbox cannot be watched, read, found or written.",
            *(
                (bool(self._parts.inbox_problem(watched)), {"inbox": name})
                for name, watched in list(self._parts.intake.inboxes.items())
            ),
        )

        yield _gauge(
            "ignored_files",
            "Files in an inbox that are no recordings, by their content.",
            *(
                (len(watched.ignored), {"inbox": name})
                for name, watched in list(self._parts.intake.inboxes.items())
            ),
        )

    def _cluster(self) -> Iterator[Metric]:
        if self._parts.config.cluster is None:
            return
        dispatcher = self._parts.dispatcher
        standing, on = dispatcher.cluster.standing, Counter(state.machine for state in dispatcher.states)
        yield _gauge("cluster_up", "1 while recognisers can be hired of the cluster.", not standing.problem)
        yield _gauge("cluster_cards", "Recognisers that the cluster offers.", standing.offer.cards)
        yield _gauge(
            "cluster_recognisers",
            "Recognisers that are loaded on another machine.",
            *((count, {"machine": machine}) for machine, count in on.items() if machine),
        )
        yield _counter(
            "cluster_machines_lost",
            "Machines lost since the start, each time that one was.",
            *((count, {"machine": name}) for name, count in list(dispatcher.cluster.machines.lost.items())),
        )

    def _queue(self) -> Iterator[Metric]:
        history = self._parts.history
        yield _gauge("paused", "1 after `pause`.", self._parts.settings.is_paused)
        counts = {row["state"]: row["jobs"] for row in history.all("queue_counts")}
        yield _gauge(
            "queue_jobs",
            "Recordings that wait or are in work.",
            *((counts.get(state, 0), {"state": state}) for state in ("queued", "running")),
        )
        yield _gauge(
            "queue_oldest_age_seconds",
            "How long the first in line has waited, within its inbox's hours.",
            self._parts.jobs.turns.oldest_age_s(),
        )
        yield _gauge(
            "recordings",
            "Recordings in the history.",
            *(
                (row["recordings"], {"inbox": inbox_label(row["inbox"]), "state": row["state"]})
                for row in history.all("inbox_counts")
            ),
        )
        yield _gauge(
            "failed_jobs",
            "Work that failed for good, by class.",
            *((row["jobs"], {"class": row["error_code"] or ""}) for row in history.all("failures_by_class")),
        )

    def _work(self) -> Iterator[Metric]:
        states = self._parts.dispatcher.states
        named = [(state, {"recogniser": state.name}) for state in states]
        yield _counter(
            "audio_seconds",
            "Sound recognised since the start.",
            *((state.audio_ms / 1000, name) for state, name in named),
        )
        yield _counter(
            "busy_seconds",
            "Time with work in hand since the start.",
            *((state.busy_s, name) for state, name in named),
        )
        yield _gauge(
            "rtfx",
            "Seconds of sound a second, since the start.",
            *((state.audio_ms / 1000 / state.busy_s, name) for state, name in named if state.busy_s),
        )
        yield _gauge(
            "device_busy_ratio",
            "Share of the time with work in hand that the device spent in batches, since the start.",
            *((ratio, name) for state, name in named if (ratio := state.device_busy_ratio) is not None),
        )
        failures: Counter[str] = Counter()
        steps: Counter[str] = Counter()
        for state in states:
            failures.update(dict(state.failures))
            steps.update(dict(state.memory_steps))
        yield _counter(
            "failures",
            "Attempts that failed since the start, by class.",
            *((count, {"class": code}) for code, count in failures.items()),
        )
        yield _counter(
            "recogniser_restarts",
            "Recognisers lost since the start.",
            *((state.restarts, name) for state, name in named),
        )
        yield _counter(
            "recogniser_memory_steps",
            "What was done since the start because memory did not suffice: halving, fresh process, CPU.",
            *((count, {"step": step}) for step, count in steps.items()),
        )
        yield _counter(
            "recogniser_out_of_memory",
            "Attempts that ended because memory did not suffice, since the start.",
            failures["out_of_memory"],
        )

    def _live(self) -> Iterator[Metric]:
        states = self._parts.dispatcher.states
        named = [(state, {"recogniser": state.name}) for state in states]
        yield _gauge(
            "live_sessions",
            "Live sessions that are open.",
            *((len(state.live), name) for state, name in named),
        )
        yield _gauge("live_sessions_most", "How many may be open at once.", self._parts.dispatcher.live.most)
        yield _counter(
            "live_sessions_begun",
            "Live sessions since the start.",
            *((state.live_begun, name) for state, name in named),
        )
        yield _counter(
            "live_audio_seconds",
            "Sound of live sessions that have ended since the start.",
            *((state.live_ms / 1000, name) for state, name in named),
        )

    def _messages(self) -> Iterator[Metric]:
        if not self._parts.config.notify:
            return
        found, now = standings(self._parts.history), self._parts.clock.now()
        names = [section.name for section in self._parts.config.notify]
        named = [(found.get(name, Standing()), {"target": name}) for name in names]
        yield _gauge("messages_waiting", "Messages to be sent.", *((s.waiting, name) for s, name in named))
        yield _gauge(
            "messages_oldest_age_seconds",
            "How long the oldest of them has waited.",
            *(
                ((now - from_stamp(s.oldest_waiting)).total_seconds() if s.oldest_waiting else 0.0, name)
                for s, name in named
            ),
        )
        yield _gauge(
            "messages_given_up",
            "Messages that were tried for a day in vain.",
            *((s.given_up, name) for s, name in named),
        )

    def _backups(self) -> Iterator[Metric]:
        health, now = self._parts.upkeep.health(), self._parts.clock.now()
        if health.last is not None:
            age_s = (now - health.last.taken_at).total_seconds()
            yield _gauge("backup_age_seconds", "Since the last backup was taken.", age_s)
            yield _gauge("backup_size_bytes", "Its size.", health.last.size_bytes)
        yield _gauge("backup_failed", "1 while the last backup failed.", bool(health.error))
        yield _gauge("backup_second_failed", "1 while the second folder lacks it.", bool(health.second_error))
        yield _gauge("backup_overdue", "1 while a backup is overdue.", health.overdue_since is not None)
        if health.drill is not None:
            age_s = (now - from_stamp(health.drill.at)).total_seconds()
            yield _gauge("restore_drill_age_seconds", "Since the last restore drill.", age_s)
            yield _gauge("restore_drill_ok", "1 if it passed.", not health.drill.problem)

    def _disks(self) -> Iterator[Metric]:
        config = self._parts.config
        folders = [("state", config.state_dir), ("backup", config.backup_dir)]
        folders += [(f"inbox {inbox.name}", inbox.path) for inbox in config.inbox]
        free = []
        for name, folder in folders:
            with contextlib.suppress(OSError, InboxGoneError):
                room = self._parts.shares.ask(folder, functools.partial(shutil.disk_usage, folder))
                free.append((room.free, {"folder": name}))
        yield _gauge("disk_free_bytes", "Room on the disk of a folder.", *free)
        yield _gauge("history_size_bytes", "The history's size.", config.history_path.stat().st_size)


class Metrics:
    """Shows the figures as the configuration says; belongs to the daemon."""

    def __init__(self, parts: Parts, passed: socket.socket | None = None) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(Figures(parts))
        self.port = MetricsPort(self._registry, passed)

    def write(self, path: Path) -> None:
        """Write the figures to a file, whole or not at all, readable for node_exporter's user.

        Its folder may be one that everybody writes into. Raises
        :class:`~asr_daemon.errors.ShareUnavailableError`.
        """
        publish(path, generate_latest(self._registry), mode=0o644)


def _gauge(name: str, text: str, *values: Any) -> Metric:
    return _fill(GaugeMetricFamily, name, text, values)


def _counter(name: str, text: str, *values: Any) -> Metric:
    return _fill(CounterMetricFamily, name, text, values)


def _fill(
    family: type[GaugeMetricFamily | CounterMetricFamily], name: str, text: str, values: tuple[Any, ...]
) -> Metric:
    """Return the metric with its values: bare figures, or pairs of a figure and its labels."""
    pairs: list[tuple[float, Labels]] = [
        (float(value[0]), value[1]) if isinstance(value, tuple) else (float(value), {}) for value in values
    ]
    names = list(pairs[0][1]) if pairs else []
    metric = family(PREFIX + name, text, labels=names)
    for value, labels in pairs:
        metric.add_metric([labels[each] for each in names], value)
    return metric
