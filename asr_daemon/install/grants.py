"""How the service gets a right that it lacks: commands that give that right, to it alone, and no other.

Enters: a path and the service's user. Leaves: a sentence with commands to copy, paths quoted. Nothing is ever
opened to everybody, and no command reaches above the folder that is meant but to let the user pass through.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from pathlib import Path

from asr_daemon.files.mounts import filesystem_type, is_network_type

SMB_CONF = Path("/etc/samba/smb.conf")
MASKS = "force create mode = 0660, force directory mode = 2770"
_ACL = "system.posix_acl_access"
_BY_MOUNT_OPTION = frozenset(
    {"cifs", "smb3", "smbfs", "smb2", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk"}
)


def to_write(user: str, folder: Path) -> str:
    """Return how that user may write into a folder and all below it, from now on."""
    kind = filesystem_type(folder)
    if kind in _BY_MOUNT_OPTION:
        options = f"uid={user} (or gid=, dir_mode=0770 and file_mode=0660)"
        return f"mount it with {options}: rights on {kind} come from its mount options"
    if is_network_type(kind):
        return f"on its server ({kind}) give {user}, by its number, or its group, the right to write there"
    own = f"setfacl -R -m u:{user}:rwX -m d:u:{user}:rwX {shlex.quote(str(folder))}"
    return "; ".join([*_to_pass(user, folder), own])


def to_read(user: str, path: Path) -> str:
    """Return how that user may read a file, or a folder and all below it."""
    kind = filesystem_type(path)
    if kind in _BY_MOUNT_OPTION or is_network_type(kind):
        return f"on its server, or in its mount options ({kind}), give {user} the right to read it"
    what = "-R -m u:{}:rX" if path.is_dir() else "-m u:{}:r"
    return "; ".join([*_to_pass(user, path), f"setfacl {what.format(user)} {shlex.quote(str(path))}"])


def samba_share(folder: Path, root: Path = Path("/")) -> str:
    """Return the name of the Samba share of this machine that the folder lies in, or ""."""
    try:
        text = (root / SMB_CONF.relative_to("/")).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    share = found = ""
    for line in text.splitlines():
        if section := re.match(r"\s*\[(.+)\]", line):
            share = section[1].strip()
        elif path := re.match(r"""\s*path\s*=\s*["']?(/[^"']*?)["']?\s*$""", line):
            place = Path(path[1])
            if place == folder or place in folder.parents:
                found = share
    return found


def masks(share: str) -> str:
    """Return what a share's section should say, so that the department and the service share its files."""
    return f"in [{share}] of {SMB_CONF}: {MASKS} (then: smbcontrol all reload-config)"


def _to_pass(user: str, path: Path) -> list[str]:
    """Return commands that let the user pass the folders above that are closed to others."""
    closed = [] if shutil.which("setfacl") else ["apt install acl"]
    for folder in reversed(path.parents):
        try:
            mode = folder.stat().st_mode
        except OSError:
            continue
        if not mode & stat.S_IXOTH and not _has_acl(folder):
            closed.append(f"setfacl -m u:{user}:x {shlex.quote(str(folder))}")
    return closed


def _has_acl(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, _ACL))
    except OSError:
        return False
