"""Folders: whether they are there, who may use them, what they lie on, how full they are."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import stat
from typing import TYPE_CHECKING

from asr_daemon.doctor.departments import look_at_departments
from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.rights import Need, ServiceUser, Wanted, probe
from asr_daemon.doctor.shared import look_at_shared
from asr_daemon.errors import InboxGoneError
from asr_daemon.files.mounts import events_are_reliable, filesystem_type, is_network
from asr_daemon.hotwords import HotwordFileError, Places, read_hotwords
from asr_daemon.inboxes.share import Shares
from asr_daemon.install.access import shared_group
from asr_daemon.install.grants import to_read, to_write
from asr_daemon.queue.inbox_profiles import hotword_places
from asr_daemon.service.state_health import folder_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.config_sections import InboxSection, MetricsSection
    from asr_daemon.doctor.finding import Machine

LOW_SPACE_BYTES = 1 << 30
MOST_FOLDERS = 500_000  # no more are counted
WATCHES = "/proc/sys/fs/inotify/max_user_watches"
INSTANCES = "/proc/sys/fs/inotify/max_user_instances"
SPARE_INSTANCES = 8


def look_at_folders(config: Config, user: ServiceUser, machine: Machine) -> Iterator[Finding]:
    """Say what is wrong with the folders of the configuration, in its order."""
    yield from _state(config, user)
    yield from _backups(config, user)
    yield from _metrics_port(config.metrics)
    if config.metrics.textfile is not None:
        yield from _usable("metrics.textfile", config.metrics.textfile.parent, "write", user)
    if config.hotwords.common_dir is not None:
        yield from _common_lists(config.hotwords.common_dir, user)
    answering, there = Shares(), []
    for inbox in config.inbox:
        try:
            answering.ask(inbox.path, functools.partial(os.path.lexists, inbox.path))
        except InboxGoneError as error:
            yield Finding(
                "error", f"inbox {inbox.name!r}: path", str(error), "umount -f -l, then mount it again"
            )
        else:
            there.append(inbox)
            yield from _inbox(inbox, hotword_places(config), user)
            yield from look_at_shared(inbox, user, machine)
    yield from look_at_departments(config)
    if not config.inbox and config.daemon.inboxes is None:
        text = "no inbox is configured: nothing is watched"
        yield Finding("warning", "inbox", text, 'add [[inbox]] with name = "..." and path = "..."')
    for overlap in config.overlaps(answering.real_path):
        yield Finding(
            "error", f"inbox {overlap.inbox!r}: {overlap.key}", overlap.sentence, "look where its links lead"
        )
    yield from _watches(there, machine)


def _metrics_port(metrics: MetricsSection) -> Iterator[Finding]:
    if metrics.port and not metrics.address.is_loopback:
        text = f"whoever reaches {metrics.address} sees all figures and names of inboxes, without a password"
        yield Finding("warning", "metrics.address", text, 'use "127.0.0.1", or close the port to others')


def _state(config: Config, user: ServiceUser) -> Iterator[Finding]:
    key = "daemon.state_dir"
    yield from _own_folder(key, config.state_dir, user)
    existing = nearest(config.state_dir)
    if is_network(existing):
        yield Finding(
            "error",
            key,
            f"{config.state_dir} lies on a network file system ({filesystem_type(existing)})",
            "put it on a local disk: SQLite's locks do not hold there",
        )
    if problem := folder_problem(existing):
        yield Finding("error", key, problem, "make room, or mount it for writing")
    else:
        yield space(key, existing)
    if config.state_dir.is_dir() and config.state_dir.stat().st_mode & 0o007:
        text = f"everybody on this machine may look into {config.state_dir}"
        yield Finding("warning", key, text, f"chmod o-rwx {shlex.quote(str(config.state_dir))}")
    if config.daemon.fallback_dir is not None:
        yield from _own_folder("daemon.fallback_dir", config.daemon.fallback_dir, user)


def _backups(config: Config, user: ServiceUser) -> Iterator[Finding]:
    yield from _own_folder("backup.dir", config.backup_dir, user)
    yield space("backup.dir", nearest(config.backup_dir))
    second = config.backup.second_dir
    if second is None:
        return
    yield from _own_folder("backup.second_dir", second, user)
    if nearest(second).stat().st_dev == nearest(config.backup_dir).stat().st_dev:
        yield Finding(
            "warning",
            "backup.second_dir",
            f"{second} lies on the same disk as backup.dir: one failure takes both",
            "choose a folder on another disk, or on a share",
        )


def _inbox(inbox: InboxSection, places: Places, user: ServiceUser) -> Iterator[Finding]:
    key = f"inbox {inbox.name!r}: "
    yield from _usable(key + "path", inbox.path, "write", user)
    if inbox.path.is_dir():
        yield space(key + "path", inbox.path)
        kind = filesystem_type(inbox.path)
        if inbox.watch == "events" and not events_are_reliable(kind):
            yield Finding(
                "warning",
                key + "watch",
                f"{inbox.path} lies on {kind}, where file events do not tell of what other machines write",
                'use "auto" or "polling"; until then a recording is found by the next rescan only',
            )
    if inbox.archive is not None:
        yield from _usable(key + "archive", inbox.archive, "write", user)
    if inbox.voices_dir is not None:
        yield from _usable(key + "speakers", inbox.voices_dir, "write", user)
    if inbox.hotwords is not None:
        yield from _hotwords(key + "hotwords", inbox.hotwords, places, user)


def _hotwords(key: str, path: Path, places: Places, user: ServiceUser) -> Iterator[Finding]:
    try:
        words = read_hotwords(path, places)
    except HotwordFileError as error:
        yield Finding("error", key, str(error), "create the file, or leave the key out")
        return
    for problem in words.problems:
        yield Finding("warning", key, f"{problem.path} line {problem.line}: {problem.text}")
    (why,) = probe([Wanted(path, "read")], user)
    if why:
        yield Finding("error", key, f"{user.called} cannot read {path}: {why}", to_read(user.called, path))
    else:
        yield Finding("ok", key, f"{len(words.words)} words in {path}")


def _common_lists(folder: Path, user: ServiceUser) -> Iterator[Finding]:
    key = "hotwords.common_dir"
    if not folder.is_dir():
        yield Finding("error", key, f"the folder {folder} is not there", "create it, or leave the key out")
        return
    (why,) = probe([Wanted(folder, "read")], user)
    if why:
        fix = f"chmod o+rx {shlex.quote(str(folder))}"
        yield Finding("error", key, f"{user.called} cannot read {folder}: {why}", fix)
    elif folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"others than its owner may write in {folder}: what lies there is in every department's list"
        yield Finding("warning", key, text, f"chmod go-w {shlex.quote(str(folder))}")
    else:
        yield Finding("ok", key, f"{folder}")


def _watches(inboxes: list[InboxSection], machine: Machine) -> Iterator[Finding]:
    """Compare what the kernel grants with the folders of those inboxes that are watched by events."""
    watched = [
        inbox
        for inbox in inboxes
        if inbox.path.is_dir()
        and (
            inbox.watch == "events"
            or (inbox.watch == "auto" and events_are_reliable(filesystem_type(inbox.path)))
        )
    ]
    needed = sum(_folders_below(inbox.path) if inbox.recursive else 1 for inbox in watched)
    granted, instances = machine.figure(WATCHES), machine.figure(INSTANCES)
    if granted is not None and watched:
        text = f"{needed} folders to watch, the kernel grants {granted} inotify watches"
        if needed > granted:
            fix = f"sysctl -w fs.inotify.max_user_watches={max(needed * 2, 524_288)} (until then: polling)"
            yield Finding("warning", "environment", text, fix)
        else:
            yield Finding("ok", "environment", text)
    if instances is not None and len(watched) + SPARE_INSTANCES > instances:
        yield Finding(
            "warning",
            "environment",
            f"{len(watched)} inboxes to watch, the kernel grants {instances} inotify instances a user",
            f"sysctl -w fs.inotify.max_user_instances={2 * (len(watched) + SPARE_INSTANCES)}",
        )


def _folders_below(folder: Path) -> int:
    count = 0
    for _ in os.walk(folder):
        count += 1
        if count >= MOST_FOLDERS:
            break
    return count


def _own_folder(key: str, folder: Path, user: ServiceUser) -> Iterator[Finding]:
    """Look at a folder that the service makes where it is not there."""
    if folder.is_dir():
        yield from _usable(key, folder, "write", user)
        return
    above = nearest(folder)
    (why,) = probe([Wanted(above, "write")], user)
    if why:
        yield Finding(
            "error",
            key,
            f"the folder {folder} is not there, and {user.called} cannot make it: {why}",
            f"install -d -o {user.called} -m 750 {shlex.quote(str(folder))}",
        )
    else:
        yield Finding("ok", key, f"{folder} will be made")


def _usable(key: str, folder: Path, need: Need, user: ServiceUser) -> Iterator[Finding]:
    if not folder.is_dir():
        if folder.exists():
            yield Finding("error", key, f"{folder} is a file", "name a folder")
        else:
            yield Finding("error", key, f"the folder {folder} is not there", "create it, or mount its share")
        return
    (why,) = probe([Wanted(folder, need)], user)
    if why:
        fix = to_write(user.called, folder)
        group = shared_group(folder)
        if user.name and group and group not in user.groups:
            fix = f"asr-daemon install (it takes the service into the group {group}), or {fix}"
        yield Finding("error", key, f"{folder} cannot be written by {user.called}: {why}", fix)
    else:
        yield Finding("ok", key, f"{folder} ({filesystem_type(folder)})")


def space(key: str, folder: Path) -> Finding:
    """Say how much room there is."""
    free = shutil.disk_usage(folder).free
    if free < LOW_SPACE_BYTES:
        return Finding("warning", key, f"only {free / 2**20:.0f} MiB free on {folder}", "make room")
    return Finding("ok", key, f"{free / 2**30:.0f} GiB free on {folder}")


def nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())
