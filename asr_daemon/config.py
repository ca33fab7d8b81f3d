"""The configuration: one model of it, read from TOML; every problem at once, with its key and its fix.

Enters: a path (or none: the defaults). Leaves: a frozen :class:`Config` with absolute paths. Fails with
:class:`~asr_daemon.errors.ConfigurationError`. ``config.toml`` at the top of the project documents every
key; a test holds the two together.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from asr_daemon.config_cluster import ClusterSection  # noqa: TC001 (pydantic reads it)
from asr_daemon.config_notify import NotifySection, notify_problem
from asr_daemon.config_problems import explain
from asr_daemon.config_sections import (
    BackupSection,
    DaemonSection,
    DocxSection,
    EngineSection,
    GatewaySection,
    HotwordsSection,
    InboxSection,
    ItnSection,
    MetricsSection,
    ModelsSection,
    RetentionSection,
    Section,
    SpeakersSection,
)
from asr_daemon.errors import ConfigurationError, UsageError
from asr_daemon.files.departments import MOST_DEPARTMENTS, list_departments
from asr_daemon.files.home import expanded
from asr_daemon.files.overlap import Department, Overlap, overlaps
from asr_daemon.printable import valid_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RUNTIME_DIR = Path("/run/asr-daemon")  # of the service: systemd makes it
SYSTEM_CONFIG = Path("/etc/asr-daemon/config.toml")


class Config(Section):
    """The whole file, paths absolute."""

    daemon: DaemonSection = Field(default_factory=DaemonSection)
    engine: EngineSection = Field(default_factory=EngineSection)
    models: ModelsSection = Field(default_factory=ModelsSection)
    itn: ItnSection = Field(default_factory=ItnSection)
    hotwords: HotwordsSection = Field(default_factory=HotwordsSection)
    speakers: SpeakersSection = Field(default_factory=SpeakersSection)
    docx: DocxSection = Field(default_factory=DocxSection)
    backup: BackupSection = Field(default_factory=BackupSection)
    metrics: MetricsSection = Field(default_factory=MetricsSection)
    retention: RetentionSection = Field(default_factory=RetentionSection)
    gateway: GatewaySection | None = None  # None: there is no gateway
    cluster: ClusterSection | None = None  # None: recognisers of this machine only
    notify: tuple[NotifySection, ...] = ()
    inbox: tuple[InboxSection, ...] = ()
    _found: frozenset[str] = PrivateAttr(default=frozenset())  # names of those that nobody wrote down

    @model_validator(mode="after")
    def _folders_do_not_overlap(self) -> Config:
        names = [inbox.name for inbox in self.inbox]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two inboxes are called {twice!r}: give each its own name")
        if problem := notify_problem(self.notify, tuple(names)):
            raise ValueError(problem)
        if found := self.overlaps():
            raise ValueError("; ".join(overlap.sentence for overlap in found))
        return self

    def overlaps(self, real: Callable[[Path], Path] = lambda path: path) -> list[Overlap]:
        """Return which folders lie in one another; ``real`` resolves links (not here: a share may hang)."""
        departments = [
            Department(inbox.name, real(inbox.path), real(inbox.archive) if inbox.archive else None)
            for inbox in self.inbox
        ]
        own = {
            "daemon.state_dir": self.state_dir,
            "backup.dir": self.backup_dir,
            "backup.second_dir": self.backup.second_dir,
            "daemon.fallback_dir": self.fallback_dir,
            "models.dir": self.models_dir,
            **{f"speakers of inbox {each.name!r}": each.voices_dir for each in self.inbox},
        }
        return list(overlaps(departments, {key: real(path) for key, path in own.items() if path}))

    # ------------------------------------------------------------------ departments: daemon.inboxes

    @property
    def departments(self) -> tuple[InboxSection, ...]:
        """The inboxes that are there because ``daemon.inboxes`` has a folder of that name."""
        return tuple(inbox for inbox in self.inbox if inbox.name in self._found)

    @property
    def stated(self) -> Config:
        """What somebody wrote: the same without those."""
        return self._with(tuple(inbox for inbox in self.inbox if inbox.name not in self._found), [])

    def with_departments(self, names: Iterable[str]) -> Config:
        """Return the same with those departments and no others; those that cannot be are left out."""
        stated, inboxes = self.stated, []
        for name in names:
            section = self._department(name)
            if section is not None and not stated.why_no_department(name):
                inboxes.append(section)
        return self._with(stated.inbox, inboxes[:MOST_DEPARTMENTS])

    def _with(self, stated: tuple[InboxSection, ...], found: list[InboxSection]) -> Config:
        changed = self.model_copy(update={"inbox": (*stated, *found)})
        changed._found = frozenset(inbox.name for inbox in found)  # noqa: SLF001 (our own)
        return changed

    def why_no_department(self, name: str) -> str:
        """Return why a folder of that name is no department beside the inboxes that are stated."""
        section = self._department(name)
        if section is None:
            return "no folder of departments is configured"
        paths = {inbox.path for inbox in self.inbox}
        if section.path in paths:
            return "it is an inbox of its own in the configuration"
        if any(inbox.name == name for inbox in self.inbox):
            return "another inbox of the configuration has that name"
        alone = self.model_copy(update={"inbox": (*self.inbox, section)})
        return next((each.sentence for each in alone.overlaps() if each.inbox == name), "")

    def _department(self, name: str) -> InboxSection | None:
        folder = self.daemon.inboxes
        return None if folder is None else InboxSection(name=name, path=folder / name)

    @property
    def state_dir(self) -> Path:
        """The folder of the history, the lock, the socket and, by default, models and backups."""
        return self.daemon.state_dir

    @property
    def history_path(self) -> Path:
        """The database."""
        return self.state_dir / "history.db"

    @property
    def socket_path(self) -> Path:
        """The Unix socket that commands reach a running daemon by."""
        return self.state_dir / "control.sock"

    @property
    def gateway_user(self) -> str:
        """The user that the gateway runs as: as configured, or as installed; "": the daemon's own."""
        if self.gateway is None:
            return ""
        return self.gateway.user or os.environ.get("ASR_DAEMON_GATEWAY_USER", "")

    @property
    def gateway_socket_path(self) -> Path:
        """The Unix socket that the gateway asks the daemon by."""
        if self.gateway is not None and self.gateway.socket is not None:
            return self.gateway.socket
        return (RUNTIME_DIR if self.gateway_user else self.state_dir) / "gateway.sock"

    @property
    def cluster_user(self) -> str:
        """The user that the bridge runs as: as configured, or as installed; "": the daemon's own."""
        if self.cluster is None:
            return ""
        return self.cluster.user or os.environ.get("ASR_DAEMON_CLUSTER_USER", "")

    @property
    def cluster_socket_path(self) -> Path:
        """The Unix socket that the bridge meets the daemon by."""
        if self.cluster is not None and self.cluster.socket is not None:
            return self.cluster.socket
        return (RUNTIME_DIR if self.cluster_user else self.state_dir) / "cluster.sock"

    @property
    def models_dir(self) -> Path:
        """The folder of the model folders."""
        return self.models.dir or self.state_dir / "models"

    @property
    def backup_dir(self) -> Path:
        """The folder of the backups."""
        return self.backup.dir or self.state_dir / "backups"

    @property
    def fallback_dir(self) -> Path:
        """Where transcripts go whose inbox cannot be written."""
        return self.daemon.fallback_dir or self.state_dir / "transcripts"

    def find_inbox(self, name: str) -> InboxSection | None:
        """Return the inbox of that name."""
        return next((inbox for inbox in self.inbox if inbox.name == name), None)

    def shown_path(self, inbox: str, path: Path) -> str:
        """Return a file's path within its inbox as valid text; the bare name where it lies below none."""
        section = self.find_inbox(inbox)
        is_below = section is not None and section.path in path.parents
        inside = path.relative_to(section.path) if section is not None and is_below else path.name
        return valid_text(inside)

    def root_of(self, path: Path) -> Path:
        """Return the folder below which no link is followed to that path: its own where none is ours."""
        return self.root_of_ours(path) or path.parent

    def root_of_ours(self, path: Path) -> Path | None:
        """Return the inbox, archive or fall-back folder that a path lies in, None where it lies in none.

        Files of ours are changed and removed there alone: a history that somebody made up, and an
        administrator restored, may name any other.
        """
        archives = (inbox.archive for inbox in self.inbox if inbox.archive is not None)
        roots = (*(inbox.path for inbox in self.inbox), self.fallback_dir, *archives)
        found = None if ".." in path.parts else next((root for root in roots if root in path.parents), None)
        above = self.daemon.inboxes  # whoever makes departments there may put a link in the place of one
        return above if found is not None and above in found.parents else found

    def keeps(self, path: Path) -> bool:
        """Return whether files of ours may be changed and removed at that path."""
        return self.root_of_ours(path) is not None

    def require_inbox(self, name: str) -> InboxSection:
        """Return the inbox of that name; raises :class:`~asr_daemon.errors.UsageError` if there is none."""
        if (found := self.find_inbox(name)) is None:
            names = ", ".join(section.name for section in self.inbox) or "none"
            raise UsageError(f"there is no inbox {name!r}; configured are: {names}")
        return found


