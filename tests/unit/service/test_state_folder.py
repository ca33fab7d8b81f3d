"""The state folder's lock: one holder, named; no network file system; a full disk does not stop it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from asr_daemon.errors import OperatorError, StateFolderHeldError
from asr_daemon.service.state_folder import StateFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    """It is refused with the first one's process number, and may come when that has gone."""
    with StateFolder(tmp_path), pytest.raises(StateFolderHeldError, match=str(os.getpid())):
        StateFolder(tmp_path).__enter__()
    with StateFolder(tmp_path):
        pass


@pytest.mark.parametrize("fs_type", ["nfs4", "cifs", "smb3", "fuse.sshfs", "9p"])
def test_network_file_system_is_refused(tmp_path: Path, fs_type: str) -> None:
    """SQLite's locks do not hold there; the sentence says so, and the lock is given back."""
    with pytest.raises(OperatorError, match=fs_type):
        StateFolder(tmp_path, fs_type_of=lambda _path: fs_type).__enter__()
    with StateFolder(tmp_path, fs_type_of=lambda _path: "ext4"):
        pass
