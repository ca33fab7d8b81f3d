"""``container``: the entry point of a container's image, before the program itself.

Enters: ``$PUID`` and ``$PGID``, ``$STATE_DIRECTORY`` and ``$RUNTIME_DIRECTORY`` (of sockets that containers
share). Leaves: the program, as that user. Where the engine started the container as somebody (``user:``,
``--user``), that user stays.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_daemon.config_sections import default_state_dir
from asr_daemon.errors import OperatorError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ID = 1000
_MOST = 2**32 - 2  # the number after it means "nobody in particular" to the kernel


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
def container(command: tuple[str, ...]) -> None:
    """Run a command (`run` without one) as the user that $PUID and $PGID name: a container's entry point.

    Started by root it gives new, empty folders of state and sockets to that user, and then gives up root for
    good; started by another user it stays that one. The user needs no name and no home in the container.
    """
    os.environ.setdefault("PYTHONUTF8", "1")
    state = default_state_dir() if "STATE_DIRECTORY" in os.environ else None
    if os.geteuid() == 0:
        user, group = wanted_user(os.environ)
        for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
            if given := os.environ.get(name):
                _give_if_new(Path(given), user, group)
        _become(user, group)
    if state is not None:
        os.environ["HOME"] = os.fspath(state)
    arguments = command or ("run",)
    os.execv(sys.executable, [sys.executable, "-m", "asr_daemon", *arguments])  # noqa: S606 (ourselves)


def wanted_user(environ: Mapping[str, str]) -> tuple[int, int]:
    """Return the numbers of user and group; 1000 where nothing is said, and the user's for the group.

    Raises :class:`~asr_daemon.errors.UsageError`.
    """
    user = _number(environ, "PUID", DEFAULT_ID)
    return user, _number(environ, "PGID", user)


def _number(environ: Mapping[str, str], name: str, otherwise: int) -> int:
    given = environ.get(name, "").strip()
    if not given:
        return otherwise
    if not given.isascii() or not given.isdigit() or int(given) > _MOST:
        raise UsageError(f"{name}={given}: write the number that `id` says on the NAS, such as 1026")
    if int(given) == 0:
        raise UsageError(f"{name}=0 would be root: name the user who owns the shares, such as {DEFAULT_ID}")
    return int(given)


def _give_if_new(folder: Path, user: int, group: int) -> None:
    """Give a folder that the engine made just now (a new volume) to the user; others keep what they have."""
    try:
        found = folder.lstat()
        if found.st_uid == 0 and not any(folder.iterdir()):
            os.chown(folder, user, group)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EROFS):
            return  # no volume is there: who needs it says so
        raise OperatorError(f"the folder {folder} cannot be given to {user}: {error.strerror}") from None


def _become(user: int, group: int) -> None:
    """Give up root for good; groups that the engine gave (``group_add``) stay."""
    groups = [each for each in os.getgroups() if each != 0]
    try:
        os.setgroups(groups)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    except OSError as error:
        raise OperatorError(
            f"the container's root may not become {user}:{group} ({error.strerror}): leave it SETUID and "
            f"SETGID (cap_add), or start the container as that user (user: {user}:{group})"
        ) from None


COMMANDS = (container,)
