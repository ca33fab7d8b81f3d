"""Installing a service into a folder that stands for the machine's root."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.backup import list_backups
from asr_daemon.config import Config, load_config
from asr_daemon.errors import OperatorError, UsageError
from asr_daemon.install import Installation, Outcome, install, uninstall
from asr_daemon.install.access import advice, drop_in, missing_folders, quoted, quoted_bind
from asr_daemon.install.environment import Environment
from asr_daemon.install.shipped import shipped_file, shipped_text
from asr_daemon.install.steps import Steps, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.install import StepRecord

OPT = Environment(("/opt/asr-daemon/bin/asr-daemon",), (Path("/opt/asr-daemon"), Path("/usr")))
CONFIG = Path("/etc/asr-daemon/config.toml")
UNIT = "etc/systemd/system/asr-daemon.service"
SOCKET = "etc/systemd/system/asr-daemon.socket"
INBOXES = "etc/systemd/system/asr-daemon.service.d/inboxes.conf"


def wanted(root: Path, **changes: object) -> Installation:
    """Return an installation below that folder."""
    values: dict[str, object] = {"root": root, "environment": OPT, "has_card": False}
    return Installation(**{**values, **changes})  # type: ignore[arg-type]


def configured(**sections: object) -> Config:
    """Return a configuration of one inbox, state where the unit has it."""
    base = {"daemon": {"state_dir": "/var/lib/asr-daemon"}, "inbox": [{"name": "a", "path": "/srv/a"}]}
    return Config.model_validate({**base, **sections})


def done(records: list[StepRecord], outcome: Outcome) -> list[str]:
    """Return what had that outcome."""
    return [record.what for record in records if record.outcome is outcome]


# ------------------------------------------------------------------ install


def test_installing_makes_unit_user_folders_and_configuration(tmp_path: Path) -> None:
    """After one command everything lies where systemd looks for it, for the program that was called."""
    install(wanted(tmp_path))
    unit = (tmp_path / UNIT).read_text()
    assert "\nExecStart=/opt/asr-daemon/bin/asr-daemon run -c /etc/asr-daemon/config.toml\n" in unit
    assert "\nUser=asr-daemon\nGroup=asr-daemon\n" in unit
    assert "u asr-daemon - " in (tmp_path / "etc/sysusers.d/asr-daemon.conf").read_text()
    assert "/var/lib/asr-daemon 0750" in (tmp_path / "etc/tmpfiles.d/asr-daemon.conf").read_text()
    assert (tmp_path / "usr/local/bin/asr-daemon").readlink() == Path("/opt/asr-daemon/bin/asr-daemon")
    config = load_config(tmp_path / "etc/asr-daemon/config.toml")
    assert config.state_dir == Path("/var/lib/asr-daemon")  # also for commands that root calls by hand


def test_installing_twice_changes_nothing(tmp_path: Path) -> None:
    """The second time every step says unchanged or kept."""
    install(wanted(tmp_path))
    again = install(wanted(tmp_path))
    assert done(again, Outcome.WRITTEN) == []
    assert done(again, Outcome.KEPT) == [str(CONFIG)]
    assert len(done(again, Outcome.UNCHANGED)) == 5


def test_an_upgrade_keeps_the_configuration_and_renews_the_unit(tmp_path: Path) -> None:
    """The administrator's settings stay; the unit of an older release is replaced."""
    install(wanted(tmp_path))
    (tmp_path / "etc/asr-daemon/config.toml").write_text('[[inbox]]\nname = "x"\npath = "/srv/x"\n')
    (tmp_path / UNIT).write_text("# Installed by asr-daemon 0.0.1\n[Service]\n")
    again = install(wanted(tmp_path))
    assert (tmp_path / "etc/asr-daemon/config.toml").read_text().startswith("[[inbox]]")
    assert "ExecStart=" in (tmp_path / UNIT).read_text()
    assert "/" + INBOXES in done(again, Outcome.WRITTEN)
    assert "\nReadWritePaths=-/srv/x\n" in (tmp_path / INBOXES).read_text()


