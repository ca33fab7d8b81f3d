"""The configuration: one model of it, read from TOML; every problem at once, with its key and its fix.

Enters: a path (or none: the defaults). Leaves: a frozen :class:`Config` with absolute paths. Fails with
:class:`~asr_daemon.errors.ConfigurationError`. ``config.toml`` at the top of the project documents every
key; a test holds the two together.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from apscheduler.triggers.cron import CronTrigger
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    StrictBool,
    ValidationError,
    field_validator,
    model_validator,
)

from asr_daemon.config_problems import explain
from asr_daemon.errors import ConfigurationError, UsageError
from asr_daemon.files.overlap import Department, Overlap, overlaps
from asr_daemon.models.abilities import PrecisionWanted  # noqa: TC001 (pydantic reads it)

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RUNTIME_DIR = Path("/run/asr-daemon")  # of the service: systemd makes it
SYSTEM_CONFIG = Path("/etc/asr-daemon/config.toml")
TRANSCRIPT_FORMATS = ("txt", "srt", "vtt", "json")
MOST_SPEAKERS = 100

Format = Literal["txt", "srt", "vtt", "json"]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
SilenceMs = Annotated[int, Field(ge=100, le=10_000)]


def _none_for_0(value: object) -> object:
    """TOML has no word for "nothing"."""
    return None if value == 0 else value


def default_state_dir() -> Path:
    """Where systemd says (``StateDirectory=``), else below ``$XDG_STATE_HOME``."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "asr-daemon"


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class DaemonSection(Section):
    """``[daemon]``: the process and its queue."""

    state_dir: Path = Field(default_factory=default_state_dir)
    rescan_s: Positive = 60.0
    log: Literal["auto", "console", "journal", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_attempts: Annotated[int, Field(ge=1)] = 3
    retry_after_s: Positive = 30.0  # doubles with every attempt
    fallback_dir: Path | None = None  # None: "transcripts" in the state folder


class EngineSection(Section):
    """``[engine]``: the recogniser."""

    model: str = "auto"
    device: Device = "auto"
    devices: tuple[Device, ...] = ()  # one recogniser for each; empty: one, on `device`
    batch_s: NotNegative = 0.0
    half_precision: bool = True
    precision: PrecisionWanted = "auto"
    threads: Count = 0
    idle_unload_min: NotNegative = 10.0
    stall_s: Positive = 300.0
    max_duration_h: Positive = 48.0
    ffmpeg: str = ""

    @property
    def recognisers(self) -> tuple[str, ...]:
        """The device of each recogniser."""
        return self.devices or (self.device,)


class ModelsSection(Section):
    """``[models]``: where model folders lie."""

    dir: Path | None = None  # None: "models" in the state folder


class ItnSection(Section):
    """``[itn]``: inverse text normalisation, for every inbox."""

    enabled: bool = True
    protect: tuple[str, ...] = ()


class HotwordsSection(Section):
    """``[hotwords]``: for every department's list."""

    common_dir: Path | None = None  # None: a list includes what lies in its own folder only


class SpeakersSection(Section):
    """``[speakers]``: telling voices apart, where an inbox asks for it."""

    model: str = "builtin"  # or a name in the models folder


class BackupSection(Section):
    """``[backup]``: copies of the history."""

    schedule: str = "30 3 * * *"
    dir: Path | None = None  # None: "backups" in the state folder
    second_dir: Path | None = None
    keep_last: Annotated[int, Field(ge=1)] = 7
    keep_daily: Count = 14
    keep_weekly: Count = 8

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        if value:
            try:
                CronTrigger.from_crontab(value)
            except ValueError as error:
                raise ValueError(
                    f"not a cron expression of five fields, such as '30 3 * * *': {error}"
                ) from None
        return value


class MetricsSection(Section):
    """``[metrics]``: figures for Prometheus."""

    textfile: Path | None = None
    port: Annotated[int, Field(ge=0, le=65535)] = 0


class RetentionSection(Section):
    """``[retention]``: what the history forgets; 0 is never."""

    tokens_days: Count = 0
    evidence_days: Count = 0
    voices_days: Count = 0
    vacuum_percent: Annotated[int, Field(ge=0, le=100)] = 25


class GatewaySection(Section):
    """``[gateway]``: console and HTTP interface, in a process of their own."""

    listen: Annotated[str, Field(pattern=r"^(unix:/.+|\[[0-9a-fA-F:]+\]:\d{1,5}|[^:/\s]+:\d{1,5})$")] = (
        "127.0.0.1:8760"
    )
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    language: Literal["auto", "zh", "en"] = "auto"
    user: str = ""  # that the gateway runs as; "": as the daemon itself
    spool: Path | None = None  # None: "uploads" in the gateway's own state folder
    most_upload_gb: Positive = 8.0
    keep_uploads_h: NotNegative = 24.0  # of what is sent to be transcribed; 0: until its text is there
    trusted_user_header: str = ""  # in which a proxy says who is logged in; "": none is believed
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()  # beside the Unix socket
    playback_cache_gb: Positive = 10.0

    @model_validator(mode="after")
    def _has_both_files_of_tls(self) -> GatewaySection:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both, or neither")
        return self


class InboxSection(Section):
    """``[[inbox]]``: one department's folder and what its recordings get."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f]+$")]
    path: Path
    hotwords: Path | None = None
    language: Literal["zh", "yue", "en", "ja", "ko", "auto"] = "zh"
    itn: bool = True
    protect: tuple[str, ...] = ()
    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("txt", "srt")
    watch: Literal["auto", "events", "polling"] = "auto"
    settle_s: Positive = 5.0
    max_size_gb: NotNegative = 100.0  # 0: any size
    recursive: bool = True
    max_segment_s: Annotated[float, Field(ge=1, le=120)] = 30.0
    max_end_silence_ms: Annotated[SilenceMs | None, BeforeValidator(_none_for_0)] = None  # None: the model's
    phonetic_correction: bool = True
    archive: Path | None = None
    speakers: StrictBool | Path = False  # a folder: yes, and whose voices lie there is known by name
    max_speakers: Annotated[int, Field(ge=0, le=MOST_SPEAKERS)] = 0  # 0: no limit
    speakers_expected: Annotated[int, Field(ge=0, le=MOST_SPEAKERS)] = 0  # 0: found out

    @property
    def voices_dir(self) -> Path | None:
        """The folder of voice samples."""
        return self.speakers if isinstance(self.speakers, Path) else None


class Config(Section):
    """The whole file, paths absolute."""

    daemon: DaemonSection = Field(default_factory=DaemonSection)
    engine: EngineSection = Field(default_factory=EngineSection)
    models: ModelsSection = Field(default_factory=ModelsSection)
    itn: ItnSection = Field(default_factory=ItnSection)
    hotwords: HotwordsSection = Field(default_factory=HotwordsSection)
    speakers: SpeakersSection = Field(default_factory=SpeakersSection)
    backup: BackupSection = Field(default_factory=BackupSection)
    metrics: MetricsSection = Field(default_factory=MetricsSection)
    retention: RetentionSection = Field(default_factory=RetentionSection)
    gateway: GatewaySection | None = None  # None: there is no gateway
    inbox: tuple[InboxSection, ...] = ()

    @model_validator(mode="after")
    def _folders_do_not_overlap(self) -> Config:
        names = [inbox.name for inbox in self.inbox]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two inboxes are called {twice!r}: give each its own name")
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
        return (RUNTIME_DIR if self.gateway_user else self.state_dir) / "gateway.sock"

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
        return os.fsencode(inside).decode("utf-8", "replace")

    def root_of(self, path: Path) -> Path:
        """Return the folder below which no link is followed to that path: an inbox, or the fall-back."""
        roots = (*(inbox.path for inbox in self.inbox), self.fallback_dir)
        return next((root for root in roots if root in path.parents), path.parent)

    def keeps(self, path: Path) -> bool:
        """Return whether files of ours may be removed at that path: in an inbox, or in the fall-back.

        A history that somebody made up, and an administrator restored, may name any other.
        """
        roots = (*(inbox.path for inbox in self.inbox), self.fallback_dir)
        return ".." not in path.parts and any(root in path.parents for root in roots)

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


def load_config(path: Path | None) -> Config:
    """Read the file (None: the defaults), with relative paths taken from its own folder.

    Raises :class:`ConfigurationError` with every problem: the key, what is wrong, what would be right.
    """
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
    if isinstance(tree.get("inbox"), dict):
        raise ConfigurationError([f"{path}: inbox: write [[inbox]], with two brackets: there may be several"])
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
    "daemon": ("state_dir", "fallback_dir"),
    "models": ("dir",),
    "hotwords": ("common_dir",),
    "backup": ("dir", "second_dir"),
    "metrics": ("textfile",),
    "gateway": ("tls_certificate", "tls_key", "spool"),
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
                    table[key] = os.path.normpath(base / Path(value.strip()).expanduser())
                elif key != "path":
                    del table[key]
    return tree
