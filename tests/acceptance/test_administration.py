"""What an administrator does to a running daemon, and what it answers: mistakes, hangs, new departments."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from support import SAMPLES, DaemonUnderTest, eventually, reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonUnderTest]:
    """Return a running daemon of one department."""
    daemon = DaemonUnderTest(tmp_path, inboxes={"finance": ""}).start()
    yield daemon
    daemon.kill()


@pytest.fixture
def mistaken(daemon: DaemonUnderTest) -> DaemonUnderTest:
    """Return the daemon with a mistake in its file."""
    text = daemon.config_path.read_text(encoding="utf-8")
    daemon.config_path.write_text(text + "\n[daemon\n", encoding="utf-8")
    return daemon


# ------------------------------------------------------------------ a configuration with a mistake


def test_a_reload_with_a_mistake_fails_visibly(mistaken: DaemonUnderTest) -> None:
    """It ends with 2 and names the mistake; with none it ends with 0 and is taken up."""
    refused = mistaken.command("reload")
    assert refused.returncode == 2
    assert "not valid TOML" in refused.stderr
    mistaken.configure(inboxes={"finance": "", "hr": ""})
    assert mistaken.command("reload").returncode == 0
    assert {inbox["name"] for inbox in mistaken.live()["inboxes"]} == {"finance", "hr"}


def test_commands_reach_the_daemon_in_spite_of_a_mistake(mistaken: DaemonUnderTest) -> None:
    """Looking and steering go on by what the daemon has in force, and say so."""
    for command in (("status",), ("pause",), ("history",), ("resume",), ("backup", "now")):
        done = mistaken.command(*command)
        assert done.returncode == 0, (command, done.stderr)
        assert "not valid TOML" in done.stderr
        assert "goes on" in done.stderr
    status = json.loads(mistaken.command("status", "--json").stdout)
    assert "not valid TOML" in status["configuration"]["problem"]
    assert "the next start fails" in mistaken.command("status").stdout
    eventually(lambda: mistaken.events("configuration_file_invalid"))


def test_check_says_that_the_daemon_would_not_start_again(mistaken: DaemonUnderTest) -> None:
    """The mistake, and that a daemon runs all the same; without one, that none would start."""
    checked = mistaken.command("check", "--json")
    assert checked.returncode == 2
    assert [finding["level"] for finding in json.loads(checked.stdout)] == ["error", "warning"]
    mistaken.stop()
    assert [finding["level"] for finding in json.loads(mistaken.command("check", "--json").stdout)] == [
        "error",
        "error",
    ]
    assert mistaken.command("status").returncode == 2


def test_reload_without_a_daemon(daemon: DaemonUnderTest) -> None:
    """There is nothing to reload: one sentence."""
    daemon.stop()
    done = daemon.command("reload")
    assert (done.returncode, done.stderr) == (
        1,
        "asr-daemon: no daemon is running that could take up a configuration\n",
    )


# ------------------------------------------------------------------ what the file says and nobody does


def test_a_department_that_was_only_written_down_is_an_error(daemon: DaemonUnderTest) -> None:
    """`check` asks the daemon: what was added and not reloaded is named, and gone after the reload."""

    def errors() -> list[str]:
        found = json.loads(daemon.command("check", "--json").stdout)
        return [finding["key"] for finding in found if finding["level"] == "error"]

    assert errors() == []
    daemon.configure(inboxes={"finance": "", "hr": ""})
    assert errors() == ["inbox 'hr': path"]
    assert json.loads(daemon.command("status", "--json").stdout)["configuration"]["pending"]
    assert "was changed since" in daemon.command("status").stdout
    daemon.command("reload")
    assert errors() == []
    assert not json.loads(daemon.command("status", "--json").stdout)["configuration"]["pending"]


def test_a_hotword_file_that_cannot_be_read_is_told(daemon: DaemonUnderTest) -> None:
    """`status` names it before a recording needs it, and no more once it is mended."""

    def told() -> str:
        status = json.loads(daemon.command("status", "--json").stdout)
        return str(status["inboxes"][0]["hotwords_problem"])

    daemon.configure(inboxes={"finance": 'hotwords = "words.txt"'})
    daemon.command("reload")
    eventually(lambda: "words.txt" in told())
    assert "words.txt" in daemon.command("status").stdout
    (daemon.folder / "words.txt").write_text("顾清源\n", encoding="utf-8")
    eventually(lambda: told() == "")


# ------------------------------------------------------------------ a daemon that hangs, or is gone


def test_a_hung_daemon_is_said_to_hang_and_the_history_answers(daemon: DaemonUnderTest) -> None:
    """`status` and `check` end with 1 and name it; what the history knows is shown."""
    daemon.signal(signal.SIGSTOP)
    try:
        shown = daemon.command("status")
        status = json.loads(daemon.command("status", "--json").stdout)
        checked = json.loads(daemon.command("check", "--json").stdout)
    finally:
        daemon.signal(signal.SIGCONT)
    assert shown.returncode == 1
    assert "does not answer" in shown.stdout
    assert "finance" in shown.stdout
    assert not status["running"]
    assert "does not answer" in status["problem"]
    assert status["queue"]["queued"] == 0
    assert [f["text"] for f in checked if f["level"] == "error" and "does not answer" in f["text"]]
    assert daemon.command("status").returncode == 0


def test_status_without_a_daemon_ends_with_1(daemon: DaemonUnderTest) -> None:
    """A script sees by the exit code that nobody works."""
    daemon.stop()
    shown = daemon.command("status")
    assert shown.returncode == 1
    assert "not running" in shown.stdout


# ------------------------------------------------------------------ files that the service cannot reach


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to reach what the daemon does not")
@pytest.mark.parametrize(("of_folder", "of_file"), [(0o000, 0o644), (0o755, 0o000)])
def test_a_file_that_the_service_cannot_reach_is_handed_over(
    tmp_path: Path, of_folder: int, of_file: int
) -> None:
    """`transcribe` of a file in a closed folder, or one that is closed itself, works through the daemon."""
    daemon = DaemonUnderTest(tmp_path, inboxes={"finance": ""})
    daemon.without_rights = True
    daemon.start()
    closed = tmp_path / "closed"
    closed.mkdir()
    shutil.copy(SAMPLES / "finance.m4a", closed / "x.m4a")
    (closed / "x.m4a").chmod(of_file)
    closed.chmod(of_folder)
    try:
        done = daemon.command("transcribe", str(closed / "x.m4a"), str(SAMPLES / "lecture.wav"))
        assert (done.returncode, done.stderr) == (0, "")
        assert reference("finance")[-8:-1] in done.stdout.replace("\n", "")
        assert done.stdout.count("\n\n") > 1
    finally:
        closed.chmod(0o755)
        daemon.kill()
