"""A daemon, a bridge that is played in a process of its own, and children in the place of other machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop, recording
from bridge_process import CLUSTER, BridgeProcess, reload

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path


def held(daemon: AttackedDaemon) -> dict[str, list[str]]:
    """Return the files that each recogniser has in work."""
    found: dict[str, list[str]] = {}
    for work in daemon.live()["in_work"]:
        found.setdefault(work["recogniser"], []).append(work["file"])
    return found


@pytest.mark.slow
def test_machines_are_lost_and_the_bridge_is_killed_and_each_recording_has_one_transcript(
    tmp_path: Path,
) -> None:
    """What was committed is not recognised again, no attempt is spent, and a new bridge is used at once.

    The cluster comes and goes with a reload.
    """
    contents = {f"{number}.wav": recording(number, segments=90, ms=40) for number in range(6)}
    with AttackedDaemon(tmp_path) as daemon:
        daemon.start()
        reload(daemon, CLUSTER)
        assert "no bridge is connected" in daemon.command("status").stdout
        with BridgeProcess(daemon, "gpu1", "gpu2") as bridge:
            eventually(lambda: daemon.events("cluster_offered"), what="an offer")
            for name, content in contents.items():
                drop(daemon.inbox / name, content)
            everywhere = {"auto", "cluster#1", "cluster#2"}
            eventually(lambda: set(held(daemon)) == everywhere, what="that all have a part")
            told = {each["name"]: each for each in daemon.live()["recognisers"]}
            assert {told[name]["machine"] for name in everywhere} == {"", "gpu1", "gpu2"}
            eventually(lambda: daemon.recognised().total() > 10, what="some segments")
            bridge.tell("lose gpu1")
            (lost,) = eventually(lambda: daemon.events("machine_lost"), what="that it is lost")
            assert (lost["machine"], lost["error"]) == ("gpu1", "machine_lost")
            eventually(lambda: set(held(daemon)) == everywhere, what="that another one is hired")
        eventually(lambda: daemon.events("bridge_lost"), what="that the bridge is gone")
        eventually(lambda: set(held(daemon)) == {"auto"}, what="that this machine goes on alone")
        told = {each["name"]: each for each in daemon.live()["recognisers"]}
        assert {told[name]["state"] for name in ("cluster#1", "cluster#2")} <= {"blocked", "loading", "idle"}
        assert daemon.live()["recogniser"]["state"] == "working"
        with BridgeProcess(daemon, "gpu3"):
            daemon.wait_until_done(len(contents))
            daemon.check_exactly_once(contents)
            attempts = daemon.query("SELECT DISTINCT attempts, strikes, is_suspect FROM jobs")
            assert attempts == [(1, 0, 0)]
            again = daemon.recognised().total() - 90 * len(contents)
            assert again <= 2 * len(contents), "segments that were committed were recognised again"
            reload(daemon, "")
            eventually(lambda: len(daemon.events("bridge_lost")) == 2, what="that the bridge is let go")
        assert daemon.live()["cluster"] is None
        assert not (daemon.folder / "state" / "cluster.sock").exists()
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log_text()
