"""The unit files as systemd itself reads them: valid, and as closed as the README says."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asr_daemon import life, ticks
from asr_daemon.config import SYSTEM_CONFIG, Config
from asr_daemon.errors import ConfigurationError, StateFolderHeldError, UsageError
from asr_daemon.install.access import drop_in
from asr_daemon.install.environment import Environment
from asr_daemon.service.activation import METRICS_SOCKET

UNITS = Path(__file__).parents[3] / "systemd"
SERVICE = UNITS / "asr-daemon.service"
EXPOSURE_MAX = 10  # tenths, as `systemd-analyze security --threshold=` counts

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def settings() -> dict[str, list[str]]:
    """Return every setting of the unit with its values."""
    found: dict[str, list[str]] = {}
    for line in SERVICE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"([A-Z]\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


@pytest.fixture(params=["cpu", "gpu", "gpu and inboxes in homes"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a copy of the unit, with or without drop-ins, whose program exists here."""
    copy = tmp_path / SERVICE.name
    text = SERVICE.read_text(encoding="utf-8")
    text, changed = re.subn(r"(?m)^(Exec\w+)=\S+", r"\1=/bin/true", text)
    assert changed == 2
    copy.write_text(text, encoding="utf-8")
    drop_ins = tmp_path / "asr-daemon.service.d"
    if "gpu" in request.param:
        shutil.copytree(UNITS / "asr-daemon.service.d", drop_ins)
    if "inboxes" in request.param:
        inbox = {
            "name": "a",
            "path": "/home/李/录 音",
            "archive": "/srv/old",
            "hotwords": "/root/words/a.txt",
        }
        config = Config.model_validate({"inbox": [inbox]})
        environment = Environment(("/root/venv/bin/asr-daemon",), (Path("/root/venv"),))
        (drop_ins / "inboxes.conf").write_text(drop_in(config, environment, SYSTEM_CONFIG), encoding="utf-8")
    return copy


@needs_systemd
def test_systemd_accepts_the_unit(unit: Path) -> None:
    """No unknown setting, no misspelt value: systemd has nothing to say."""
    said = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize("unit", ["cpu"], indirect=True)
def test_systemd_accepts_the_socket_beside_the_unit(unit: Path) -> None:
    """The port for Prometheus: no unknown setting, and no circle of who starts and stops whom."""
    socket = Path(shutil.copy(UNITS / "asr-daemon.socket", unit.parent))
    said = subprocess.run(
        ["systemd-analyze", "verify", str(socket), str(unit)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    text = socket.read_text(encoding="utf-8")
    assert "\nListenStream=127.0.0.1:" in text
    assert f"\nFileDescriptorName={METRICS_SOCKET}\n" in text


@needs_systemd
def test_the_unit_is_closed(unit: Path) -> None:
    """Systemd's own measure of exposure is at most 1.0 out of 10, with and without the card."""
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Overall exposure level" in said.stdout
    assert said.returncode == 0, said.stdout


@needs_systemd
def test_sysusers_and_tmpfiles_make_user_and_folders(tmp_path: Path) -> None:
    """The two drop-ins create the service's user and its folders with their rights."""
    for program, kind in (("systemd-sysusers", "sysusers"), ("systemd-tmpfiles", "tmpfiles")):
        folder = tmp_path / "etc" / f"{kind}.d"
        folder.mkdir(parents=True)
        shutil.copy(UNITS / f"asr-daemon.{kind}.conf", folder / "asr-daemon.conf")
        create = ["--create"] if kind == "tmpfiles" else []
        subprocess.run([program, f"--root={tmp_path}", *create], check=True, capture_output=True)
    user = next(
        line.split(":")
        for line in (tmp_path / "etc" / "passwd").read_text().splitlines()
        if line.startswith("asr-daemon:")
    )
    assert user[5:] == ["/var/lib/asr-daemon", "/usr/sbin/nologin"]
    state, configuration = (tmp_path / "var/lib/asr-daemon").stat(), (tmp_path / "etc/asr-daemon").stat()
    assert state.st_mode & 0o777 == 0o750
    assert state.st_uid == int(user[2])
    assert (configuration.st_uid, configuration.st_gid) == (0, int(user[3]))


def test_every_loosened_setting_has_its_reason() -> None:
    """Who reads the unit finds above each `=no` (and the one system call set let in) why."""
    for path in (SERVICE, UNITS / "asr-daemon.service.d" / "gpu.conf"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.fullmatch(r"[A-Z]\w+=no|ProcSubset=all|SystemCallFilter=@chown", line):
                above = itertools.takewhile(lambda text: text.startswith("#"), reversed(lines[:number]))
                assert any(text.startswith("# Loosened: ") for text in above), line


def test_nothing_reaches_the_network() -> None:
    """No interface, no address, no family but local sockets."""
    unit = settings()
    assert unit["PrivateNetwork"] == ["yes"]
    assert unit["IPAddressDeny"] == ["any"]
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX"]


def test_the_units_times_fit_the_daemons() -> None:
    """The daemon stops before systemd loses patience, and is not restarted for what a restart cannot cure."""
    unit = settings()
    assert life.STOP_WITHIN_S < float(unit["TimeoutStopSec"][0]) <= 15
    assert float(unit["WatchdogSec"][0]) >= ticks.TICK_S * 3
    hopeless = {UsageError.exit_code, ConfigurationError.exit_code, StateFolderHeldError.exit_code}
    assert set(map(int, unit["RestartPreventExitStatus"][0].split())) == hopeless
