"""`check`: every problem with its key and its fix, and no alarm where all is well."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_folders import Silent
from way import START, make_config

from asr_daemon.backup import take_backup
from asr_daemon.clock import Clock
from asr_daemon.doctor import Finding, Machine, examine, shared
from asr_daemon.doctor.host import look_at_host, look_at_sqlite
from asr_daemon.doctor.rights import ServiceUser, Wanted, probe
from asr_daemon.doctor.writers import other_writers
from asr_daemon.history import open_history
from asr_daemon.install.service import DROP_INS, SOCKET, UNIT, Installation, expected_files
from asr_daemon.models.abilities import FAMILY_OF_CLASS
from asr_daemon.models.bringing import Bringer
from asr_daemon.telemetry.journal import Journal
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config

SOUND_SQLITE = (3, 53, 0)
CLOSED_TO_OTHERS = """
import os, sys
class Closed:
    def find_spec(self, name, path=None, target=None):
        if os.geteuid() != os.getuid():
            raise ModuleNotFoundError(f"{name}: only root may read it")
sys.meta_path.insert(0, Closed())
from asr_daemon.cli import main
main()
"""
NOBODY = "nobody"
EVERYWHERE = "0.0.0.0"  # noqa: S104 (what is warned of)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try another user's rights")


class Host:
    """A machine made of files below a folder, and a configuration on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        (folder / "inbox").mkdir()
        self.write("proc/sys/fs/inotify/max_user_watches", "1000\n")
        self.write("proc/sys/fs/inotify/max_user_instances", "128\n")
        self.write("proc/meminfo", "MemTotal:       16000000 kB\n")
        self.write("etc/localtime", "")
        self.config = make_config(folder)
        self.programs: dict[str, str] = {"timedatectl": "yes\n"}
        self.machine = Machine(
            root=self.root,
            run=lambda *command: self.programs.get(command[0]),
            now=lambda: START,
            sqlite_version=SOUND_SQLITE,
            journal_reachable=lambda: True,
        )

    def write(self, path: str, text: str) -> Path:
        """Write a file of the machine."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def section(self, name: str, **values: Any) -> None:
        """Change a section of the configuration; "inbox" is the one inbox."""
        if name == "inbox":
            changed: Any = (self.config.inbox[0].model_copy(update=values),)
        else:
            changed = getattr(self.config, name).model_copy(update=values)
        self.config = self.config.model_copy(update={name: changed})

    def problems(self, key: str = "") -> list[Finding]:
        """Return what is wrong with that key (the built-in model is known to be small)."""
        found = examine(self.config, machine=self.machine)
        return [f for f in found if f.level != "ok" and key in f.key and "trying out" not in f.text]

    def problem(self, key: str) -> Finding:
        """Return the one thing that is wrong with that key; it says how to mend it."""
        (found,) = self.problems(key)
        assert found.fix
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a sound machine."""
    return Host(tmp_path)


def test_a_sound_machine_has_no_problem(host: Host) -> None:
    """Nothing is alleged where nothing is wrong, and every part was looked at."""
    assert host.problems() == []
    keys = {finding.key for finding in examine(host.config, machine=host.machine)}
    assert keys >= {
        *("daemon.state_dir", "backup.dir", "inbox 'inbox': path", "engine.model", "engine.ffmpeg"),
        *("engine.device", "environment", "clock", "service", "daemon.log"),
    }
    assert list((host.folder / "inbox").iterdir()) == [], "no probe file stays"


# ------------------------------------------------------------------ folders


@pytest.mark.parametrize("key", ["path", "archive"])
def test_missing_folder_of_an_inbox(host: Host, key: str) -> None:
    """Inbox and archive are not made by the service: they have to be there."""
    host.section("inbox", **{key: host.folder / "missing"})
    assert "is not there" in host.problem(f"inbox 'inbox': {key}").text


def test_an_inbox_that_is_a_file(host: Host) -> None:
    """It is there, and is no folder."""
    (host.folder / "file").touch()
    host.section("inbox", path=host.folder / "file")
    assert "is a file" in host.problem("inbox 'inbox': path").text


