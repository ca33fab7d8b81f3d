"""Installing and uninstalling the service, from top to bottom.

Enters: a user's name, a configuration path. Leaves: what was done, step by step. An upgrade keeps the
configuration and takes a backup of the history first; uninstalling keeps configuration, history and user.
Fails with :class:`~asr_daemon.errors.OperatorError`.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import asr_daemon
from asr_daemon.backup import take_backup
from asr_daemon.config import SYSTEM_CONFIG, Config, load_config
from asr_daemon.config_sections import MetricsSection, default_state_dir
from asr_daemon.errors import ConfigurationError, UsageError
from asr_daemon.files.owner import as_owner_of
from asr_daemon.install.access import STATE_DIR, advice, drop_in, missing_folders
from asr_daemon.install.cluster import BRIDGE, bridge_files, bridge_notes
from asr_daemon.install.environment import Environment
from asr_daemon.install.gateway import (
    GATEWAY,
    WEB_STATE_DIR,
    gateway_files,
    gateway_notes,
)
from asr_daemon.install.running import UNIT, service_state
from asr_daemon.install.shipped import shipped_text
from asr_daemon.install.steps import StepRecord, Steps, run_program
from asr_daemon.install.units import STAMP, unit_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DEFAULT_USER = "asr-daemon"
DROP_INS = Path("/etc/systemd/system/asr-daemon.service.d")
SOCKET = Path("/etc/systemd/system/asr-daemon.socket")
SYSUSERS = Path("/etc/sysusers.d/asr-daemon.conf")
TMPFILES = Path("/etc/tmpfiles.d/asr-daemon.conf")
PROGRAM = Path("/usr/local/bin/asr-daemon")
BOOTED = Path("/run/systemd/system")  # sd_booted(3)
CARD = Path("/dev/nvidiactl")
BESIDE = (GATEWAY, BRIDGE)  # what may run beside the service

_COMMANDS = {"ExecStart": "run", "ExecReload": "reload"}  # through the control socket: see the unit
_USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")  # what systemd takes everywhere


@dataclass(frozen=True)
class Installation:
    """Where and for whom; the defaults are this machine."""

    user: str = DEFAULT_USER
    root: Path = Path("/")  # another: write the files below it and run nothing (images, packages)
    config_path: Path = SYSTEM_CONFIG
    dry_run: bool = False
    environment: Environment = field(default_factory=Environment.running)
    has_card: bool = field(default_factory=CARD.exists)
    run: Callable[[Sequence[str]], None] = run_program

    def steps(self) -> Steps:
        """Return what does the steps."""
        return Steps(self.root, self.dry_run, self.run)


def install(wanted: Installation, *, now: datetime | None = None) -> list[StepRecord]:
    """Create user, folders, configuration, unit and drop-ins; return what was done.

    Doing it again changes nothing, or brings unit and drop-ins up to date. Never overwrites the
    configuration. Does not start the service.
    """
    if not _USER_NAME.fullmatch(wanted.user):
        raise UsageError(f"{wanted.user!r} is no name for a system user: a-z, 0-9, '-' and '_', 31 at most")
    steps = wanted.steps()
    steps.require_root()
    steps.write(wanted.config_path, _configuration(), keep=True)
    config = _config_in_force(steps, wanted.config_path)
    if wanted.root == Path("/"):
        _back_up_before_upgrade(steps, config, now or datetime.now(timezone.utc))
    steps.write(SYSUSERS, _for_user(shipped_text("systemd/asr-daemon.sysusers.conf"), wanted.user))
    steps.command("systemd-sysusers", str(SYSUSERS))
    steps.write(TMPFILES, _for_user(shipped_text("systemd/asr-daemon.tmpfiles.conf"), wanted.user))
    steps.command("systemd-tmpfiles", "--create", str(TMPFILES))
    _make_users(steps, config, wanted.user)
    expected = expected_files(wanted)
    for path, text in expected.items():
        steps.write(path, text)
    if SOCKET not in expected:
        _remove_socket(steps)
    is_on_cpu = set(config.engine.recognisers) == {"cpu"}
    if wanted.has_card and not is_on_cpu:
        steps.write(DROP_INS / "gpu.conf", shipped_text("systemd/asr-daemon.service.d/gpu.conf"))
    elif is_on_cpu:
        steps.remove(DROP_INS / "gpu.conf")
    steps.link(PROGRAM, wanted.environment.command[0])
    _reload_manager(steps)
    _say_restart(steps)
    hints = (*advice(config, wanted.user), *missing_folders(config, wanted.user))
    for sentence in (*hints, *gateway_notes(config), *bridge_notes(config)):
        steps.note(sentence)
    if not config.inbox:
        steps.note(f"no inbox yet: add one to {wanted.config_path}, then run `asr-daemon install` again")
    steps.note(
        "start, now and at every boot: systemctl enable --now asr-daemon; anew: systemctl restart asr-daemon"
    )
    return steps.records


def expected_files(wanted: Installation) -> dict[Path, str]:
    """Return unit, drop-in and socket as this package would write them for the configuration of now.

    Raises :class:`~asr_daemon.errors.ConfigurationError`.
    """
    config = _config_in_force(wanted.steps(), wanted.config_path)
    files = {
        UNIT: unit_text(UNIT.name, _COMMANDS, wanted.environment, wanted.config_path, wanted.user),
        DROP_INS / "inboxes.conf": drop_in(config, wanted.environment, wanted.config_path),
        **gateway_files(config, wanted.environment, wanted.config_path, wanted.user),
        **bridge_files(config, wanted.environment, wanted.config_path, wanted.user),
    }
    if config.metrics.port:
        files[SOCKET] = _socket(config.metrics)
    return files


def uninstall(wanted: Installation) -> list[StepRecord]:
    """Stop the service and remove its unit; configuration, history, backups and user stay."""
    steps = wanted.steps()
    steps.require_root()
    if steps.place(UNIT).exists() and _is_booted(steps):
        steps.command("systemctl", "disable", "--now", UNIT.name)
    _remove_socket(steps)
    for beside in (GATEWAY, BRIDGE):
        beside.remove(steps, is_booted=_is_booted(steps))
    for path in (DROP_INS / "inboxes.conf", DROP_INS / "gpu.conf", UNIT, TMPFILES, SYSUSERS):
        steps.remove(path)
    steps.unlink(PROGRAM, wanted.environment.command[0])
    _reload_manager(steps)
    for sentence in _what_remains(steps, wanted):
        steps.note(sentence)
    return steps.records


def _what_remains(steps: Steps, wanted: Installation) -> Iterator[str]:
    """Say what is kept, and how it goes; shares and their transcripts are nobody's here to remove."""
    folders, config_state = [STATE_DIR, wanted.config_path.parent, WEB_STATE_DIR], STATE_DIR
    users = [wanted.user]
    with contextlib.suppress(ConfigurationError):
        config = _config_in_force(steps, wanted.config_path)
        config_state = config.state_dir
        own = (config.state_dir, config.backup.dir, config.backup.second_dir, config.daemon.fallback_dir)
        folders += [path for path in own if path]
        users += [name for each in BESIDE if (name := each.user(config, wanted.user))]
    there = [path for path in dict.fromkeys(folders) if steps.place(path).exists()]
    for path in there:
        what = " (history, backups, models)" if path == config_state else ""
        yield f"kept: {path}{what}; to remove it for good: rm -rf {shlex.quote(str(path))}"
    own_drop_ins = sorted(steps.place(DROP_INS).glob("*.conf"))
    yield from (f"kept: your own {path}" for path in own_drop_ins)
    yield from (f"kept: the user {user}; to remove it: userdel {user}" for user in users)
    program = Path(wanted.environment.command[0]).parent.parent
    yield f"kept: the program itself; to remove it: rm -rf {shlex.quote(str(program))}"
    yield "kept: every recording, transcript and failure file in the inboxes, and access lists set by setfacl"


