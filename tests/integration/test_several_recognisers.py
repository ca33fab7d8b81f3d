"""A daemon with two recognisers on one processor: both work, and one's end takes nothing from the other."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, check_transcript, drop, recording

from support import SAMPLES, DaemonUnderTest, convert, eventually, reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TWO = '[engine]\ndevices = ["cpu", "cpu"]'


def test_both_work_and_one_that_is_killed_takes_nothing_from_the_other(tmp_path: Path) -> None:
    """The killed one's recordings are tried again; the other's go on with their first attempt."""
    contents = {f"{number}.wav": recording(number, segments=60, ms=100) for number in range(4)}
    with AttackedDaemon(tmp_path, extra=TWO) as daemon:
        daemon.start()
        for name, content in contents.items():
            drop(daemon.inbox / name, content)

        def shared_out() -> dict[str, list[str]] | None:
            held: dict[str, list[str]] = {}
            for work in daemon.live()["in_work"]:
                held.setdefault(work["recogniser"], []).append(work["file"])
            return held if sum(map(len, held.values())) == 4 and len(held) == 2 else None

        held = eventually(shared_out, what="that both have their part")
        assert sorted(held) == ["cpu#1", "cpu#2"]
        assert {len(files) for files in held.values()} <= {1, 2, 3}
        pids = {each["name"]: each["pid"] for each in daemon.live()["recognisers"]}
        assert len(set(pids.values())) == 2
        os.kill(pids["cpu#1"], signal.SIGKILL)
        for name, content in contents.items():
            check_transcript(daemon.wait_for(f"inbox/{name[:-4]}.txt"), content)
        told = {each["name"]: each for each in daemon.live()["recognisers"]}
        assert (told["cpu#1"]["restarts"], told["cpu#2"]["restarts"]) == (1, 0)
        assert told["cpu#2"]["pid"] == pids["cpu#2"]
        attempts = dict(daemon.query("SELECT name, attempts FROM recordings JOIN jobs ON jobs.id = job_id"))
        assert {attempts[name] for name in held["cpu#2"]} == {1}
        (lost,) = daemon.events("recogniser_lost")
        assert lost["recogniser"] == "cpu#1"
        daemon.check_exactly_once(contents)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log_text()


def test_killed_daemon_of_two_recognisers_recovers_all_that_they_had(tmp_path: Path) -> None:
    """Nothing stays claimed in the name of a recogniser that is no more."""
    contents = {f"{number}.wav": recording(number, segments=60, ms=100) for number in range(4)}
    with AttackedDaemon(tmp_path, extra=TWO) as daemon:
        daemon.start()
        for name, content in contents.items():
            drop(daemon.inbox / name, content)
        eventually(lambda: len(daemon.live()["in_work"]) == 4, what="that all are in work")
        daemon.kill()
        assert {row[0] for row in daemon.query("SELECT claimed_by FROM jobs")} == {"cpu#1", "cpu#2"}
        daemon.start()
        daemon.wait_until_done(4)
        daemon.check_exactly_once(contents)
        assert daemon.query("SELECT DISTINCT claimed_by FROM jobs") == [(None,)]


def test_recognisers_come_and_go_with_a_reload(tmp_path: Path) -> None:
    """`engine.devices` is shortened in mid-work: what the one that goes had is done by the one that stays."""
    contents = {f"{number}.wav": recording(number, segments=60, ms=100) for number in range(4)}
    with AttackedDaemon(tmp_path, extra=TWO) as daemon:
        daemon.start()
        for name, content in contents.items():
            drop(daemon.inbox / name, content)
        eventually(lambda: len(daemon.live()["in_work"]) == 4, what="that all are in work")
        daemon.configure(inboxes={"inbox": 'formats = ["txt"]'}, extra='[engine]\ndevices = ["cpu"]')
        daemon.signal(signal.SIGHUP)
        eventually(lambda: daemon.events("configuration_reloaded"), what="the reload")
        assert [each["name"] for each in daemon.live()["recognisers"]] == ["cpu"]
        daemon.wait_until_done(4)
        daemon.check_exactly_once(contents)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log_text()


@pytest.mark.slow
def test_two_recognisers_with_the_real_model(make_daemon: Callable[..., DaemonUnderTest]) -> None:
    """Four recordings at once, each text right, both recognisers with a part; the model was verified once."""
    daemon = make_daemon({"inbox": 'formats = ["json"]'}, extra=TWO).start()
    inbox = daemon.folder / "inbox"
    convert(SAMPLES / "finance.m4a", daemon.folder / "first.wav")
    assert daemon.command("pause").returncode == 0
    (daemon.folder / "first.wav").rename(inbox / "first.wav")
    eventually(lambda: daemon.events("recording_queued"), what="that the first is queued")
    assert (
        daemon.command("resume").returncode == 0
    )  # both load for it, one after the other; one of them gets it
    eventually(lambda: len(daemon.events("model_loaded")) == 2, what="that both are loaded")
    daemon.wait_for("inbox/first.json")
    assert daemon.command("pause").returncode == 0
    for name in ("lecture.wav", "support.mp3"):
        shutil.copy(SAMPLES / name, inbox / name)
    for name in ("again.flac", "third.flac"):
        convert(SAMPLES / ("lecture.wav" if name == "again.flac" else "finance.m4a"), daemon.folder / name)
        (daemon.folder / name).rename(inbox / name)
    eventually(lambda: len(daemon.events("recording_queued")) == 5, what="that all are queued")
    assert daemon.command("resume").returncode == 0
    for name, sample in {
        "third": "finance",
        "lecture": "lecture",
        "support": "support",
        "again": "lecture",
    }.items():
        document = json.loads(daemon.wait_for(f"inbox/{name}.json").read_text(encoding="utf-8"))
        text = "".join(segment["text"] for segment in document["segments"])
        if sample == "lecture":
            assert text == reference(sample)
        else:
            assert len(text) > 50
        assert document["model"]["builtin"]
    started = {event["file"]: event["recogniser"] for event in daemon.events("recognition_started")[1:]}
    assert set(started.values()) == {"cpu#1", "cpu#2"}
    assert len(daemon.events("model_loaded")) == 2
    assert daemon.events("recogniser_lost") == []
    assert daemon.stop() == 0