def test_no_inbox_at_all(host: Host) -> None:
    """Nothing would ever be transcribed."""
    host.config = host.config.model_copy(update={"inbox": ()})
    assert "[[inbox]]" in host.problem("inbox").fix


def test_what_people_put_there_and_the_service_cannot_use(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sub-folders and recordings of the file server's making are named, with the masks of the very share."""
    monkeypatch.setattr(shared, "probe", lambda wanted, _user: ["Permission denied" for _ in wanted])
    (host.folder / "inbox" / "三月").mkdir(mode=0o700)
    (host.folder / "inbox" / "三月" / "a.wav").write_bytes(b"x")
    (host.folder / "inbox" / "@Snapshot").mkdir(mode=0o700)
    host.write("etc/samba/smb.conf", f"[dep]\npath = {host.folder}/inbox\n")
    to_write, to_read = host.problems("inbox 'inbox': path")
    assert "cannot write 1 of its sub-folders" in to_write.text
    assert "cannot read 1 of its recordings" in to_read.text
    assert "in [dep] of /etc/samba/smb.conf: force create mode" in to_read.fix


def test_second_backup_folder_on_the_same_disk(host: Host) -> None:
    """A second copy that one failure takes along is none."""
    (host.folder / "nas").mkdir()
    host.section("backup", second_dir=host.folder / "nas")
    assert "same disk" in host.problem("backup.second_dir").text


def test_more_folders_than_inotify_watches(host: Host) -> None:
    """Named before the kernel refuses, with the setting that helps."""
    host.write("proc/sys/fs/inotify/max_user_watches", "3\n")
    for name in "abc":
        (host.folder / "inbox" / name).mkdir()
    host.section("inbox", watch="events")
    found = [f for f in host.problems("environment") if "inotify" in f.text]
    assert "4 folders" in found[0].text
    assert "max_user_watches=" in found[0].fix
    host.section("inbox", recursive=False)
    assert host.problems("environment") == []


def test_metrics_file_needs_its_folder(host: Host) -> None:
    """The textfile collector's folder has to be there."""
    host.section("metrics", textfile=host.folder / "none" / "asr.prom")
    assert "is not there" in host.problem("metrics.textfile").text


@pytest.fixture
def public() -> Iterator[Path]:
    """Yield a folder that every user may enter (pytest's own are closed to others)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@as_root
def test_rights_are_those_of_the_services_user(public: Path) -> None:
    """Root could write; the service's user cannot, and that is what counts. Root stays root."""
    closed, opened, secret = public / "closed", public / "opened", public / "secret"
    closed.mkdir(mode=0o755)
    opened.mkdir()
    opened.chmod(0o777)
    secret.write_text("words")
    secret.chmod(0o600)
    wanted = [Wanted(closed, "write"), Wanted(opened, "write"), Wanted(secret, "read")]
    assert probe(wanted, ServiceUser()) == ["", "", ""]
    assert probe(wanted, ServiceUser(NOBODY)) == ["Permission denied", "", "Permission denied"]
    assert os.geteuid() == 0
    assert list(opened.iterdir()) == []


@as_root
def test_root_looks_at_anothers_backups_with_a_python_that_only_root_may_read(public: Path) -> None:
    """What is done as the service's user imports nothing: it is all there by then."""
    state, config = public / "state", public / "config.toml"
    open_history(state / "history.db").close()
    made = take_backup(state / "history.db", state / "backups", now=datetime.now(tz=timezone.utc))
    for each in (state, *state.rglob("*")):
        os.chown(each, 12345, 12345)
    config.write_text(f'[daemon]\nstate_dir = "{state}"\n', encoding="utf-8")
    command = [sys.executable, "-c", CLOSED_TO_OTHERS, "check", "-c", str(config)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "backup.schedule: last backup" in said.stdout, said.stdout + said.stderr
    assert made.path.stat().st_uid == 12345


def another_group() -> grp.struct_group:
    """Return a group that nobody is in, nor "nobody"."""
    own = pwd.getpwnam(NOBODY).pw_gid
    return next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, own) and not entry.gr_mem)


