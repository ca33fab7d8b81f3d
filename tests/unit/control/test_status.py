"""`status --json` is an interface: every key is documented, and no documented key is missing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from way import START, OpenDaemon, make_config

from asr_daemon.backup.drill import Drill
from asr_daemon.config_cluster import ClusterSection
from asr_daemon.config_notify import NotifySection
from asr_daemon.config_sections import GatewaySection
from asr_daemon.control import status
from asr_daemon.control.messages import Ask, Attend
from asr_daemon.control.socket import ControlServer
from asr_daemon.control.status_line import status_line
from asr_daemon.dispatch.cluster_messages import Hello, Offer
from asr_daemon.dispatch.in_work import InWork, LiveWork, Phase
from asr_daemon.errors import NotDecodableError
from asr_daemon.inboxes.lane import Progress
from asr_daemon.install.running import ServiceState
from asr_daemon.views.console import console
from asr_daemon.views.status import status_view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config import Config


def documented() -> set[str]:
    """Return the keys that the module's documentation names, with their parents: "backup.last.path"."""
    found: set[str] = set()
    parent = ""
    for line in (status.__doc__ or "").splitlines():
        names = re.findall(r"``([\w.\[\]]+)``", line.split("  ")[0])
        for name in names:
            found.add(f"{parent}{name}" if name.startswith(".") else name)
            parent = name.rpartition(".")[0] if not name.startswith(".") else parent
    return found


def keys_of(value: Any, prefix: str = "") -> set[str]:
    """Return every key of nested objects and lists, in the same form."""
    if isinstance(value, list):
        return {f"{prefix}[]"}.union(*(keys_of(each, f"{prefix}[]") for each in value))
    if not isinstance(value, dict):
        return {prefix}
    inner = (keys_of(each, f"{prefix}.{key}" if prefix else key) for key, each in value.items())
    return ({prefix} if prefix else set()).union(*inner)


class Running(OpenDaemon):
    """A daemon that answers, with something of everything to show."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.daemon.parts.intake.watch()
        self.control = ControlServer(self.config.socket_path, self.daemon.commands.answer)
        self.put("bad.wav", b"bad")
        self.jobs.fail(self.claim().id, NotDecodableError())
        self.put("work.wav", b"work")
        job = self.claim()
        work = InWork(job, "work.wav", "inbox", 0.0, 10_000, 5_000, 2_500)
        self.daemon.parts.dispatcher.states[0].in_work[job.id] = work
        self.daemon.parts.dispatcher.states[0].live[1] = LiveWork(1, "inbox", 0.0)
        self.daemon.parts.upkeep.back_up()
        self.daemon.parts.upkeep.look_after_backups()

    def close(self) -> None:
        """End."""
        self.control.close()
        super().close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Return the daemon."""
    running = Running(tmp_path)
    yield running
    running.close()


def collected(config: Config) -> dict[str, Any]:
    """Return the status as a script gets it."""
    service = ServiceState("active", "enabled", "success", 0, 0.0)
    found: dict[str, Any] = json.loads(json.dumps(status.collect(config, START, service)))
    return found


def test_every_key_is_documented_and_every_documented_key_is_there(running: Running) -> None:
    """Documentation and answer name the same keys, no more and no fewer."""
    parents = {"model", "queue", "configuration", "service", "backup", "gateway", "live"}
    parents |= {"cluster", "cluster.bridge", "recogniser.memory_steps", "recognisers[].memory_steps"}
    with (running.inbox / "large.wav").open("wb") as large:
        progress = Progress(running.inbox / "large.wav", large.fileno(), lambda: False)
    running.parts.intake.reader._lane("inbox").progress = progress
    running.put("done.wav", b"done")
    running.finish(running.claim().id, "你好")
    running.put("next.wav", b"next")
    assert collected(running.config)["estimate"]
    here = Attend("127.0.0.1:8760", False, 1, "asr-daemon-web", "1.0")
    gateway = running.parts.changes.attendance.serve(Ask(here), running.parts.changes)
    next(gateway)
    notify = (NotifySection(name="office", url="https://a.example/b"),)  # type: ignore[arg-type]
    section = ClusterSection(address="head:6379")
    config = running.config.model_copy(
        update={"gateway": GatewaySection(), "notify": notify, "cluster": section}
    )
    running.parts.configuration.now = config
    cluster = running.parts.dispatcher.cluster
    cluster.take(cluster.connect(Hello("1.0", "Ray 2.60.0"), Mock()), Offer(2, ("gpu1",)))
    assert keys_of(collected(config)) - parents == documented() - parents
    gateway.close()
    assert collected(config)["gateway"]["serving"] == []


