"""What runs beside the daemon as a user of its own: unit, user, what it does not see, who is let in.

Gateway and cluster bridge are such. Enters: which of them, the configuration. Leaves: the text of unit and
drop-ins; ``closed.conf`` of the unit hides the departments' folders and the history, the daemon's own drop-in
names the user who may ask through a socket in ``/run/asr-daemon``, and no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.install.access import is_hidden, quoted, quoted_bind, without_inner
from asr_daemon.install.shipped import shipped_text
from asr_daemon.install.units import unit_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asr_daemon.config import Config
    from asr_daemon.config_cluster import ClusterSection
    from asr_daemon.config_sections import GatewaySection
    from asr_daemon.install.environment import Environment
    from asr_daemon.install.steps import Steps

UNITS = Path("/etc/systemd/system")
_DAEMONS_DROP_INS = UNITS / "asr-daemon.service.d"
_MOST_USER_CHARS = 31

HEAD = "# Written by `asr-daemon install`: run it again after the configuration changed.\n\n[Service]\n"


@dataclass(frozen=True)
class Beside:
    """One of them; the names of its files follow from its own."""

    called: str  # in sentences
    suffix: str  # of the unit, and of the user's name
    command: str  # of `asr-daemon`
    section: str  # of the configuration; also the name of the daemon's socket for it, and of its drop-in
    variable: str  # of the environment, by which both know its user

    @property
    def name(self) -> str:
        """Its unit's name, and its user's as shipped."""
        return f"asr-daemon{self.suffix}"

    @property
    def unit(self) -> Path:
        """Its unit."""
        return UNITS / f"{self.name}.service"

    @property
    def closed(self) -> Path:
        """The unit's drop-in: what it does not see."""
        return UNITS / f"{self.name}.service.d" / "closed.conf"

    @property
    def let_in(self) -> Path:
        """The daemon's drop-in: whom its socket is for."""
        return _DAEMONS_DROP_INS / f"{self.section}.conf"

    @property
    def sysusers(self) -> Path:
        """What makes its user."""
        return Path(f"/etc/sysusers.d/{self.name}.conf")

    @property
    def tmpfiles(self) -> Path:
        """What makes its folders, and lets it read the configuration."""
        return Path(f"/etc/tmpfiles.d/{self.name}.conf")

    def user(self, config: Config, user: str) -> str | None:
        """Return its user: as configured, else the service's (``user``) with the suffix.

        None where the configuration has no section for it.
        """
        section: GatewaySection | ClusterSection | None = getattr(config, self.section)
        if section is None:
            return None
        return section.user or f"{user[: _MOST_USER_CHARS - len(self.suffix)]}{self.suffix}"

    def files(
        self, name: str, environment: Environment, config_path: Path, closed: Iterable[str]
    ) -> dict[Path, str]:
        """Return unit and drop-ins as they should be, of a user of that ``name``, with ``closed``'s lines."""
        commands = {"ExecStart": self.command}
        return {
            self.unit: unit_text(self.unit.name, commands, environment, config_path, name),
            self.closed: HEAD + "\n".join((f"Environment={self.variable}={name}", *closed)) + "\n",
            self.let_in: (
                f"{HEAD}# The {self.called}'s user may ask through /run/asr-daemon/{self.section}.sock.\n"
                f"Environment={self.variable}={name}\n"
                "RuntimeDirectory=asr-daemon\nRuntimeDirectoryMode=0711\n"
                f"# To give the socket to the {self.called}'s group.\n"
                f"SupplementaryGroups={name}\n"
            ),
        }

    def make_user(self, steps: Steps, name: str) -> None:
        """Make its user and folders, and give it what it reads."""
        for path, shipped, program in (
            (self.sysusers, "sysusers", ("systemd-sysusers",)),
            (self.tmpfiles, "tmpfiles", ("systemd-tmpfiles", "--create")),
        ):
            text = shipped_text(f"systemd/{self.name}.{shipped}.conf")
            steps.write(path, re.sub(rf"(?<![\w/-]){self.name}(?![\w-])", name, text))
            steps.command(*program, str(path))

    def remove(self, steps: Steps, *, is_booted: bool) -> None:
        """Stop it and remove what installing wrote; its user and its folder stay."""
        if steps.place(self.unit).exists() and is_booted:
            steps.command("systemctl", "disable", "--now", self.unit.name)
        for path in (self.closed, self.let_in, self.unit, self.tmpfiles, self.sysusers):
            steps.remove(path)


def hiding(config: Config, needed: Sequence[Path], written: Sequence[Path] = ()) -> Iterator[str]:
    """Yield lines that hide the departments' folders, and show what is ``needed`` of the homes."""
    if any(map(is_hidden, (*needed, *written))):
        yield "# Of the homes, only what follows is there."
        yield "ProtectHome=tmpfs"
    yield from (
        f"BindReadOnlyPaths=-{quoted_bind(path)}" for path in without_inner(needed) if is_hidden(path)
    )
    for path in written:
        yield f"BindPaths={quoted_bind(path)}" if is_hidden(path) else f"ReadWritePaths={quoted(path)}"
    yield "# The departments' folders, the history, backups and models: it asks the daemon."
    for path in without_inner(_foreign(config)):
        is_above = any(path == other or path in other.parents for other in (*needed, *written))
        if not is_hidden(path) and not is_above:
            yield f"InaccessiblePaths=-{quoted(path)}"


def unit_user(unit: str) -> str | None:
    """Return the user that a unit's text names."""
    named = re.search(r"(?m)^User=(\S+)$", unit)
    return named[1] if named else None


def _foreign(config: Config) -> Iterator[Path]:
    yield config.state_dir
    yield from (config.backup_dir, config.models_dir, config.fallback_dir)
    if config.backup.second_dir is not None:
        yield config.backup.second_dir
    if config.daemon.inboxes is not None:
        yield config.daemon.inboxes
    for inbox in config.inbox:
        yield inbox.path
        if inbox.archive is not None:
            yield inbox.archive
        if inbox.hotwords is not None:
            yield inbox.hotwords