@as_root
def test_groups_of_the_service_open_a_departments_folder(public: Path) -> None:
    """SupplementaryGroups= counts as it does for the service."""
    group = another_group()
    shared = public / "shared"
    shared.mkdir()
    os.chown(shared, 0, group.gr_gid)
    shared.chmod(0o770)
    wanted = [Wanted(shared, "write")]
    assert probe(wanted, ServiceUser(NOBODY)) == ["Permission denied"]
    assert probe(wanted, ServiceUser(NOBODY, (group.gr_name,))) == [""]


@as_root
def test_check_as_root_speaks_for_the_installed_user(host: Host, public: Path) -> None:
    """The inbox that root could write is an error when the service's user cannot, with the command."""
    closed = public / "inbox"
    closed.mkdir(mode=0o755)
    installed = Installed(host, NOBODY)
    host.section("inbox", path=closed)

    def error() -> Finding:
        found = examine(host.config, installed.config_path, host.machine)
        return next(each for each in found if each.key == "inbox 'inbox': path" and each.level == "error")

    assert "cannot be written by nobody" in error().text
    assert "setfacl -R -m u:nobody:rwX" in error().fix
    group = another_group()
    os.chown(closed, 0, group.gr_gid)
    closed.chmod(0o770)
    assert f"asr-daemon install (it takes the service into the group {group.gr_name})" in error().fix


# ------------------------------------------------------------------ engine


def model(host: Host, **files: str) -> None:
    """Put a model folder where the configuration says."""
    folder = host.folder / "models" / "paraformer-zh"
    folder.mkdir(parents=True)
    for name, text in {"config.yaml": "model: SeacoParaformer\n", "model.pt": "weights", **files}.items():
        (folder / name.replace("_", ".")).write_text(text)
    host.section("models", dir=host.folder / "models")


def test_model_without_its_companions(host: Host) -> None:
    """What lies beside a model, and what does not, is named, with the command that brings it."""
    model(host)
    vad, punctuation, unverified = host.problems("engine.model")
    assert "fsmn-vad" in vad.text
    assert vad.fix == "asr-daemon models pull fsmn-vad"
    assert "ct-punc" in punctuation.text
    assert "by hand" in unverified.text
    assert "asr-daemon models adopt" in unverified.fix


def test_model_against_its_manifest(host: Host) -> None:
    """An adopted model is confirmed byte by byte; a changed one is an error that names file and command."""
    model(host)
    folder = host.folder / "models" / "paraformer-zh"
    Bringer(folder.parent, Clock().now, Silent()).adopt(folder)
    assert [finding.level for finding in host.problems("engine.model")] == ["warning", "warning"]
    confirmed = [f.text for f in examine(host.config, machine=host.machine) if "as in the manifest" in f.text]
    assert confirmed == [f"{folder}: 2 files as in the manifest (brought by hand)"]
    (folder / "model.pt").write_text("Weights")
    (error,) = [finding for finding in host.problems("engine.model") if finding.level == "error"]
    assert "model.pt differs" in error.text
    assert "asr-daemon models pull paraformer-zh" in error.fix


def test_model_that_is_missing(host: Host) -> None:
    """The fix is the command."""
    host.section("engine", model="sensevoice-small")
    assert host.problem("engine.model").fix == "asr-daemon models pull sensevoice-small"


def test_model_that_was_not_fetched_whole(host: Host) -> None:
    """An empty file among the model's is an error before it fails at three in the morning."""
    model(host, tokens_json="")
    (found,) = [finding for finding in host.problems("engine.model") if finding.level == "error"]
    assert "tokens.json is empty" in found.text


@pytest.mark.parametrize(
    ("model_class", "keys"),
    [
        ("SeacoParaformer", ["language"]),
        ("Paraformer", ["hotwords", "language"]),
        ("SenseVoiceSmall", ["hotwords", "protect"]),
        ("FunASRNano", ["protect"]),
    ],
)
def test_settings_that_the_model_cannot_follow(host: Host, model_class: str, keys: list[str]) -> None:
    """A hotword file, a language or protected words that have no effect are named, with what helps."""
    model(host, **{"config.yaml": f"model: {model_class}\n"})
    assert host.problems("inbox 'inbox'") == []
    words = host.write("finance.txt", "顾清源\n")
    host.section("inbox", hotwords=words, language="en", protect=("十一",))
    found = host.problems("inbox 'inbox'")
    assert [finding.key.rpartition(" ")[2] for finding in found] == keys
    assert all(finding.level == "warning" and finding.fix for finding in found)
    (ok,) = [one for one in examine(host.config, machine=host.machine) if "paraformer-zh (" in one.text]
    assert FAMILY_OF_CLASS[model_class] in ok.text


