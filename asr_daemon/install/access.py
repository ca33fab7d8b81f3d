"""What the service may reach, from the configuration: a drop-in beside the unit.

Enters: the configuration, the environment. Leaves: the text of ``inboxes.conf`` and advice about rights. The
unit closes everything; ``ReadWritePaths=`` opens the inboxes. What lies below /home, /root and /tmp is hidden
from the service altogether, so such folders, and no more, are mounted into the hidden place.
"""

from __future__ import annotations

import contextlib
import grp
import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.install.grants import to_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asr_daemon.config import Config
    from asr_daemon.install.environment import Environment

STATE_DIR = Path("/var/lib/asr-daemon")

_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # hidden by ProtectHome=
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 (hidden by PrivateTmp=)
_ACL = "system.posix_acl_access"

_HEAD = """\
# Written by `asr-daemon install` from {config}: run it again after inboxes came or went.
# Folders that are not there when the service starts are left out ("-") until it is started again.

[Service]
"""


def drop_in(config: Config, environment: Environment, config_path: Path) -> str:
    """Return the drop-in's text."""
    lines: list[str] = []
    writable, readable = _writable(config), _readable(config, environment, config_path)
    if any(lies_below(path, _HOMES) for path in (*writable, *readable)):
        lines.append("# Of the homes, only what follows is there.")
        lines.append("ProtectHome=tmpfs")
    for path in writable:
        if is_hidden(path):
            lines.append(f"BindPaths=-{quoted_bind(path)}")
        else:
            lines.append(f"ReadWritePaths=-{quoted(path)}")
    lines += [f"BindReadOnlyPaths=-{quoted_bind(path)}" for path in readable if is_hidden(path)]
    if groups := _shared_groups(config):
        lines.append("# Groups that may write into an inbox.")
        lines.append(f"SupplementaryGroups={' '.join(groups)}")
    return _HEAD.format(config=config_path) + "\n".join(lines) + "\n"


def advice(config: Config, user: str) -> Iterator[str]:
    """Say which inboxes the user could hardly write to, and what to do."""
    for inbox in config.inbox:
        try:
            found = inbox.path.stat()
        except OSError:
            yield f"inbox {inbox.name}: {inbox.path} is not there (yet)"
            continue
        if not found.st_mode & stat.S_IWOTH and not shared_group(inbox.path) and not _has_acl(inbox.path):
            yield f"inbox {inbox.name}: {user} may hardly write there; {to_write(user, inbox.path)}"


def missing_folders(config: Config, user: str) -> Iterator[str]:
    """Say which folders of the service's own are not there, and how to make them."""
    for key, path in (
        ("daemon.state_dir", config.daemon.state_dir),
        ("daemon.fallback_dir", config.daemon.fallback_dir),
        ("backup.dir", config.backup.dir),
        ("backup.second_dir", config.backup.second_dir),
    ):
        if path and not lies_below(path, [STATE_DIR]) and not path.exists():
            yield f"{key}: make the folder: install -d -o {user} -g {user} -m 750 {shlex.quote(str(path))}"


def quoted(path: Path | str) -> str:
    """Return the path as a unit file wants it: quoted, specifiers and escapes doubled."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if text != str(path) or any(c.isspace() or c in "'#;" for c in text) else text


def quoted_bind(path: Path) -> str:
    """Return the path for ``BindPaths=``, where a colon separates source and target."""
    return quoted(path).replace(":", "\\:")


def _writable(config: Config) -> list[Path]:
    """Return what the service writes, outside its StateDirectory=."""
    folders: list[Path | None] = []
    for inbox in config.inbox:
        folders += [inbox.path, inbox.archive, inbox.voices_dir]  # there lies what is wrong with a sample
    folders += [
        config.daemon.state_dir,
        config.backup.dir,
        config.backup.second_dir,
        config.daemon.fallback_dir,
        config.metrics.textfile.parent if config.metrics.textfile else None,
        config.daemon.inboxes,  # departments to come
    ]
    return without_inner(
        path for path in folders if path and path != STATE_DIR and STATE_DIR not in path.parents
    )


def _readable(config: Config, environment: Environment, config_path: Path) -> list[Path]:
    files: list[Path | None] = [config_path.parent, config.models.dir, config.hotwords.common_dir]
    files += [inbox.hotwords.parent for inbox in config.inbox if inbox.hotwords]
    for name in (config.engine.ffmpeg, config.engine.model):
        files.append(Path(name).parent if name.startswith("/") else None)
    return without_inner([*environment.folders, *(path for path in files if path)])


def without_inner(paths: Iterable[Path]) -> list[Path]:
    """Return the paths in order, without those that lie in another one."""
    every = list(dict.fromkeys(paths))
    return [path for path in every if not any(other in path.parents for other in every)]


def is_hidden(path: Path) -> bool:
    """Whether the sandbox hides what lies there: homes, and folders for temporary files."""
    return lies_below(path, _HOMES) or lies_below(path, _TEMPORARY)


def lies_below(path: Path, roots: Iterable[Path]) -> bool:
    """Whether a path is one of these folders, or lies in one."""
    return any(root == path or root in path.parents for root in roots)


def _shared_groups(config: Config) -> list[str]:
    """Return the groups through which inboxes are shared."""
    return sorted({group for inbox in config.inbox if (group := shared_group(inbox.path))})


def shared_group(folder: Path) -> str:
    """Return the group that may write into the folder; "" where there is none, or only root's own."""
    with contextlib.suppress(OSError, KeyError):
        found = folder.stat()
        if found.st_mode & stat.S_IWGRP and found.st_gid != 0:
            return grp.getgrgid(found.st_gid).gr_name
    return ""


def _has_acl(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, _ACL))
    except OSError:
        return False
