"""Folders of the configuration that lie in one another, and must not.

Enters: paths, as they are written or as they really are (links resolved by the caller). Leaves: what is
wrong, in sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_MAY_HOLD_AN_INBOX = "daemon.state_dir"  # beside what lies there by itself

_ITSELF = frozenset(("/", "/home", "/root", "/var", "/var/lib", "/var/log", "/tmp", "/var/tmp", "/opt"))  # noqa: S108
_ALL_BELOW = frozenset(
    ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"),
)


@dataclass(frozen=True, slots=True)
class Department:
    """The folders of an inbox."""

    name: str
    path: Path
    archive: Path | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two folders that lie in one another."""

    inbox: str  # whose key is to be changed
    key: str  # "path" or "archive"
    sentence: str  # one that keeps an inbox from being watched is told in Chinese, too


def overlaps(departments: Sequence[Department], own: Mapping[str, Path]) -> Iterator[Overlap]:
    """Yield what overlaps; ``own`` are the service's folders by their keys (``backup.dir``)."""
    for number, inbox in enumerate(departments):
        for key, folder in (("path", inbox.path), ("archive", inbox.archive)):
            if folder is not None and _is_the_systems(folder):
                yield Overlap(
                    inbox.name,
                    key,
                    Sentence(
                        f"{folder} is a folder of the system itself, and cannot be the {key} of inbox "
                        f"{inbox.name!r}: make a folder for it, /srv/asr-daemon/{inbox.name} for instance",
                        "这是系统自己的文件夹，不能用来放录音。请管理员另建一个文件夹。",
                    ),
                )
        for other in departments[:number]:
            if _is_in(inbox.path, other.path) or _is_in(other.path, inbox.path):
                yield Overlap(
                    inbox.name,
                    "path",
                    Sentence(
                        f"the folders of inboxes {other.name!r} and {inbox.name!r} lie in one another: "
                        "a recording would belong to both",
                        f"“{other.name}”和“{inbox.name}”的文件夹互相包含，录音会同时属于两边。请管理员修改配置。",
                    ),
                )
        for key, folder in own.items():
            if _is_in(folder, inbox.path):
                yield Overlap(
                    inbox.name,
                    "path",
                    Sentence(
                        f"{key} ({folder}) lies in the folder of inbox {inbox.name!r}: whoever may write "
                        "there could change what the service keeps; put it elsewhere",
                        "系统的数据放在了这个文件夹里面，能写入这里的人都能改动它。请管理员修改配置。",
                    ),
                )
            elif _is_in(inbox.path, folder) and key != _MAY_HOLD_AN_INBOX:
                yield Overlap(
                    inbox.name,
                    "path",
                    Sentence(
                        f"the folder of inbox {inbox.name!r} lies in {key} ({folder}): put it elsewhere",
                        "这个文件夹放在了系统的数据文件夹里面。请管理员修改配置。",
                    ),
                )
        if inbox.archive is not None:
            yield from _archive(inbox, inbox.archive, departments, own)


def _archive(
    inbox: Department, archive: Path, departments: Sequence[Department], own: Mapping[str, Path]
) -> Iterator[Overlap]:
    for other in departments:
        if _is_in(archive, other.path) or _is_in(archive / inbox.name, other.path):
            yield Overlap(
                inbox.name,
                "archive",
                f"the archive of inbox {inbox.name!r} lies in the folder of inbox {other.name!r}: "
                "what is archived would be found again; put it beside the inboxes",
            )
    for key, folder in own.items():
        if _is_in(folder, archive):
            yield Overlap(
                inbox.name,
                "archive",
                f"{key} ({folder}) lies in the archive of inbox {inbox.name!r}: put it elsewhere",
            )


def _is_the_systems(folder: Path) -> bool:
    """Whether opening that folder to the service would open the machine."""
    return str(folder) in _ITSELF or any(str(place) in _ALL_BELOW for place in (folder, *folder.parents))


def _is_in(folder: Path, other: Path) -> bool:
    return folder == other or other in folder.parents
