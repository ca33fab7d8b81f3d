"""A model that is missing or broken costs time, and nothing else: the whole service, real recognisers."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from asr_daemon.models.catalogue import BUILTIN_FOLDER
from support import SAMPLES, DaemonUnderTest, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

COMMAND = "asr-daemon models pull paraformer-zh"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonUnderTest]:
    """Return a daemon that is to use paraformer-zh, which is not there."""
    daemon = DaemonUnderTest(
        tmp_path, inboxes={"inbox": ""}, extra='[engine]\nmodel = "paraformer-zh"\n[models]\ndir = "models"'
    )
    yield daemon
    daemon.kill()


def blocked(daemon: DaemonUnderTest) -> str:
    """Wait until the recogniser is blocked; return why."""
    return eventually(
        lambda: daemon.live()["recogniser"]["state"] == "blocked" and daemon.live()["recogniser"]["problem"],
        what="the block",
    )


def test_work_waits_for_its_model_and_starts_by_itself(daemon: DaemonUnderTest, tmp_path: Path) -> None:
    """Queued, named with its command everywhere, done once it is pulled; then damaged, and pulled anew."""
    shutil.copy(SAMPLES / "lecture.wav", daemon.folder / "inbox" / "一.wav")
    daemon.start()
    assert COMMAND in blocked(daemon)
    assert COMMAND in json.loads(daemon.command("status", "--json").stdout)["model"]["problem"]
    assert COMMAND in daemon.command("status").stdout.replace("\n", "")
    found = json.loads(daemon.command("check", "--json").stdout)
    (finding,) = [each for each in found if each["key"] == "engine.model"]
    assert (finding["level"], finding["fix"]) == ("error", COMMAND)
    assert COMMAND in daemon.events("model_missing")[0]["problem"]
    assert COMMAND in daemon.events("queue_blocked")[0]["problem"]
    assert not list((daemon.folder / "inbox").glob("*.txt"))

    pulled = daemon.command("models", "pull", "paraformer-zh", "--from", str(BUILTIN_FOLDER))
    assert pulled.returncode == 0, pulled.stderr
    assert "同学们" in daemon.wait_for("inbox/一.txt").read_text(encoding="utf-8")
    assert daemon.live()["recogniser"]["problem"] == ""
    attempts = {row["name"]: row["attempts"] for row in daemon.history()}
    assert attempts == {"一.wav": 1}

    daemon.stop()  # what is loaded is loaded: the next start compares
    weights = daemon.folder / "models" / "paraformer-zh" / "model.pt"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    shutil.copy(SAMPLES / "finance.m4a", daemon.folder / "inbox" / "二.m4a")
    daemon.start()
    problem = blocked(daemon)
    assert "model.pt differs from its SHA-256" in problem
    assert COMMAND in problem
    verified = daemon.command("models", "verify")
    assert verified.returncode == 1
    assert "paraformer-zh: DAMAGED: model.pt" in verified.stdout
    assert daemon.command("models", "pull", "paraformer-zh", "--from", str(BUILTIN_FOLDER)).returncode == 0
    daemon.wait_for("inbox/二.txt")
    eventually(lambda: all(row["state"] == "done" for row in daemon.history()), what="both done")
    assert {row["attempts"] for row in daemon.history()} == {1}
    assert not list((daemon.folder / "inbox").glob("*转写失败*"))