def _make_users(steps: Steps, config: Config, user: str) -> None:
    """Make users and folders of what runs beside; take away what an earlier configuration had."""
    for beside in BESIDE:
        name = beside.user(config, user)
        if name is None:
            beside.remove(steps, is_booted=_is_booted(steps))
        else:
            beside.make_user(steps, name)


def unit_files(root: Path = Path("/")) -> list[Path]:
    """Return the files that the service is started by, and the folder of its drop-ins."""
    folder = root / DROP_INS.relative_to("/")
    return [root / UNIT.relative_to("/"), folder, *sorted(folder.glob("*.conf"))]


def _say_restart(steps: Steps) -> None:
    """Say where a service runs that what was written does not reach."""
    if steps.root != Path("/") or steps.dry_run or not _is_booted(steps):
        return
    state = service_state()
    if state is not None and state.is_older_than(unit_files()):
        steps.restart_needed(
            "RESTART NEEDED: the running service was started before these changes and does not see them: "
            "systemctl restart asr-daemon"
        )


def _configuration() -> str:
    """Return the commented default, with the state folder named for commands that root runs by hand."""
    text, found = re.subn(
        r'(?m)^state_dir = ""$', f'state_dir = "{STATE_DIR}"', shipped_text("config.toml"), count=1
    )
    if not found:
        raise RuntimeError("config.toml has no empty daemon.state_dir")
    return text