SMI = "NVIDIA H200, 143771, {free}, 570.10\n"


@pytest.mark.parametrize(
    ("device", "said", "level", "text"),
    [
        ("auto", SMI.format(free=140000), "ok", "143771 MiB"),
        ("cuda:0", SMI.format(free=100), "warning", "100 MiB free"),
        ("cuda:1", SMI.format(free=140000), "error", "only 1 cards"),
        ("auto", None, "warning", "nvidia-smi does not answer"),
        ("cpu", None, "ok", "processor"),
    ],
)
def test_card_and_its_memory(host: Host, device: str, said: str | None, level: str, text: str) -> None:
    """The card is asked for its memory; one that does not answer, or is not there, is said."""
    host.write("dev/nvidiactl", "")
    if said:
        host.programs["nvidia-smi"] = said
    host.section("engine", device=device)
    (found,) = [f for f in examine(host.config, machine=host.machine) if f.key == "engine.device"]
    assert (found.level, text in found.text) == (level, True)


def test_card_that_is_not_there(host: Host) -> None:
    """A configuration for a card on a machine without one."""
    host.section("engine", device="cuda")
    assert host.problem("engine.device").level == "error"


def test_little_memory(host: Host) -> None:
    """What the recogniser will need is compared with what the machine has."""
    host.write("proc/meminfo", "MemTotal:       1000000 kB\n")
    assert "of the machine's 976 MiB" in host.problem("environment").text


def test_memory_of_the_control_group_counts_where_it_is_less(host: Host) -> None:
    """A container, or MemoryMax= of the unit: the machine's own memory is no help."""
    host.write("proc/self/cgroup", "0::/\n")
    host.write("sys/fs/cgroup/memory.max", f"{512 << 20}\n")
    assert "of the control group's 512 MiB" in host.problem("environment").text


