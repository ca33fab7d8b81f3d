"""What the service's user may do: asked by a child process that became that user, not guessed from modes.

Modes, groups, access lists, root-squashing shares and read-only mounts all show in one thing only: whether a
file can be made. Enters: folders and files. Leaves: for each, why not, or "".
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asr_daemon.files.owner import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROBE = ".asr-daemon-check-"  # a hidden name: no inbox takes it for a recording
Need = Literal["write", "read"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A path and what the service does with it."""

    path: Path
    need: Need


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """Whose rights count; None as name: those of who asks."""

    name: str | None = None
    groups: tuple[str, ...] = ()  # SupplementaryGroups=

    @property
    def is_known(self) -> bool:
        """Whether there is such a user."""
        try:
            return self.name is None or bool(pwd.getpwnam(self.name))
        except KeyError:
            return False

    def group_numbers(self) -> tuple[int, ...]:
        """Return the numbers of its further groups, of those that are there."""
        numbers = []
        for name in self.groups:
            with contextlib.suppress(KeyError):
                numbers.append(grp.getgrnam(name).gr_gid)
        return tuple(numbers)

    @property
    def called(self) -> str:
        """What people call it."""
        return self.name or name_of(os.geteuid())


def probe(wanted: Sequence[Wanted], user: ServiceUser) -> list[str]:
    """Return for each path why the user cannot use it, or ""."""
    if user.name is None or os.geteuid() != 0 or not user.is_known:
        return [_try(each) for each in wanted]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _become(user)
            answer = [_try(each) for each in wanted]
        except Exception as error:  # noqa: BLE001 (whatever it is, the parent says it)
            answer = [f"the rights of {user.name} cannot be tried: {error}"] * len(wanted)
        with os.fdopen(writing, "w", encoding="utf-8") as out:
            json.dump(answer, out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        text = answers.read()
    os.waitpid(child, 0)
    found: list[str] = json.loads(text)
    return found


def _become(user: ServiceUser) -> None:
    assert user.name is not None  # noqa: S101 (the caller asked)
    entry = pwd.getpwnam(user.name)
    own = os.getgrouplist(user.name, entry.pw_gid)
    os.setgroups([*own, *(grp.getgrnam(name).gr_gid for name in user.groups)])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _try(wanted: Wanted) -> str:
    try:
        if wanted.need == "write":
            with tempfile.NamedTemporaryFile(dir=wanted.path, prefix=PROBE):
                pass
        elif wanted.path.is_dir():
            next(wanted.path.iterdir(), None)
        else:
            with wanted.path.open("rb"):
                pass
    except OSError as error:
        return error.strerror or str(error)
    return ""
