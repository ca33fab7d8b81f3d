"""The gateway's unit, user and access, installed into a folder that stands for the machine's root."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installing import CONFIG, EXPOSURE_MAX, configure, read, wanted

from asr_daemon.config import Config, load_config
from asr_daemon.doctor.finding import Machine
from asr_daemon.doctor.gateway import look_at_gateway
from asr_daemon.install import Outcome, install, uninstall
from asr_daemon.install.gateway import CLOSED, LET_IN, WEB_SYSUSERS, WEB_TMPFILES, WEB_UNIT

if TYPE_CHECKING:
    from asr_daemon.doctor.finding import Finding

UNITS = Path(__file__).parents[2] / "systemd"
GATEWAY = """
[daemon]
state_dir = "/var/lib/asr-daemon"
[gateway]
listen = "127.0.0.1:8760"
tls_certificate = "/home/certs/c.pem"
tls_key = "/home/certs/k.pem"
[[inbox]]
name = "a"
path = "/srv/share/财务 部"
archive = "/srv/old"
[[inbox]]
name = "b"
path = "/home/b"
"""


def test_gateway_gets_a_unit_a_user_and_its_access(tmp_path: Path) -> None:
    """Another user than the daemon's, whom that lets in; the departments' folders are hidden from it."""
    configure(tmp_path, GATEWAY)
    records = install(wanted(tmp_path))
    unit = read(tmp_path, WEB_UNIT)
    assert "\nExecStart=/opt/asr-daemon/bin/asr-daemon serve -c /etc/asr-daemon/config.toml\n" in unit
    assert "\nUser=asr-daemon-web\nGroup=asr-daemon-web\n" in unit
    assert "u asr-daemon-web - " in read(tmp_path, WEB_SYSUSERS)
    assert "u:asr-daemon-web:r" in read(tmp_path, WEB_TMPFILES)
    closed = read(tmp_path, CLOSED).splitlines()
    for line in (
        "Environment=ASR_DAEMON_GATEWAY_USER=asr-daemon-web",
        'InaccessiblePaths=-"/srv/share/财务 部"',
        "InaccessiblePaths=-/srv/old",
        "InaccessiblePaths=-/var/lib/asr-daemon",
        "BindReadOnlyPaths=-/home/certs",
    ):
        assert line in closed
    assert not any("/home/b" in line for line in closed)  # hidden with all homes
    let_in = read(tmp_path, LET_IN)
    assert "\nEnvironment=ASR_DAEMON_GATEWAY_USER=asr-daemon-web\n" in let_in
    assert "\nSupplementaryGroups=asr-daemon-web\n" in let_in
    assert any("enable --now asr-daemon-web" in record.what for record in records)
    again = install(wanted(tmp_path))
    assert not [record for record in again if record.outcome is Outcome.WRITTEN]


def test_user_follows_the_services_or_the_configuration(tmp_path: Path) -> None:
    """`install --user transcripts` makes transcripts-web; `gateway.user` is the last word."""
    configure(tmp_path, GATEWAY)
    install(wanted(tmp_path, user="transcripts"))
    assert "\nUser=transcripts-web\n" in read(tmp_path, WEB_UNIT)
    assert "u transcripts-web - " in read(tmp_path, WEB_SYSUSERS)
    assert "/var/lib/asr-daemon-web 0700 transcripts-web transcripts-web" in read(tmp_path, WEB_TMPFILES)
    configure(tmp_path, GATEWAY.replace("[gateway]", '[gateway]\nuser = "console"'))
    install(wanted(tmp_path))
    assert "\nUser=console\n" in read(tmp_path, WEB_UNIT)
    assert "USER=console\n" in read(tmp_path, LET_IN)


def test_without_a_gateway_nothing_of_it_is_there(tmp_path: Path) -> None:
    """Neither before, nor after it was taken out of the configuration, nor after `uninstall`."""
    every = (WEB_UNIT, CLOSED, LET_IN, WEB_SYSUSERS, WEB_TMPFILES)

    def left() -> list[Path]:
        return [path for path in every if (tmp_path / path.relative_to("/")).exists()]

    install(wanted(tmp_path))
    assert left() == []
    plain = (tmp_path / CONFIG).read_text(encoding="utf-8")
    for remove in (lambda: configure(tmp_path, plain), None):
        configure(tmp_path, GATEWAY)
        install(wanted(tmp_path))
        assert left() == list(every)
        if remove:
            remove()
            install(wanted(tmp_path))
        else:
            uninstall(wanted(tmp_path))
        assert left() == []
        assert not (tmp_path / CLOSED.parent.relative_to("/")).exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units_and_the_gateways_is_closed(tmp_path: Path) -> None:
    """Valid as systemd reads them; exposure at most 1.5, the daemon's still at most 1.0."""
    configure(tmp_path, GATEWAY)
    install(wanted(tmp_path))
    folder = tmp_path / WEB_UNIT.parent.relative_to("/")
    for unit in (folder / WEB_UNIT.name, folder / "asr-daemon.service"):
        text = unit.read_text(encoding="utf-8").replace("/opt/asr-daemon/bin/asr-daemon", "/bin/true")
        unit.write_text(text, encoding="utf-8")
    for unit, most in ((folder / WEB_UNIT.name, EXPOSURE_MAX), (folder / "asr-daemon.service", 10)):
        verified = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
        )
        assert (verified.returncode, verified.stderr) == (0, "")
        command = ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", str(unit)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout


def findings(root: Path, config: Config, config_path: Path | None = None) -> list[Finding]:
    """Return what `check` says of the gateway, of a machine without systemd."""
    machine = Machine(root=root, run=lambda *_: None)
    return [finding for finding in look_at_gateway(config, config_path, machine) if finding.level != "ok"]


def configured(folder: Path, **gateway: object) -> Config:
    """Return a configuration with a gateway; nobody was ever let in."""
    return Config.model_validate({"daemon": {"state_dir": folder / "state"}, "gateway": gateway})


def test_check_says_that_nobody_may_use_it(tmp_path: Path) -> None:
    """A gateway without a token is a door without a key; where there is none, nothing is said."""
    (found,) = findings(tmp_path, configured(tmp_path))
    assert "no token" in found.text
    assert "access add" in found.fix
    assert findings(tmp_path, Config()) == []


@pytest.mark.parametrize(
    ("listen", "is_said"),
    [
        ("127.0.0.1:1", False),
        ("[::1]:1", False),
        ("localhost:1", False),
        ("unix:/run/x", False),
        ("0.0.0.0:1", True),
        ("console.example:1", True),
    ],
)
def test_check_warns_of_plain_http_beyond_this_machine(tmp_path: Path, listen: str, is_said: bool) -> None:
    """Tokens that cross the network in the clear."""
    found = [each for each in findings(tmp_path, configured(tmp_path, listen=listen)) if "http" in each.text]
    assert bool(found) == is_said


def test_check_says_which_files_the_gateways_user_cannot_read(tmp_path: Path) -> None:
    """A key that is root's, and a user that is not there."""
    certificate, key = tmp_path / "c.pem", tmp_path / "missing.pem"
    certificate.touch()
    config = configured(tmp_path, tls_certificate=certificate, tls_key=key)
    keys = [found.key for found in findings(tmp_path, config)]
    assert keys == ["gateway.tls_key", "gateway"]
    configure(tmp_path, GATEWAY)
    install(wanted(tmp_path))
    installed = load_config(tmp_path / CONFIG)
    (found,) = findings(tmp_path, installed, Path("/etc/asr-daemon/config.toml"))
    if "asr-daemon-web" not in [entry.pw_name for entry in pwd.getpwall()]:
        assert "asr-daemon-web" in found.text
        assert found.fix == "asr-daemon install"
