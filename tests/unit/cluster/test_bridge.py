"""The bridge's process without a cluster: what it tells the daemon, and that it outlives both ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ray")

from clustered import PlayedDaemon, free_port

from asr_daemon import __version__
from asr_daemon.cluster.standing import Standing
from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.cluster_messages import Offer
from asr_daemon.errors import ClusterAwayError
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[PlayedDaemon]:
    """One whose cluster is not there."""
    daemon = PlayedDaemon(tmp_path, f"127.0.0.1:{free_port()}")
    yield daemon
    daemon.close()


def test_a_cluster_that_is_away_is_told_and_nobody_is_hired_there(daemon: PlayedDaemon) -> None:
    """The bridge stays, finds a daemon that starts anew, obeys one that wants none, ends by SIGTERM."""
    daemon.start_bridge()
    eventually(lambda: daemon.offers and "Nothing answers at" in daemon.offers[-1].problem)
    assert daemon.hello is not None
    assert daemon.hello.release == __version__
    assert "Ray" in daemon.hello.versions
    hired = daemon.hire()
    hired.begin_loading()
    hired.listen(lambda: hired.is_over, 10)
    assert isinstance(hired.lost, protocol.Lost)
    assert hired.lost.code == "cluster_away"
    assert "Nothing answers at" in hired.lost.message

    daemon.hang_up()
    daemon.hello = None
    daemon.listen()
    eventually(lambda: daemon.hello, within_s=10)
    daemon.refuse("another release")
    eventually(lambda: "bridge_refused" in daemon.log_path.read_text(), within_s=10)
    assert daemon.bridge is not None
    daemon.bridge.send_signal(signal.SIGTERM)
    assert daemon.bridge.wait(8) == 0


@pytest.mark.parametrize(
    ("section", "said"), [("", "there is no [cluster]"), ('[cluster]\naddress = "head"', "cluster.address")]
)
def test_without_a_cluster_in_the_configuration_it_ends_with_2(
    tmp_path: Path, section: str, said: str
) -> None:
    """One sentence says what is missing."""
    (tmp_path / "config.toml").write_text(f'[daemon]\nstate_dir = "state"\n{section}\n')
    command = [sys.executable, "-m", "asr_daemon", "bridge", "-c", str(tmp_path / "config.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_ray_it_says_how_to_install_it(tmp_path: Path) -> None:
    """It is no part of the ordinary installation."""
    (tmp_path / "config.toml").write_text(
        '[daemon]\nstate_dir = "state"\n[cluster]\naddress = "head:6379"\ninsecure = true\n'
    )
    program = (
        "import importlib.util as u, sys\n"
        "found = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'ray' else found(name, *more)\n"
        f"sys.argv = ['asr-daemon', 'bridge', '-c', {str(tmp_path / 'config.toml')!r}]\n"
        "from asr_daemon.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "asr-daemon: ray is not installed: pip install 'asr-daemon[cluster]'\n"


class ScriptedDriver:
    """A cluster that answers as it is told."""

    def __init__(self) -> None:
        self.answers: list[Offer | Exception] = []
        self.is_connected = True
        self.connects = 0

    def connect(self) -> None:
        """Count."""
        self.connects += 1

    def look(self) -> Offer:
        """Answer."""
        answer = self.answers.pop(0) if self.answers else Offer(1, ("gpu1",))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def disconnect(self) -> None:
        """Let go."""


def test_a_connection_that_ray_gave_up_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that only did not answer once is kept: what was hired works on."""
    monkeypatch.setattr("asr_daemon.cluster.standing.LOOK_EVERY_S", 0.01)
    driver = ScriptedDriver()
    seen: list[str] = []
    standing = Standing(driver, "head:1")  # type: ignore[arg-type]
    driver.answers = [Offer(2, ("gpu1", "gpu2")), RuntimeError("for once"), ClusterAwayError("no token")]
    standing.start(lambda: seen.append(standing.offer.problem))
    eventually(lambda: len(seen) == 4, within_s=5)
    assert seen == ["", "The cluster at head:1 cannot be asked: for once", "no token", ""]
    assert driver.connects == 1
    driver.is_connected = False
    driver.answers = [ConnectionError("closed channel")]
    eventually(lambda: driver.connects == 2, within_s=5)
    standing.stop(5)


def test_a_cluster_that_does_not_answer_is_away_and_at_last_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray may keep a question for ever."""
    standing = Standing(ScriptedDriver(), "head:1")  # type: ignore[arg-type]
    standing._is_connected = True
    assert not standing.is_lost
    standing._answered_s -= 20
    assert standing.offer.problem == "The cluster at head:1 has not answered for 20 s."
    assert not standing.is_lost
    standing._answered_s -= 50
    assert standing.is_lost
