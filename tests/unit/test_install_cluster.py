"""The bridge's unit, user and access, installed into a folder that stands for the machine's root."""

from __future__ import annotations

import grp
import shutil
import subprocess
from pathlib import Path

import pytest
from installing import CONFIG, EXPOSURE_MAX, configure, read, wanted

from asr_daemon.config_cluster import ClusterSection
from asr_daemon.install import Outcome, install, uninstall
from asr_daemon.install.cluster import BRIDGE
from asr_daemon.install.gateway import GATEWAY

CLUSTER = """
[daemon]
state_dir = "/var/lib/asr-daemon"
[cluster]
address = "ray://head:10001"
[[inbox]]
name = "a"
path = "/srv/share/财务 部"
"""
EVERY = (BRIDGE.unit, BRIDGE.closed, BRIDGE.let_in, BRIDGE.sysusers, BRIDGE.tmpfiles)


def test_bridge_gets_a_unit_a_user_and_its_access(tmp_path: Path) -> None:
    """Another user than the daemon's, whom that lets in; shares and history are hidden from it."""
    configure(tmp_path, CLUSTER)
    records = install(wanted(tmp_path))
    unit = read(tmp_path, BRIDGE.unit)
    assert "\nExecStart=/opt/asr-daemon/bin/asr-daemon bridge -c /etc/asr-daemon/config.toml\n" in unit
    assert "\nUser=asr-daemon-cluster\nGroup=asr-daemon-cluster\n" in unit
    assert "u asr-daemon-cluster - " in read(tmp_path, BRIDGE.sysusers)
    assert "u:asr-daemon-cluster:r" in read(tmp_path, BRIDGE.tmpfiles)
    closed = read(tmp_path, BRIDGE.closed).splitlines()
    for line in (
        "Environment=ASR_DAEMON_CLUSTER_USER=asr-daemon-cluster",
        'InaccessiblePaths=-"/srv/share/财务 部"',
        "InaccessiblePaths=-/var/lib/asr-daemon",
    ):
        assert line in closed
    assert not any(line.startswith("ProtectProc=") for line in closed)
    let_in = read(tmp_path, BRIDGE.let_in)
    assert "\nEnvironment=ASR_DAEMON_CLUSTER_USER=asr-daemon-cluster\n" in let_in
    assert "\nSupplementaryGroups=asr-daemon-cluster\n" in let_in
    assert any("enable --now asr-daemon-cluster" in record.what for record in records)
    assert not [record for record in install(wanted(tmp_path)) if record.outcome is Outcome.WRITTEN]


def test_token_and_certificates_are_handed_over_by_systemd(tmp_path: Path) -> None:
    """They stay root's: neither daemon nor recogniser can read them; what is not there yet stops nothing."""
    files = {
        "token_file": "ray.token",
        "tls_ca": "ca.pem",
        "tls_certificate": "own.pem",
        "tls_key": "own.key",
    }
    for name in list(files.values())[:3]:
        (tmp_path / name).touch(0o600)
    lines = "".join(f'{key} = "{tmp_path / name}"\n' for key, name in files.items())
    configure(tmp_path, CLUSTER.replace("[[inbox]]", f"{lines}[[inbox]]"))
    install(wanted(tmp_path))
    closed = read(tmp_path, BRIDGE.closed)
    handed = [line for line in closed.splitlines() if line.startswith("LoadCredential=")]
    assert handed == [f"LoadCredential={name}:{tmp_path / name}" for name in list(files.values())[:3]]


def test_bridge_reads_what_systemd_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name in the folder of credentials; what was not handed over is read where it lies."""
    section = ClusterSection(
        address="head:6379",
        token_file=Path("/etc/ray/token"),
        tls_ca=Path("/etc/ca"),
        tls_certificate=Path("/etc/c"),
        tls_key=Path("/etc/k"),
    )
    assert section.as_handed_over() == section
    (tmp_path / "token").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    handed = section.as_handed_over()
    assert (handed.token_file, handed.tls_key) == (tmp_path / "token", Path("/etc/k"))


def test_driver_that_joins_a_ray_of_this_machine_sees_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GCS address: Ray's driver looks for the raylet among all processes, and joins its sockets."""
    configure(tmp_path, CLUSTER.replace("ray://head:10001", "127.0.0.1:6379"))
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 77, [])), raising=True)
    install(wanted(tmp_path))
    closed = read(tmp_path, BRIDGE.closed).splitlines()
    for line in ("ProtectProc=default", "ProcSubset=all", "SupplementaryGroups=asr-daemon-ray"):
        assert line in closed


def test_user_follows_the_services_or_the_configuration(tmp_path: Path) -> None:
    """`install --user transcripts` makes transcripts-cluster; `cluster.user` is the last word."""
    configure(tmp_path, CLUSTER)
    install(wanted(tmp_path, user="transcripts"))
    assert "\nUser=transcripts-cluster\n" in read(tmp_path, BRIDGE.unit)
    assert "u transcripts-cluster - " in read(tmp_path, BRIDGE.sysusers)
    configure(tmp_path, CLUSTER.replace("[cluster]", '[cluster]\nuser = "ray"'))
    install(wanted(tmp_path))
    assert "\nUser=ray\n" in read(tmp_path, BRIDGE.unit)
    assert "USER=ray\n" in read(tmp_path, BRIDGE.let_in)


def test_without_a_cluster_nothing_of_it_is_there(tmp_path: Path) -> None:
    """Neither before, nor after it was taken out of the configuration, nor after `uninstall`."""

    def left() -> list[Path]:
        return [path for path in EVERY if (tmp_path / path.relative_to("/")).exists()]

    install(wanted(tmp_path))
    assert left() == []
    plain = (tmp_path / CONFIG).read_text(encoding="utf-8")
    configure(tmp_path, CLUSTER)
    install(wanted(tmp_path))
    assert left() == list(EVERY)
    configure(tmp_path, plain)
    install(wanted(tmp_path))
    assert left() == []
    configure(tmp_path, CLUSTER)
    install(wanted(tmp_path))
    told = uninstall(wanted(tmp_path))
    assert left() == []
    assert any("userdel asr-daemon-cluster" in record.what for record in told)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("address", ["ray://head:10001", "127.0.0.1:6379"])
def test_systemd_accepts_the_units_and_the_bridges_is_closed(tmp_path: Path, address: str) -> None:
    """Valid as systemd reads them, beside a gateway, too; exposure at most 1.5, the daemon's at most 1.0."""
    configure(
        tmp_path, CLUSTER.replace("ray://head:10001", address) + '\n[gateway]\nlisten = "127.0.0.1:8760"\n'
    )
    install(wanted(tmp_path))
    folder = tmp_path / BRIDGE.unit.parent.relative_to("/")
    assert (tmp_path / GATEWAY.let_in.relative_to("/")).exists()
    for name, most in ((BRIDGE.unit.name, EXPOSURE_MAX), ("asr-daemon.service", 10)):
        unit = folder / name
        text = unit.read_text(encoding="utf-8").replace("/opt/asr-daemon/bin/asr-daemon", "/bin/true")
        unit.write_text(text, encoding="utf-8")
        verified = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
        )
        assert (verified.returncode, verified.stderr) == (0, "")
        command = ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", str(unit)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout
