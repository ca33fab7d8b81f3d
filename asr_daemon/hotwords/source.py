"""A hotword file's bytes, read whole, even while somebody saves it.

Enters: a path without links (:mod:`asr_daemon.files.trusted`). Leaves: bytes of one moment.
Fails with :class:`HotwordFileError`, never with anything else.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING

from asr_daemon.errors import OperatorError
from asr_daemon.files.trusted import open_without_links

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_BYTES = 1024 * 1024  # of a list with its inclusions: ten thousand names have a tenth of it
MISSING = "does not exist"
LINK = "it is, or lies behind, a link that others could have made: put the list itself there"
ATTEMPTS = 10
PAUSE_S = 0.1


class HotwordFileError(OperatorError):
    """The hotword file cannot be read."""

    exit_code = 2

    def __init__(self, path: Path, reason: str, chinese: str) -> None:
        self.path = path
        self.reason = reason
        self.chinese = chinese  # the same, for the people who edit the list
        super().__init__(f"{path}: {reason}")


def read_stable(
    path: Path, pause: Callable[[float], None] = time.sleep, *, most_bytes: int = MAX_BYTES
) -> bytes:
    """Return the content, seen the same in two readings of an unchanged file; no link is followed.

    An editor that truncates and then writes, or moves the old file away first, shows half a file or none in
    between: a file that is missing or without any content is looked at once more. Raises
    :class:`HotwordFileError` where the file cannot be read, is no ordinary file, is too large or does not
    come to rest within ``ATTEMPTS`` looks.
    """
    waited_for_content = False
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(PAUSE_S)
        try:
            before, data, after = _read_once(path, most_bytes)
        except FileNotFoundError:
            if waited_for_content:
                raise HotwordFileError(path, MISSING, "文件不存在") from None
            waited_for_content = True
            continue
        if before != after or len(data) != before.size_bytes:
            continue
        if not data.strip() and not waited_for_content:
            waited_for_content = True
            continue
        return data
    raise HotwordFileError(
        path,
        "is being written all the time; it could not be read in one piece",
        "文件一直有人在写，没能完整读出来；请保存好以后再试",
    )


class _Look:
    """What must not change between two looks at a file."""

    def __init__(self, result: os.stat_result) -> None:
        self.size_bytes = result.st_size
        self._key = (result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Look) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _read_once(path: Path, most_bytes: int) -> tuple[_Look, bytes, _Look]:
    try:
        # O_NONBLOCK: a named pipe must not hold us.
        descriptor = open_without_links(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        raise  # it may be back in a moment
    except (OSError, ValueError) as error:
        raise HotwordFileError(
            path, f"cannot be read: {_reason(error)}", f"文件无法读取（{_reason(error)}）"
        ) from None
    try:
        first = os.fstat(descriptor)
        if not stat.S_ISREG(first.st_mode):
            raise HotwordFileError(path, "is not an ordinary file", "这不是普通文件")
        if first.st_size > most_bytes:
            is_alone = most_bytes == MAX_BYTES
            what = "is" if is_alone else "and what was read before are"
            raise HotwordFileError(
                path,
                f"{what} larger than {MAX_BYTES >> 20} MB; is it really a list of words?",
                f"{'文件' if is_alone else '词表连同引用的文件'}超过 {MAX_BYTES >> 20} MB，真的是词表吗？",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(most_bytes + 1)
        return _Look(first), data, _Look(os.fstat(descriptor))
    except OSError as error:
        raise HotwordFileError(
            path, f"cannot be read: {_reason(error)}", f"文件无法读取（{_reason(error)}）"
        ) from None
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return LINK
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
