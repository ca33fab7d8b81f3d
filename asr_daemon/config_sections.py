"""The tables of the file: what each may hold, and what holds where it says nothing."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    StrictBool,
    field_validator,
    model_validator,
)

from asr_daemon.clock import cron_trigger
from asr_daemon.errors import ConfigurationError
from asr_daemon.hours import Hours
from asr_daemon.models.abilities import PrecisionWanted  # noqa: TC001 (pydantic reads it)

TEXT_FORMATS = ("txt", "srt", "vtt", "json", "md")
MOST_SPEAKERS = 100

Format = Literal["txt", "srt", "vtt", "json", "md", "docx"]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
SilenceMs = Annotated[int, Field(ge=100, le=10_000)]


def _none_for_0(value: object) -> object:
    """TOML has no word for "nothing"."""
    return None if value == 0 else value


def _percent(value: object) -> object:
    """``false`` says "off" more plainly than 0; ``true`` says no threshold."""
    if value is True:
        raise ValueError("write a percentage above which others have the card, such as 20; 0 or false: off")
    return 0.0 if value is False else value


def default_state_dir() -> Path:
    """Where systemd says (``StateDirectory=``), else below ``$XDG_STATE_HOME``."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:  # neither $HOME nor an entry in passwd, as in a container
        raise ConfigurationError(
            ["daemon.state_dir: this user has no home folder: set it, or $STATE_DIRECTORY"]
        ) from None
    return Path(base) / "asr-daemon"


def _folder_of_departments() -> Path | None:
    """Return ``$ASR_DAEMON_INBOXES``: what a container's image says, where there is no file."""
    given = os.environ.get("ASR_DAEMON_INBOXES")
    return Path(os.path.abspath(given)) if given else None


def _folder_of_models() -> Path | None:
    given = os.environ.get("ASR_DAEMON_MODELS")
    return Path(os.path.abspath(given)) if given else None


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
    inboxes: Path | None = Field(default_factory=_folder_of_departments)  # each folder there is an inbox


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
    live: Count = 16  # sessions of live captions at once
    max_duration_h: Positive = 48.0
    ffmpeg: str = ""
    # percent of a card that other processes use; above it the queue waits. 0: never
    yield_to_others: Annotated[float, Field(ge=0, lt=100), BeforeValidator(_percent)] = 0.0

    @property
    def recognisers(self) -> tuple[str, ...]:
        """The device of each recogniser."""
        return self.devices or (self.device,)


class ModelsSection(Section):
    """``[models]``: where model folders lie."""

    dir: Path | None = Field(default_factory=_folder_of_models)  # None: "models" in the state folder


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
                cron_trigger(value)
            except ValueError as error:
                raise ValueError(
                    f"not a cron expression of five fields, such as '30 3 * * *': {error}"
                ) from None
        return value


class MetricsSection(Section):
    """``[metrics]``: figures for Prometheus."""

    textfile: Path | None = None
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    address: IPvAnyAddress = ip_address("127.0.0.1")


class RetentionSection(Section):
    """``[retention]``: what the history forgets; 0 is never."""

    tokens_days: Count = 0
    evidence_days: Count = 0
    voices_days: Count = 0
    messages_days: Count = 30
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
    socket: Path | None = None  # by which it asks the daemon; None: where both look for it
    most_upload_gb: Positive = 8.0
    keep_uploads_h: NotNegative = 24.0  # of what is sent to be transcribed; 0: until its text is there
    trusted_user_header: str = ""  # in which a proxy says who is logged in; "": none is believed
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()  # beside the Unix socket
    playback_cache_gb: Positive = 10.0
    live_left_m: NotNegative = 60.0  # minutes that live captions wait for a speaker who has gone

    @model_validator(mode="after")
    def _has_both_files_of_tls(self) -> GatewaySection:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both, or neither")
        return self

    @property
    def listens_here(self) -> bool:
        """Whether only this machine reaches it."""
        if self.listen.startswith("unix:"):
            return True
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False


class DocxSection(Section):
    """``[docx]``: how Word's files look."""

    font: Annotated[str, Field(min_length=1, max_length=64)] = "宋体"
    heading_font: Annotated[str, Field(min_length=1, max_length=64)] = "黑体"
    template: Path | None = None  # its styles, page and margins in place of ours


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
    join: bool = False  # parts of one recording also get one transcript
    speakers: StrictBool | Path = False  # a folder: yes, and whose voices lie there is known by name
    max_speakers: Annotated[int, Field(ge=0, le=MOST_SPEAKERS)] = 0  # 0: no limit
    speakers_expected: Annotated[int, Field(ge=0, le=MOST_SPEAKERS)] = 0  # 0: found out
    weight: Annotated[float, Field(ge=0.01, le=100)] = 1.0  # its part of the recogniser, beside the others'
    order: Literal["short_first", "oldest_first"] = "short_first"
    ageing: Annotated[float, Field(ge=0, le=1000)] = 4.0  # times its own length
    hours: tuple[str, ...] = ()  # asr_daemon/hours.py; (): always

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Hours(value)
        return value

    @property
    def voices_dir(self) -> Path | None:
        """The folder of voice samples."""
        return self.speakers if isinstance(self.speakers, Path) else None
