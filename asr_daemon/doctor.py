"""Configuration and environment, every problem at once, each with its key and its fix.

Enters: a configuration that could be read. Leaves: findings; nothing is changed but a probe file that is
removed again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr_daemon.audio import find_ffmpeg
from asr_daemon.errors import AsrDaemonError
from asr_daemon.hotwords import HotwordFileError, read_hotwords
from asr_daemon.models.catalogue import resolve
from asr_daemon.mounts import filesystem_type, is_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config, InboxSection

LOW_SPACE_BYTES = 1 << 30
OLDEST_SQLITE = (3, 37)  # STRICT tables
Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    key: str  # of the configuration, or "environment"
    text: str
    fix: str = ""


def examine(config: Config) -> list[Finding]:
    """Return what was found, in the order of the configuration."""
    return [
        *_state(config),
        *_engine(config),
        *_backup(config),
        *(finding for inbox in config.inbox for finding in _inbox(inbox)),
        *_sqlite(),
    ]


def _state(config: Config) -> Iterator[Finding]:
    key = "daemon.state_dir"
    yield from _writable_folder(key, config.state_dir, may_be_made=True)
    existing = _existing(config.state_dir)
    if is_network(existing):
        yield Finding(
            "error",
            key,
            f"{config.state_dir} lies on a network file system ({filesystem_type(existing)})",
            "put it on a local disk: SQLite's locks do not hold there",
        )
    yield _space(key, existing)


def _engine(config: Config) -> Iterator[Finding]:
    engine = config.engine
    try:
        model = resolve(engine.model, config.models_dir, engine.device)
    except AsrDaemonError as error:
        yield Finding("error", "engine.model", str(error), "put the model's folder there; see models.dir")
    else:
        if model.is_builtin:
            yield Finding(
                "warning",
                "engine.model",
                f"{model.label}: small, trained on synthetic voices, only for trying out",
                f"put paraformer-zh, fsmn-vad and ct-punc into {config.models_dir}",
            )
        else:
            yield Finding("ok", "engine.model", f"{model.label} in {model.folder}")
    try:
        ffmpeg = find_ffmpeg(engine.ffmpeg)
        version = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True, timeout=20)
    except (AsrDaemonError, OSError, subprocess.SubprocessError) as error:
        yield Finding(
            "error", "engine.ffmpeg", f"ffmpeg does not run: {error}", "install ffmpeg or imageio-ffmpeg"
        )
    else:
        yield Finding("ok", "engine.ffmpeg", f"{version.stdout.splitlines()[0]} ({ffmpeg})")
    if engine.device.startswith("cuda") and not Path("/dev/nvidiactl").exists():
        yield Finding(
            "error",
            "engine.device",
            f"{engine.device} is asked for, but there is no NVIDIA device",
            'use "auto" or "cpu"',
        )


def _backup(config: Config) -> Iterator[Finding]:
    if not config.backup.schedule:
        yield Finding("warning", "backup.schedule", "no backups are taken", "set a cron expression")
    yield from _writable_folder("backup.dir", config.backup_dir, may_be_made=True)
    if config.backup.second_dir is not None:
        yield from _writable_folder("backup.second_dir", config.backup.second_dir, may_be_made=True)


def _inbox(inbox: InboxSection) -> Iterator[Finding]:
    key = f"inbox {inbox.name!r}: "
    yield from _writable_folder(key + "path", inbox.path, may_be_made=False)
    if inbox.path.is_dir():
        yield _space(key + "path", inbox.path)
    if inbox.hotwords is None:
        return
    try:
        words = read_hotwords(inbox.hotwords)
    except HotwordFileError as error:
        yield Finding("error", key + "hotwords", str(error), "create the file, or leave the key out")
        return
    for problem in words.problems:
        yield Finding("warning", key + "hotwords", f"{problem.path} line {problem.line}: {problem.text}")
    yield Finding("ok", key + "hotwords", f"{len(words.words)} words in {inbox.hotwords}")


def _sqlite() -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield Finding(
            "error", "environment", f"SQLite {sqlite3.sqlite_version} is too old", "use 3.37 or newer"
        )
    else:
        yield Finding("ok", "environment", f"SQLite {sqlite3.sqlite_version}")


def _writable_folder(key: str, folder: Path, *, may_be_made: bool) -> Iterator[Finding]:
    if not folder.is_dir():
        if not may_be_made or not os.access(_existing(folder), os.W_OK):
            yield Finding("error", key, f"the folder {folder} is not there", "create it, or mount its share")
        return
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".asr-daemon-check-"):
            pass
    except OSError as error:
        yield Finding(
            "error",
            key,
            f"{folder} cannot be written: {error.strerror}",
            "give the service's user the right to write it",
        )
    else:
        yield Finding("ok", key, f"{folder} ({filesystem_type(folder)})")


def _space(key: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    if free < LOW_SPACE_BYTES:
        return Finding("warning", key, f"only {free / 2**20:.0f} MiB free on {folder}", "make room")
    return Finding("ok", key, f"{free / 2**30:.0f} GiB free on {folder}")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())
