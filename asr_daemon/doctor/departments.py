"""The folder of the departments: what in it is none, and what lies in it by mistake."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING

from asr_daemon.doctor.finding import Finding
from asr_daemon.files.departments import MOST_ENTRIES, list_departments
from asr_daemon.files.formats import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config import Config

KEY = "daemon.inboxes"
SHOWN = 10


def look_at_departments(config: Config) -> Iterator[Finding]:
    """Say which folders are no departments, and why."""
    folder = config.daemon.inboxes
    if folder is None:
        return
    found = list_departments(folder)
    if found.problem:
        yield Finding("error", KEY, found.problem, "create it, or mount it")
        return
    stated = config.stated
    refused = {**found.refused, **{name: stated.why_no_department(name) for name in found.inodes}}
    own = {inbox.path for inbox in stated.inbox}
    told = [(name, why) for name, why in refused.items() if why and folder / name not in own]
    for name, why in told[:SHOWN]:
        yield Finding("warning", KEY, f"{name!r} in {folder} is no department: {why}", "give it another name")
    if strays := _recordings(folder):
        text = f"{strays} recordings lie in {folder} itself, and in no department: nobody transcribes them"
        yield Finding("warning", KEY, text, "move them into the folder of a department")
    if not config.inbox:
        text = f"there is no folder in {folder} yet: nothing is watched"
        yield Finding("warning", KEY, text, "make a folder for each department there")
    elif not told:
        yield Finding("ok", KEY, f"{len(config.departments)} departments in {folder}")


def _recordings(folder: Path) -> int:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        some = itertools.islice(entries, MOST_ENTRIES)
        return sum(_is_recording(each) for each in some)
    return 0


def _is_recording(entry: os.DirEntry[str]) -> bool:
    return entry.name.rpartition(".")[2].lower() in SUFFIXES and entry.is_file(follow_symlinks=False)