def test_another_user_is_named_everywhere_and_folders_keep_their_names(tmp_path: Path) -> None:
    """--user changes whose the folders are, not what they are called."""
    install(wanted(tmp_path, user="transcripts"))
    assert "\nUser=transcripts\nGroup=transcripts\n" in (tmp_path / UNIT).read_text()
    lines = [
        line
        for name in ("sysusers", "tmpfiles")
        for line in (tmp_path / f"etc/{name}.d/asr-daemon.conf").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert lines == [
        'u transcripts - "Transcripts beside recordings" /var/lib/asr-daemon /usr/sbin/nologin',
        "d /var/lib/asr-daemon 0750 transcripts transcripts -",
        "d /etc/asr-daemon 0750 root transcripts -",
        "z /etc/asr-daemon/config.toml 0640 root transcripts -",
    ]


@pytest.mark.parametrize("name", ["", "Root", "a b", "x\nUser=root", "a" * 32])
def test_a_name_that_is_no_system_user_is_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    """Nothing is written for a name that systemd would not take."""
    with pytest.raises(UsageError):
        install(wanted(tmp_path, user=name))
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_everything_and_does_nothing(tmp_path: Path) -> None:
    """--dry-run shows the same steps and leaves the machine alone."""
    said = install(wanted(tmp_path, dry_run=True))
    assert list(tmp_path.iterdir()) == []
    assert done(said, Outcome.WRITTEN) == done(install(wanted(tmp_path)), Outcome.WRITTEN)


def test_below_another_root_no_program_of_this_machine_is_run(tmp_path: Path) -> None:
    """For an image or a package, files are written and nothing is started, reloaded or created."""
    ran: list[Sequence[str]] = []
    install(wanted(tmp_path, run=ran.append))
    uninstall(wanted(tmp_path, run=ran.append))
    assert ran == []


def test_without_rights_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without root is told to use sudo; a dry run is for everyone."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(OperatorError, match="use sudo"):
        Steps(Path("/")).require_root()
    Steps(Path("/"), dry_run=True).require_root()
    Steps(tmp_path).require_root()


def test_a_broken_configuration_stops_before_the_unit(tmp_path: Path) -> None:
    """With a configuration that the daemon would refuse, the running unit is left alone."""
    (tmp_path / "etc/asr-daemon").mkdir(parents=True)
    (tmp_path / "etc/asr-daemon/config.toml").write_text("[daemon]\nrescan = 1\n")
    with pytest.raises(OperatorError, match=r"rescan"):
        install(wanted(tmp_path))
    assert not (tmp_path / UNIT).exists()


@pytest.mark.parametrize(("device", "there"), [("auto", True), ("cuda:1", True), ("cpu", False)])
def test_the_card_is_opened_where_there_is_one_and_it_is_wanted(
    device: str, there: bool, tmp_path: Path
) -> None:
    """The drop-in for the card follows engine.device; without a card it is not written."""
    gpu = tmp_path / "etc/systemd/system/asr-daemon.service.d/gpu.conf"
    install(wanted(tmp_path))
    assert not gpu.exists()
    install(wanted(tmp_path, has_card=True))
    assert "DeviceAllow=char-nvidia rw" in gpu.read_text()
    (tmp_path / "etc/asr-daemon/config.toml").write_text(f'[engine]\ndevice = "{device}"\n')
    install(wanted(tmp_path, has_card=True))
    assert gpu.exists() == there


def test_a_program_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    """Something else at /usr/local/bin/asr-daemon stays, also when uninstalling."""
    program = tmp_path / "usr/local/bin/asr-daemon"
    program.parent.mkdir(parents=True)
    program.write_text("mine")
    assert "/usr/local/bin/asr-daemon" in done(install(wanted(tmp_path)), Outcome.KEPT)
    uninstall(wanted(tmp_path))
    assert program.read_text() == "mine"


# ------------------------------------------------------------------ the port for Prometheus


def test_a_port_gets_its_socket_and_loses_it_again(tmp_path: Path) -> None:
    """With `metrics.port` systemd listens there, on loopback; without, nothing does."""
    install(wanted(tmp_path))
    socket, config = tmp_path / SOCKET, tmp_path / "etc/asr-daemon/config.toml"
    assert not socket.exists()
    text = config.read_text()
    config.write_text(text.replace("port = 0", "port = 9123"))
    install(wanted(tmp_path))
    assert "\nListenStream=127.0.0.1:9123\n" in socket.read_text()
    config.write_text(text)
    assert done(install(wanted(tmp_path)), Outcome.REMOVED) == ["/" + SOCKET]
    config.write_text(text.replace("port = 0", "port = 9123"))
    install(wanted(tmp_path))
    uninstall(wanted(tmp_path))
    assert not socket.exists()


@pytest.mark.parametrize(
    ("address", "shown", "is_open"),
    [("127.0.0.1", "127.0.0.1", False), ("::1", "[::1]", False), ("192.168.1.5", "192.168.1.5", True)],
)
def test_the_ports_address_is_the_sockets(tmp_path: Path, address: str, shown: str, is_open: bool) -> None:
    """Systemd lets nobody but this machine in, unless somebody named an address of the network."""
    install(wanted(tmp_path))
    config = tmp_path / "etc/asr-daemon/config.toml"
    text = config.read_text().replace("port = 0", "port = 9123")
    config.write_text(text.replace('address = "127.0.0.1"', f'address = "{address}"'))
    install(wanted(tmp_path))
    unit = (tmp_path / SOCKET).read_text()
    assert f"\nListenStream={shown}:9123\n" in unit
    assert ("IPAddressDeny=any" not in unit) is is_open


def test_departments_to_come_may_be_written_too(tmp_path: Path) -> None:
    """The folder of the departments is opened to the service, and closed to the gateway."""
    install(wanted(tmp_path))
    config = tmp_path / "etc/asr-daemon/config.toml"
    text = config.read_text().replace('inboxes = ""', 'inboxes = "/srv/share"')
    config.write_text(text + "\n[gateway]\n")
    install(wanted(tmp_path))
    units = tmp_path / "etc/systemd/system"
    assert "ReadWritePaths=-/srv/share\n" in (units / "asr-daemon.service.d/inboxes.conf").read_text()
    assert "InaccessiblePaths=-/srv/share\n" in (units / "asr-daemon-web.service.d/closed.conf").read_text()


# ------------------------------------------------------------------ uninstall


def test_uninstalling_keeps_history_configuration_and_local_changes(tmp_path: Path) -> None:
    """Unit and drop-ins go; what the administrator made and what was transcribed stays."""
    install(wanted(tmp_path, has_card=True))
    history = tmp_path / "var/lib/asr-daemon/history.db"
    history.parent.mkdir(parents=True)
    history.write_text("history")
    own = tmp_path / "etc/systemd/system/asr-daemon.service.d/override.conf"
    own.write_text("[Service]\nNice=0\n")
    records = uninstall(wanted(tmp_path))
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir())
    assert left == [
        "etc/asr-daemon/config.toml",
        "etc/systemd/system/asr-daemon.service.d/override.conf",
        "var/lib/asr-daemon/history.db",
    ]
    said = done(records, Outcome.NOTED)
    removed_by = "rm -rf /var/lib/asr-daemon"
    assert (
        f"kept: /var/lib/asr-daemon (history, backups, models); to remove it for good: {removed_by}" in said
    )
    assert any("userdel asr-daemon" in sentence for sentence in said)
    assert any("override.conf" in sentence for sentence in said)
    assert done(uninstall(wanted(tmp_path)), Outcome.REMOVED) == []