def test_user_without_a_name_is_called_by_its_number(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, where nobody is in /etc/passwd: before, `check` ended in a traceback."""

    def nobody(number: int) -> pwd.struct_passwd:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr(
        "asr_daemon.doctor.folders.probe", lambda wanted, _user: ["Permission denied"] * len(wanted)
    )
    found = host.problems("inbox")
    assert f"cannot be written by {os.geteuid()}" in found[0].text
    assert f"u:{os.geteuid()}:" in found[0].fix


def test_figures_that_everybody_may_see_are_said(host: Host) -> None:
    """On this machine alone there is nothing to say."""
    metrics = host.config.metrics
    for address, port, is_told in (
        ("127.0.0.1", 9477, False),
        ("::1", 9477, False),
        (EVERYWHERE, 0, False),
        (EVERYWHERE, 9477, True),
    ):
        changed = type(metrics)(port=port, address=ip_address(address))
        host.config = host.config.model_copy(update={"metrics": changed})
        assert bool(host.problems("metrics.address")) is is_told
    assert "without a password" in host.problem("metrics.address").text


def test_what_is_no_department_is_said_and_so_are_recordings_that_lie_in_none(host: Host) -> None:
    """Whoever puts a recording beside the departments' folders waits in vain."""
    inboxes = host.folder / "inboxes"
    (inboxes / "财务").mkdir(parents=True)
    (inboxes / "link").symlink_to("财务")
    (inboxes / "会议.M4A").write_bytes(b"sound")
    (inboxes / "readme.txt").touch()
    changed = host.config.daemon.model_copy(update={"inboxes": inboxes})
    host.config = host.config.model_copy(update={"daemon": changed}).with_departments(["财务"])
    link, stray = host.problems("daemon.inboxes")
    assert "'link'" in link.text
    assert "it is a link" in link.text
    assert stray.text.startswith("1 recordings lie in")
    inboxes.rename(host.folder / "away")
    (gone,) = host.problems("daemon.inboxes")
    assert (gone.level, "No such file" in gone.text) == ("error", True)


def test_memory_of_several_recognisers(host: Host) -> None:
    """Two of them need twice as much: that is said before they are started."""
    host.write("proc/meminfo", "MemTotal:       2000000 kB\n")
    assert not next(f for f in examine(host.config, machine=host.machine) if "recogniser will" in f.text).fix
    host.section("engine", devices=["cpu", "cpu"])
    assert "2 recognisers (cpu, cpu) will need about" in host.problem("environment").text


# ------------------------------------------------------------------ host


@pytest.mark.parametrize(
    ("version", "is_bad", "text"),
    [
        ((3, 36, 0), True, "too old"),
        ((3, 40, 1), False, ""),
        ((3, 45, 0), False, ""),
        ((3, 38, 3), True, "Bloom"),
        ((3, 38, 4), False, ""),
        ((3, 47, 0), True, "queries with IN"),
        ((3, 47, 1), False, ""),
        ((3, 51, 1), True, "queries with EXISTS"),
        ((3, 51, 2), False, ""),
        ((3, 52, 0), True, "withdrawn"),
        ((3, 53, 4), False, ""),
    ],
)
def test_known_bugs_of_sqlite(version: tuple[int, ...], is_bad: bool, text: str) -> None:
    """Each release's bugs, with those that were mended in an older branch told apart."""
    problems = [finding for finding in look_at_sqlite(version) if finding.level != "ok"]
    assert bool(problems) == is_bad
    texts = [finding.text for finding in problems]
    assert ("Bloom" in text) == any("Bloom" in each for each in texts)
    assert ("IN" in text) == any("with IN" in each for each in texts)
    assert any(text in finding.text for finding in problems) or not is_bad


@pytest.mark.parametrize(
    ("version", "is_in"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
    ],
)
def test_wal_reset_concerns_those_who_have_another_program_write(
    host: Host, version: tuple[int, ...], is_in: bool, tmp_path: Path
) -> None:
    """The daemon alone writes through one connection: nothing is said until a second one does.

    Where the history lies, and the other program's interpreter, says nothing: folders may bear our name.
    """
    host.section("daemon", state_dir=tmp_path / "asr-daemon" / "state")
    host.machine = replace(host.machine, sqlite_version=version, root=Path("/"))
    open_history(host.config.history_path).close()
    told = [f for f in look_at_host(host.config, host.machine) if "WAL-reset" in f.text]
    assert told == []
    looks = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT 1 FROM jobs'); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", looks, host.config.history_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:

        def seen() -> list[str]:
            return other_writers(host.config.history_path, Path("/proc"))

        eventually(seen, what="the other program's descriptor")
        told = [f for f in look_at_host(host.config, host.machine) if "WAL-reset" in f.text]
        other.communicate(b"\n")
    assert bool(told) == is_in
    if told:
        assert f"(process {other.pid}) has history.db open for writing" in told[0].text
        assert "backup now" in told[0].fix


@pytest.mark.parametrize("year", [1970, 2024, 2106])
def test_clock_that_cannot_be_right(host: Host, year: int) -> None:
    """A machine without a battery begins in 1970."""
    host.machine = replace(host.machine, now=lambda: datetime(year, 1, 1, tzinfo=timezone.utc))
    assert host.problem("clock").level == "error"


def test_clock_that_nobody_sets(host: Host) -> None:
    """Without NTP: a warning; where systemd does not say, nothing is alleged."""
    host.programs["timedatectl"] = "no\n"
    assert "not synchronised" in host.problem("clock").text
    del host.programs["timedatectl"]
    assert host.problems("clock") == []


def test_journal_that_does_not_listen(host: Host, tmp_path: Path) -> None:
    """Asked for, and not there: said. A listening one is found."""
    host.section("daemon", log="journal")
    way = Journal(str(tmp_path / "journal"))
    host.machine = replace(host.machine, journal_reachable=way.reachable)
    assert "journald does not listen" in host.problem("daemon.log").text
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.bind(str(tmp_path / "journal"))
        assert host.problems("daemon.log") == []


# ------------------------------------------------------------------ service and backups


class Installed:
    """A machine with the service's files, and what `check` says of them."""

    def __init__(self, host: Host, user: str) -> None:
        self.host = host
        self.config_path = Path("/etc/asr-daemon/config.toml")
        text = f'[daemon]\nstate_dir = "{host.folder}/state"\n'
        text += f'[[inbox]]\nname = "a"\npath = "{host.folder}/inbox"\n'
        host.write(str(self.config_path.relative_to("/")), text)
        wanted = Installation(user=user, root=host.root, config_path=self.config_path)
        for path, content in expected_files(wanted).items():
            host.write(str(path.relative_to("/")), content)

    def problems(self) -> list[Finding]:
        """Return what is wrong with the service."""
        found = examine(self.host.config, self.config_path, self.host.machine)
        return [finding for finding in found if finding.key == "service" and finding.level != "ok"]


def test_unit_that_fits(host: Host) -> None:
    """The files that `install` writes are the files that `check` expects."""
    assert Installed(host, pwd.getpwuid(os.geteuid()).pw_name).problems() == []


@pytest.mark.parametrize("changed", [UNIT, DROP_INS / "inboxes.conf", SOCKET])
def test_unit_of_another_release_or_configuration(host: Host, changed: Path) -> None:
    """An upgraded package, or a new inbox, without `install`: said, with the command."""
    installed = Installed(host, pwd.getpwuid(os.geteuid()).pw_name)
    place = host.machine.place(changed)
    with place.open("a") as file:  # the socket is of a configuration that had a port
        file.write("# of yesterday\n")
    (found,) = installed.problems()
    assert str(changed) in found.text
    assert "asr-daemon install" in found.fix


def test_port_that_the_service_has_no_socket_for(host: Host) -> None:
    """`metrics.port` was set, and `install` not run again: nobody listens there."""
    installed = Installed(host, pwd.getpwuid(os.geteuid()).pw_name)
    with host.machine.place(installed.config_path).open("a") as file:
        file.write("[metrics]\nport = 9123\n")
    (found,) = installed.problems()
    assert (str(SOCKET) in found.text, "metrics.port" in found.text) == (True, True)
    assert "asr-daemon install" in found.fix


def test_user_that_is_gone(host: Host) -> None:
    """A service whose user was removed cannot start."""
    (found,) = Installed(host, "asr-nobody-such").problems()
    assert (found.level, "asr-nobody-such" in found.text) == ("error", True)


def test_card_that_the_service_cannot_reach(host: Host) -> None:
    """A card without the drop-in that opens it."""
    installed = Installed(host, pwd.getpwuid(os.geteuid()).pw_name)
    host.write("dev/nvidiactl", "")
    host.programs["nvidia-smi"] = SMI.format(free=140000)
    (found,) = installed.problems()
    assert "cannot reach" in found.text


def remember(config: Config, **settings: str) -> None:
    """Write settings of the history."""
    history = open_history(config.history_path)
    with history.transaction():
        for key, value in settings.items():
            history.run("set_setting", key=key, value=value)
    history.close()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"backup_error": "2026-03-14 disk full"}, "disk full"),
        ({"backup_since": "2026-01-01T00:00:00.000Z"}, "overdue"),
        ({"backup_drill": '{"at": "2026-03-01T00:00:00.000Z", "file": "x", "problem": "bad"}'}, "drill"),
    ],
)
def test_backups_that_failed_or_are_overdue(host: Host, settings: dict[str, str], text: str) -> None:
    """What the daemon remembers of its backups is an error of `check`."""
    remember(host.config, **settings)
    found = host.problem("backup.schedule")
    assert (found.level, text in found.text) == ("error", True)


def test_backup_from_the_future(host: Host) -> None:
    """Taken while the clock was wrong: rotation and overdue would wait for years."""
    host.config.backup_dir.mkdir(parents=True)
    stamp = (START + timedelta(days=400)).strftime("%Y%m%dT%H%M%SZ")
    (host.config.backup_dir / f"history-{stamp}.db.gz").write_bytes(b"")
    assert "in the future" in host.problem("clock").text