def _config_in_force(steps: Steps, config_path: Path) -> Config:
    """Return the configuration as the service will read it: an empty state folder is systemd's."""
    placed = steps.place(config_path)
    config = load_config(placed) if placed.exists() else Config()  # a dry run has not written it
    if config.daemon.state_dir != default_state_dir():
        return config
    return config.model_copy(update={"daemon": config.daemon.model_copy(update={"state_dir": STATE_DIR})})


def _socket(metrics: MetricsSection) -> str:
    """Return the socket's unit; who may reach another address than loopback is not its business."""
    text = shipped_text("systemd/asr-daemon.socket")
    address = f"[{metrics.address}]" if metrics.address.version == 6 else str(metrics.address)  # noqa: PLR2004
    text = re.sub(r"(?m)^(ListenStream=).*$", rf"\g<1>{address}:{metrics.port}", text)
    if not metrics.address.is_loopback:
        text = re.sub(r"(?m)^IPAddress(Deny|Allow)=.*\n", "", text)
    return text


def _remove_socket(steps: Steps) -> None:
    if steps.place(SOCKET).exists():
        if _is_booted(steps):
            steps.command("systemctl", "stop", SOCKET.name)
        steps.remove(SOCKET)


def _for_user(text: str, user: str) -> str:
    """Return the sysusers or tmpfiles lines for another user's name; folders keep theirs."""
    return re.sub(rf"(?m)(?<= ){DEFAULT_USER}(?= )", user, text)


def _back_up_before_upgrade(steps: Steps, config: Config, now: datetime) -> None:
    """Take a backup where another release's unit is about to be replaced and there is a history."""
    unit = steps.place(UNIT)
    if not unit.exists() or steps.dry_run:
        return
    first = unit.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    if first == f"{STAMP}{asr_daemon.__version__}" or not config.history_path.exists():
        return
    with as_owner_of(config.state_dir):
        made = take_backup(config.history_path, config.backup_dir, now=now)
    steps.note(f"the history was backed up before the upgrade: {made.path}")


def _reload_manager(steps: Steps) -> None:
    if _is_booted(steps):
        steps.command("systemctl", "daemon-reload")
    elif steps.root == Path("/"):
        steps.note("systemd does not run here: the unit counts from the next boot with systemd on")


def _is_booted(steps: Steps) -> bool:
    return steps.root == Path("/") and BOOTED.is_dir()