# ------------------------------------------------------------------ what the service may reach


def test_every_folder_that_is_written_is_opened_and_no_more() -> None:
    """Inbox, archive, second backup folder: yes; what lies in the state folder is open already."""
    config = configured(
        inbox=[{"name": "a", "path": "/srv/a", "archive": "/srv/old"}],
        backup={"dir": "/var/lib/asr-daemon/b", "second_dir": "/mnt/nas/b"},
    )
    opened = [line for line in drop_in(config, OPT, CONFIG).splitlines() if "Paths=" in line]
    assert opened == ["ReadWritePaths=-/srv/a", "ReadWritePaths=-/srv/old", "ReadWritePaths=-/mnt/nas/b"]


def test_inboxes_in_homes_are_shown_alone() -> None:
    """Of /home the service sees its inbox and the program's own folders, nothing else."""
    config = configured(inbox=[{"name": "a", "path": "/home/li/录音", "hotwords": "/home/li/words/a.txt"}])
    environment = Environment(("/root/venv/bin/asr-daemon",), (Path("/root/venv"), Path("/usr")))
    lines = drop_in(config, environment, CONFIG).splitlines()
    assert "ProtectHome=tmpfs" in lines
    assert "BindPaths=-/home/li/录音" in lines
    assert "BindReadOnlyPaths=-/home/li/words" in lines
    assert "BindReadOnlyPaths=-/root/venv" in lines
    assert not any("/usr" in line for line in lines)


