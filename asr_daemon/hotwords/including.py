"""Which files an ``@include`` may mean, and where it may not look.

Enters: what a line says, the file that it stands in, the folders that inclusions may lie in. Leaves: paths
without links, likeliest first. Fails with :class:`RefusedError`, in English and in Chinese.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.hotwords.entry import Include


@dataclass(frozen=True, slots=True)
class Places:
    """Where lists lie."""

    shares: tuple[Path, ...] = ()  # folders that departments write into: no link is followed there
    common: Path | None = None  # of an administrator's: every list may include what lies there


NOWHERE = Places()


class RefusedError(Exception):
    """Why a file is not included."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.chinese = chinese


def candidates(include: Include, path: Path, roots: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files that an inclusion in the file ``path`` may mean.

    That is the one beside it; where ``roots`` (the list's own folder, then perhaps the one for all lists) has
    more than one, the one of that name for all lists, too. None has a link or ``..`` in it.
    """
    named = include.target.replace("\\", "/")
    if "\0" in named:
        raise RefusedError("this is no file name", "@include 后面不是有效的文件名。")
    beside = Path(os.path.normpath(path.parent / named))
    for_all = [Path(os.path.normpath(root / Path(named).name)) for root in roots[1:]]
    allowed = [
        target
        for target in dict.fromkeys((beside, *for_all))
        if target.suffix.lower() == ".txt" and any(root in target.parents for root in roots)
    ]
    if not allowed:
        raise RefusedError(
            "only .txt files in the list's own folder, or in hotwords.common_dir, can be included",
            "@include 只能引用热词表所在文件夹内的，或管理员公共文件夹内的 .txt 文件。",
        )
    return tuple(allowed)
