"""`healthcheck`: one sentence and 0 or 1, within three seconds, whatever has happened to the daemon."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from way import OpenDaemon

from asr_daemon.cli import cli
from asr_daemon.dispatch.in_work import Phase
from support import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITHIN_S = 3.0


class Looked(OpenDaemon):
    """A daemon that answers, and a file of configuration that leads to it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "config.toml"
        state = json.dumps(str(self.config.state_dir))
        self.path.write_text(f"[daemon]\nstate_dir = {state}\n", encoding="utf-8")
        self.server = self.serve()
        self.parts.intake.watch()
        self.parts.intake.step(0.0)

    def check(self) -> tuple[int, str]:
        """Return the exit code and the sentence."""
        began_s = time.monotonic()
        asked = ["healthcheck", "-c", os.fspath(self.path)]
        ended = CliRunner().invoke(cli, asked, standalone_mode=False)
        assert time.monotonic() - began_s < WITHIN_S
        assert ended.exception is None
        assert ended.output.count("\n") == 1
        return int(ended.return_value), ended.output.strip()

    def unhealthy(self) -> str:
        """Return the sentence of one that is not well."""
        code, said = self.check()
        assert (code, said.partition(":")[0]) == (1, "unhealthy")
        return said


@pytest.fixture
def looked(tmp_path: Path) -> Iterator[Looked]:
    """Return a daemon that is well."""
    looked = Looked(tmp_path)
    yield looked
    looked.server.close()
    looked.close()


def test_daemon_that_works_is_healthy(looked: Looked) -> None:
    """Paused is no illness."""
    assert looked.check() == (0, "healthy: idle; inboxes: 1")
    looked.session.state.phase = Phase.PAUSED
    assert looked.check()[0] == 0


def test_thread_that_hangs(looked: Looked) -> None:
    """What would end a service by its watchdog."""
    looked.parts.heartbeats.watch("intake")
    looked.time.pass_s(200.0)
    assert "'intake' has made no step for 200 s" in looked.unhealthy()


def test_queue_that_is_blocked(looked: Looked) -> None:
    """No model, say."""
    looked.session.state.phase, looked.session.state.reason = Phase.BLOCKED, "the model is not there"
    assert "the queue waits: the model is not there" in looked.unhealthy()


def test_inbox_that_is_dead(looked: Looked) -> None:
    """Its folder went; it is well again when it is back."""
    looked.inbox.rename(looked.inbox.with_name("away"))
    looked.parts.intake.wake("inbox", None)
    looked.parts.intake.step(0.0)
    assert "inbox 'inbox': the inbox folder" in looked.unhealthy()
    looked.inbox.with_name("away").rename(looked.inbox)
    looked.parts.intake.wake("inbox", None)
    looked.parts.intake.step(0.0)
    assert looked.check()[0] == 0


def test_folder_of_departments_that_cannot_be_seen(looked: Looked) -> None:
    """Nobody's recordings would be found there."""
    looked.parts.configuration.departments_problem = "the folder of the departments does not answer"
    assert "does not answer" in looked.unhealthy()


def test_nothing_runs(looked: Looked) -> None:
    """Also where nothing was ever started."""
    looked.server.close()
    assert "no daemon runs on the state folder" in looked.unhealthy()
    shutil.rmtree(looked.config.state_dir)
    assert "no daemon runs on the state folder" in looked.unhealthy()


def test_daemon_that_does_not_answer(looked: Looked) -> None:
    """It took the question, and is silent."""
    looked.server.close()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(os.fspath(looked.config.socket_path))
        silent.listen()
        assert "hangs" in looked.unhealthy()


def test_configuration_that_was_spoilt_since_is_not_the_daemons_illness(looked: Looked) -> None:
    """It runs on with what it read; `check` and `status` say that it would not start again."""
    with looked.path.open("a", encoding="utf-8") as file:
        file.write("unknown = 1\n")
    assert looked.check()[0] == 0


def test_exit_code_is_1_and_never_2(tmp_path: Path) -> None:
    """2 is reserved by Docker; the whole command, as an engine runs it."""
    ended = run_command("healthcheck", STATE_DIRECTORY=str(tmp_path / "state"))
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("unhealthy: no daemon runs")
