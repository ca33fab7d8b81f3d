"""What people put into an inbox: sub-folders that the service may not write, recordings that it may not read.

A file server gives new files and folders the rights that its masks say, often those of the person alone; the
inbox itself is well then, and the transcripts of a sub-folder go elsewhere. Enters: an inbox. Leaves: what
is closed, and what helps.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.rights import Wanted, probe
from asr_daemon.files.junk import is_junk_folder
from asr_daemon.inboxes.candidate import is_candidate
from asr_daemon.install.grants import masks, samba_share, to_read, to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config_sections import InboxSection
    from asr_daemon.doctor.finding import Machine
    from asr_daemon.doctor.rights import Need, ServiceUser

MOST_LOOKED_AT = 2000  # entries of an inbox
MOST_TRIED = 100  # of each kind


def look_at_shared(inbox: InboxSection, user: ServiceUser, machine: Machine) -> Iterator[Finding]:
    """Say what below an inbox is closed to the service."""
    key = f"inbox {inbox.name!r}: path"
    share = samba_share(inbox.path, machine.root)
    for need, what, grant in (("write", "sub-folders", to_write), ("read", "recordings", to_read)):
        closed = _closed(inbox, need, user)  # type: ignore[arg-type]
        if not closed:
            continue
        fix = grant(user.called, inbox.path)
        if share:
            fix += f"; and for what comes, {masks(share)}"
        text = f"{user.called} cannot {need} {len(closed)} of its {what}, such as {closed[0]}"
        yield Finding("warning", key, text, fix)


def _closed(inbox: InboxSection, need: Need, user: ServiceUser) -> list[Path]:
    wanted = [Wanted(path, need) for path in itertools.islice(_below(inbox, need), MOST_TRIED)]
    tried = zip(wanted, probe(wanted, user) if wanted else (), strict=True)
    return [each.path for each, why in tried if why]


def _below(inbox: InboxSection, need: Need) -> Iterator[Path]:
    """Yield sub-folders (to write) or recordings (to read), as far as is looked."""
    looked_at = 0
    for folder, names, files in os.walk(inbox.path):
        names[:] = [name for name in names if inbox.recursive and not is_junk_folder(name)]
        looked_at += len(names) + len(files)
        of_interest = names if need == "write" else filter(is_candidate, files)
        yield from (inbox.path / folder / name for name in of_interest)
        if looked_at > MOST_LOOKED_AT:
            return