def test_top_level_is_the_same_without_a_daemon(tmp_path: Path) -> None:
    """A script needs no second way of reading; what only a daemon knows is null or empty."""
    config = make_config(tmp_path)
    without = collected(config)
    assert set(without) == {key for key in documented() if not re.search(r"[.\[]", key)} | {
        *(
            "model",
            "queue",
            "backup",
            "service",
            "in_work",
            "errors",
            "inboxes",
            "recognisers",
            "live",
            "next",
            "notify",
        ),
    }
    assert (without["running"], without["recogniser"], without["queue"]) == (False, None, {})
    assert without["schema"] == status.SCHEMA == 1


def test_progress_and_problems_are_told(running: Running) -> None:
    """The figures are those of the work at hand."""
    told = collected(running.config)
    (work,) = told["in_work"]
    assert (work["percent"], work["recognised_s"], work["duration_s"]) == (25, 2.5, 10.0)
    assert told["errors"][0]["code"] == "not_decodable"
    assert told["backup"]["problems"] == []
    assert told["backup"]["drill"]["problem"] == ""


def test_inbox_in_which_nothing_happened_counts_nothing(running: Running) -> None:
    """No row in the history is no recording."""
    empty = running.config.inbox[0].model_copy(update={"name": "empty", "path": running.folder / "empty"})
    config = running.config.model_copy(update={"inbox": (*running.config.inbox, empty)})
    told = collected(config)["inboxes"][-1]
    assert [told[key] for key in ("waiting", "done", "failed")] == [0, 0, 0]


def test_systemctl_status_shows_one_line(running: Running) -> None:
    """What is in work, how far it is, how many wait behind it; and what holds the queue."""
    assert status_line(running.parts) == "work.wav 25% · 0 waiting"
    running.put("next.wav", b"next")
    state = running.daemon.parts.dispatcher.states[0]
    state.in_work.clear()
    state.phase, state.reason = Phase.BLOCKED, "no model"
    assert status_line(running.parts) == "blocked: no model · 1 waiting"


def test_people_see_what_is_wrong_with_the_backups(running: Running) -> None:
    """A failed backup, an overdue one and a failed drill are lines of `status`."""
    running.settings.set("backup_error", "2026-03-14 no room")
    running.settings.set("backup_drill", Drill("2026-03-15T00:00:00.000Z", "x", "bad").to_json())
    people = console()
    with people.capture() as shown:
        people.print(status_view(collected(running.config)))
    text = " ".join(shown.get().split())
    assert "the last backup failed: 2026-03-14 no room" in text
    assert "the restore drill of x failed: bad" in text


def test_people_see_that_memory_does_not_suffice(running: Running) -> None:
    """What was done about it is a line of `status`; without any there is none."""

    def shown() -> str:
        people = console()
        with people.capture() as captured:
            people.print(status_view(collected(running.config)))
        return " ".join(captured.get().split())

    assert "Memory" not in shown()
    running.daemon.parts.dispatcher.states[0].memory_steps |= {"batch": 3, "cpu": 1}
    assert "Memory did not suffice: 3 batches halved, 1 recordings tried on the CPU." in shown()


def test_a_folder_of_backups_that_is_closed_does_not_break_status(running: Running) -> None:
    """`status` shows the problem, and everything else."""
    for file in running.config.backup_dir.iterdir():
        file.unlink()
    running.config.backup_dir.rmdir()
    running.config.backup_dir.write_text("in the way")
    told = collected(running.config)
    assert told["running"]
    assert any("cannot be listed" in problem for problem in told["backup"]["problems"])


def test_people_see_which_messages_wait_and_why_and_no_address(running: Running) -> None:
    """The kind and the host of an address are all that is shown."""
    notify = (NotifySection(name="office", url="https://a.example/hunter2", on=("blocked",)),)  # type: ignore[arg-type]
    outbox = running.parts.upkeep.outbox
    outbox.configure(notify)
    outbox.announce("blocked", "queue", "no model")
    config = running.config.model_copy(update={"notify": notify})
    people = console()
    with people.capture() as captured:
        people.print(status_view(collected(config)))
    shown = " ".join(captured.get().split())
    assert "messages to office (https://a.example/…): 1 wait; messages wait for the gateway" in shown
    assert "hunter2" not in shown + json.dumps(collected(config))