def test_homes_stay_closed_when_nothing_lies_there() -> None:
    """Without need, ProtectHome=yes of the unit stays in force."""
    assert "ProtectHome" not in drop_in(configured(), OPT, CONFIG)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/a", "/srv/a"),
        ("/srv/财务 部", '"/srv/财务 部"'),
        ('/srv/"a"', '"/srv/\\"a\\""'),
        ("/srv/100%", '"/srv/100%%"'),
        ("/srv/a;b", '"/srv/a;b"'),
        ("/srv/a\\b", '"/srv/a\\\\b"'),
    ],
)
def test_paths_are_written_as_unit_files_want_them(path: str, expected: str) -> None:
    """Spaces, quotes, percent signs and backslashes of folder names do not change the unit's meaning."""
    assert quoted(path) == expected


def test_a_colon_does_not_split_a_bound_path() -> None:
    """In BindPaths= a colon would begin the target."""
    assert quoted_bind(Path("/home/a:b")) == "/home/a\\:b"


def test_shared_groups_are_joined_and_closed_inboxes_get_advice(tmp_path: Path) -> None:
    """A folder that its group may write is opened through the group; for a closed one setfacl is named."""
    if os.geteuid() != 0:
        pytest.skip("only root can give folders away")
    shared, closed = tmp_path / "shared", tmp_path / "closed"
    shared.mkdir()
    closed.mkdir(mode=0o700)
    os.chown(shared, -1, 1)  # "daemon", which every Linux has
    shared.chmod(0o2770)
    config = configured(
        inbox=[
            {"name": "s", "path": str(shared)},
            {"name": "c", "path": str(closed)},
            {"name": "gone", "path": str(tmp_path / "gone")},
        ]
    )
    assert "\nSupplementaryGroups=daemon\n" in drop_in(config, OPT, CONFIG)
    said = list(advice(config, "asr-daemon"))
    assert len(said) == 2
    assert f"setfacl -R -m u:asr-daemon:rwX -m d:u:asr-daemon:rwX {closed}" in said[0]
    assert "is not there" in said[1]


def test_folders_that_the_service_needs_and_nobody_made_are_named(tmp_path: Path) -> None:
    """A state or backup folder elsewhere does not come about by itself: the command for it is shown."""
    config = configured(
        daemon={"state_dir": str(tmp_path / "my state")}, backup={"dir": "/var/lib/asr-daemon/b"}
    )
    (sentence,) = missing_folders(config, "asr-daemon")
    made = f"install -d -o asr-daemon -g asr-daemon -m 750 '{tmp_path}/my state'"
    assert sentence == f"daemon.state_dir: make the folder: {made}"
    (tmp_path / "my state").mkdir()
    assert list(missing_folders(config, "asr-daemon")) == []


# ------------------------------------------------------------------ parts


def test_the_running_environment_can_be_started() -> None:
    """ExecStart= names a program that exists and folders that hold this very package."""
    environment = Environment.running()
    assert os.access(environment.command[0], os.X_OK)
    here = Path(shipped_file.__code__.co_filename)
    assert any(folder in here.parents for folder in environment.folders)


def test_the_shipped_unit_fits_the_shipped_configuration() -> None:
    """The files are found, and the text that install replaces is in them."""
    assert shipped_text("systemd/asr-daemon.service").count("\nExecStart=") == 1
    with pytest.raises(OperatorError, match="install the package anew"):
        shipped_file("systemd/none.service")


def test_a_program_that_fails_is_quoted() -> None:
    """What a system program said about its failure reaches the administrator."""
    with pytest.raises(OperatorError, match="no such thing"):
        run_program(["sh", "-c", "echo no such thing >&2; exit 3"])
    with pytest.raises(OperatorError, match="not installed"):
        run_program(["/nowhere/systemctl"])


def test_an_upgrade_of_this_machine_backs_the_history_up_first(tmp_path: Path) -> None:
    """Replacing another release's unit takes a backup of the history before anything else is changed."""
    from asr_daemon.install.service import _back_up_before_upgrade  # noqa: PLC0415

    history = tmp_path / "state/history.db"
    history.parent.mkdir()
    with contextlib.closing(sqlite3.connect(history)) as database:
        database.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY)")
    config = configured(daemon={"state_dir": str(history.parent)})
    (tmp_path / UNIT).parent.mkdir(parents=True)
    (tmp_path / UNIT).write_text("# Installed by asr-daemon 0.0.1\n")
    steps = Steps(tmp_path)
    _back_up_before_upgrade(steps, config, datetime(2025, 3, 15, tzinfo=timezone.utc))
    (made,) = list_backups(config.backup_dir)
    assert str(made.path) in steps.records[-1].what