def find_config(explicit: Path | None) -> Path | None:
    """Return the file to read: the given one, ``$ASR_DAEMON_CONFIG``, the system's, or none.

    One that is there and closed to who asks is not passed over: the defaults would show another history.
    """
    if explicit is not None:
        return explicit
    if given := os.environ.get("ASR_DAEMON_CONFIG"):
        return Path(given)
    try:
        SYSTEM_CONFIG.stat()
    except PermissionError:
        return SYSTEM_CONFIG
    except OSError:
        return None
    return SYSTEM_CONFIG


def load_config(path: Path | None, *, finds_departments: bool = True) -> Config:
    """Read the file (None: the defaults), with relative paths taken from its own folder.

    The departments of ``daemon.inboxes`` are among its inboxes, as they are at this moment, unless
    ``finds_departments`` says that nobody wants them. Raises :class:`ConfigurationError` with every problem:
    the key, what is wrong, what would be right.
    """
    config = _read(path)
    if config.daemon.inboxes is None or not finds_departments:
        return config
    names = list_departments(config.daemon.inboxes).inodes
    return config.with_departments(names)


def _read(path: Path | None) -> Config:
    if path is None:
        return Config()
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise ConfigurationError([_closed(path)]) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: not valid TOML: {error}"]) from None
    for each in ("inbox", "notify"):
        if isinstance(tree.get(each), dict):
            told = f"{path}: {each}: write [[{each}]], with two brackets: there may be several"
            raise ConfigurationError([told])
    try:
        return Config.model_validate(_with_absolute_paths(tree, path.resolve().parent))
    except ValidationError as error:
        raise ConfigurationError(
            [f"{path}: {explain(problem, Config)}" for problem in error.errors()]
        ) from None


