"""The entry point of a container's image: which user the program is, and what it may give away before."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from asr_daemon.cli.container import wanted_user
from asr_daemon.errors import UsageError
from support import run_command

if TYPE_CHECKING:
    from pathlib import Path

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.mark.parametrize(
    ("environ", "user"),
    [
        ({}, (1000, 1000)),
        ({"PUID": "1026", "PGID": "100"}, (1026, 100)),  # Synology's first user, and "users"
        ({"PUID": " 501 "}, (501, 501)),
        ({"PUID": "", "PGID": ""}, (1000, 1000)),
    ],
)
def test_user_is_what_the_environment_says(environ: dict[str, str], user: tuple[int, int]) -> None:
    """As other images for a NAS have it."""
    assert wanted_user(environ) == user


@pytest.mark.parametrize("given", ["0", "root", "-1", "4294967295", "１０００", "1000:1000"])
def test_user_that_is_none_or_root_is_refused(given: str) -> None:
    """Never root by mistake, and never another one than was meant."""
    with pytest.raises(UsageError, match="PUID"):
        wanted_user({"PUID": given})


def entered(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command through the entry point."""
    return run_command("container", *command, STATE_DIRECTORY=str(folder), **environment)


def test_command_keeps_its_own_options(tmp_path: Path) -> None:
    """What stands behind `container` is the program's command line; exit codes pass through."""
    if os.geteuid() == 0:
        pytest.skip("covered as another user below")
    assert entered(tmp_path, "itn", "--help").returncode == 0


@as_root
def test_new_state_folder_is_given_to_the_user_and_root_is_given_up(tmp_path: Path) -> None:
    """A volume that the engine made belongs to root; what lies in one already stays as it is."""
    script = (
        "import os, sys, asr_daemon.cli.container as c\n"
        "os.execv = lambda _program, arguments: print(os.getresuid(), os.getresgid(), os.getgroups(),\n"
        "    os.environ['HOME'], arguments[3:])\n"
        "os.setgroups([0, 7])\n"
        "c.container.main(sys.argv[1:], standalone_mode=False)\n"
    )

    def entering(folder: Path, *command: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script, *command],
            env={**os.environ, "STATE_DIRECTORY": str(folder), "PUID": "1026", "PGID": "100"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    new, old = tmp_path / "new", tmp_path / "old"
    new.mkdir()
    old.mkdir()
    (old / "history.db").touch()
    told = "(1026, 1026, 1026) (100, 100, 100) [7] {} {}"
    assert entering(new) == told.format(new, ["run"])
    assert entering(old, "serve", "-c", "x.toml") == told.format(old, ["serve", "-c", "x.toml"])
    assert [(f.stat().st_uid, f.stat().st_gid) for f in (new, old)] == [(1026, 100), (0, 0)]


@as_root
def test_user_that_may_not_be_become_is_said(tmp_path: Path) -> None:
    """`cap_drop: ALL` without what the entry point needs."""
    command = [sys.executable, "-m", "asr_daemon", "container", "itn", "三点"]
    ended = subprocess.run(
        ["setpriv", "--bounding-set=-setuid,-setgid", *command],
        env={**os.environ, "STATE_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "SETUID" in ended.stderr
    assert "Traceback" not in ended.stderr
