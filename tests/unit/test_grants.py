"""Advice about rights: commands that do what they should, open nothing to everybody, and survive any name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asr_daemon.install.grants import masks, samba_share, to_read, to_write

NOBODY = "nobody"


def as_nobody(*command: str) -> int:
    """Return the exit code of a command that another user runs."""
    return subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *command], check=False, capture_output=True
    ).returncode


def can(what: str, path: Path) -> bool:
    """Whether another user may."""
    return as_nobody("test", what, str(path)) == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setfacl"), reason="needs root and setfacl")
def test_the_commands_work_and_give_nobody_else_anything(tmp_path: Path) -> None:
    """A closed file in closed folders of odd names can be read by the service's user, and by nobody else."""
    closed = tmp_path / "it's; a $(touch x) folder"
    inner = closed / "内 部"
    inner.mkdir(parents=True)
    file = inner / "words.txt"
    file.write_text("词")
    for path, mode in ((file, 0o600), (inner, 0o700), (closed, 0o700)):
        path.chmod(mode)
    assert not can("-r", file)
    command = to_read(NOBODY, file)
    if subprocess.run(command, shell=True, check=False, cwd=tmp_path).returncode:  # noqa: S602 (as it is copied)
        pytest.skip("no access lists here")
    assert can("-r", file)
    assert not can("-r", inner), "it passes through, and sees nothing else"
    assert file.stat().st_mode & 0o007 == 0
    subprocess.run(to_write(NOBODY, inner), shell=True, check=True, cwd=tmp_path)  # noqa: S602
    assert can("-w", inner)
    assert not (tmp_path / "x").exists()


def test_nothing_is_opened_to_everybody(tmp_path: Path) -> None:
    """No advice says chmod, and each names the user and the very path, quoted."""
    folder = tmp_path / "a b"
    folder.mkdir()
    for advice in (to_read("asr", folder), to_write("asr", folder)):
        assert "chmod" not in advice
        assert f"'{folder}'" in advice
        assert re.search(r"u:asr:r", advice)


def test_the_share_of_a_folder_is_found(tmp_path: Path) -> None:
    """The section of smb.conf in which an inbox lies; the deepest path above it, or none."""
    (tmp_path / "etc/samba").mkdir(parents=True)
    (tmp_path / "etc/samba/smb.conf").write_text(
        "[global]\n  workgroup = X\n[财务]\n  path = /srv/share/finance\n; path = /srv/other\n"
        '[odd]\npath="/srv/a b"\n'
    )
    assert samba_share(Path("/srv/share/finance"), tmp_path) == "财务"
    assert samba_share(Path("/srv/share/finance/in"), tmp_path) == "财务"
    assert samba_share(Path("/srv/a b"), tmp_path) == "odd"
    assert samba_share(Path("/srv/share/finance2"), tmp_path) == ""
    assert samba_share(Path("/srv/share"), tmp_path / "nowhere") == ""
    assert "force create mode" in masks("财务")