def _closed(path: Path) -> str:
    if "INVOCATION_ID" in os.environ:  # started by systemd
        return f"{path}: this user may not read it: `sudo asr-daemon install` gives the service the right"
    return f"{path}: you may not read it: use sudo, or name a file with -c"


_PATH_KEYS = {
    "daemon": ("state_dir", "fallback_dir", "inboxes"),
    "models": ("dir",),
    "hotwords": ("common_dir",),
    "backup": ("dir", "second_dir"),
    "metrics": ("textfile",),
    "docx": ("template",),
    "gateway": ("tls_certificate", "tls_key", "spool", "socket"),
    "cluster": ("token_file", "tls_ca", "tls_certificate", "tls_key", "socket"),
    "notify": ("url_file", "secret_file"),
    "inbox": ("path", "hotwords", "archive", "speakers"),
}


def _with_absolute_paths(tree: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return the tree with its paths made absolute; an empty one means the default."""
    for section, keys in _PATH_KEYS.items():
        tables = tree.get(section)
        for table in tables if isinstance(tables, list) else [tables]:
            if not isinstance(table, dict):
                continue
            for key in keys:
                value = table.get(key)
                if not isinstance(value, str):
                    continue
                if value.strip():
                    table[key] = os.path.normpath(base / expanded(value.strip()))
                elif key != "path":
                    del table[key]
    return tree
