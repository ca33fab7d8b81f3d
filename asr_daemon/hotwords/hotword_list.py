"""The hotwords of one inbox: a file, and the files that it includes, as one list.

Enters: the path of a text file. Leaves: a :class:`HotwordList`; lines that are wrong are named in it and the
others serve. Fails with :class:`~asr_daemon.hotwords.source.HotwordFileError` where the file itself cannot
be read.

``@include NAME`` takes another file's lines in its place, NAME relative to the including file. Whoever edits
the list need not have the service's rights, so that an inclusion reaches only ``.txt`` files which, links
followed, lie in the folder above the first file's own or below it (departments' folders beside one another).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from asr_daemon.hotwords.dressing import carries_weight
from asr_daemon.hotwords.encoding import split_lines
from asr_daemon.hotwords.entry import Entry, Include, Problem, Replacement, Word, parse_line
from asr_daemon.hotwords.source import HotwordFileError, read_stable
from asr_daemon.transcripts.profile import list_digest

MAX_FILES = 50  # of one list, inclusions counted
MAX_SHOWN_CHARS = 200  # of a line
KEPT_FILES = 16  # whose lines are remembered for the next recording


@dataclass(frozen=True, slots=True)
class HotwordList:
    """What a recording gets."""

    words: tuple[str, ...]  # in the file's order, each once
    replacements: tuple[tuple[str, str], ...]  # (wrong, right); of two for one wrong form, the first
    problems: tuple[Problem, ...]
    digest: str  # SHA-256 of words and replacements: comments, blank lines and problems do not count


@dataclass(frozen=True, slots=True)
class SourceLine:
    """An entry and where it stands."""

    path: Path
    number: int  # from 1
    entry: Entry
    raw: str  # the line as it can be shown: printable, without blanks around; "" where it is damaged


def read_hotwords(path: Path) -> HotwordList:
    """Return the list of a file.

    Raises :class:`HotwordFileError` where the file itself is missing or cannot be read; an inclusion that
    cannot is a problem of its line.
    """
    words: dict[str, None] = {}
    replacements: dict[str, str] = {}
    problems: list[Problem] = []
    for line in read_lines(path):
        match line.entry:
            case Word(text):
                words.setdefault(text)
            case Replacement(wrong, right):
                replacements.setdefault(wrong, right)
            case Problem():
                problems.append(line.entry)
    return HotwordList(
        words=tuple(words),
        replacements=tuple(replacements.items()),
        problems=tuple(problems),
        digest=list_digest(tuple(words), tuple(replacements.items())),
    )


def read_lines(path: Path) -> tuple[SourceLine, ...]:
    """Return every line that says something, inclusions replaced by what they include."""
    path = Path(path)
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # a ring of links
        raise HotwordFileError(
            path, "cannot be read: its links lead nowhere", "文件无法读取：链接没有指向任何文件"
        ) from None
    reader = _Reader(root=real.parent.parent)
    try:
        reader.read(real)
    except HotwordFileError as error:
        raise HotwordFileError(path, error.reason, error.chinese) from None
    return tuple(reader.lines)


@lru_cache(maxsize=KEPT_FILES)
def _parsed(path: Path, data: bytes) -> tuple[SourceLine, ...]:
    """Return the lines that say something; by content, so that a thousand recordings parse a file once."""
    _, lines = split_lines(data)
    weighted = any(carries_weight(raw.text[:MAX_SHOWN_CHARS]) for raw in lines if raw.text)
    parsed = ((raw, parse_line(raw.text, raw.number, path, weighted=weighted)) for raw in lines)
    return tuple(
        SourceLine(path, raw.number, entry, _shown(raw.text or ""))
        for raw, entry in parsed
        if entry is not None
    )


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:MAX_SHOWN_CHARS]).strip()


class _Reader:
    """Walks a file and its inclusions, depth first, each file once."""

    def __init__(self, root: Path) -> None:
        self.lines: list[SourceLine] = []
        self._root = root
        self._open: list[Path] = []  # from the first file down to the one in hand
        self._seen: set[Path] = set()

    def read(self, path: Path) -> None:
        self._seen.add(path)
        self._open.append(path)
        for line in _parsed(path, read_stable(path)):
            if not isinstance(line.entry, Include):
                self.lines.append(line)
            elif problem := self._include(line.entry, line.number, path):
                self.lines.append(SourceLine(path, line.number, problem, line.raw))
        self._open.pop()

    def _include(self, include: Include, number: int, path: Path) -> Problem | None:
        """Read the included file; return what prevents it."""
        try:
            target = self._resolve(include, path)
            if target not in self._seen:  # otherwise its words are in the list already
                self.read(target)
        except _RefusedError as error:
            return Problem(number, path, f"@include {include.target}: {error}.", error.chinese)
        except HotwordFileError as error:
            chinese = f"@include 引用的文件读不了：{error.chinese}。"
            return Problem(number, path, f"@include {include.target}: the file {error.reason}.", chinese)
        return None

    def _resolve(self, include: Include, path: Path) -> Path:
        """Return the file, links followed; raise :class:`_RefusedError` where it may not be included."""
        try:
            target = (path.parent / include.target.replace("\\", "/")).resolve()
        except (OSError, RuntimeError, ValueError):
            raise _RefusedError("this is no file name", "@include 后面不是有效的文件名。") from None
        if target.suffix.lower() != ".txt" or not target.is_relative_to(self._root):
            raise _RefusedError(
                f"only .txt files in {self._root} or below it can be included",
                "@include 只能引用本文件夹或上一级文件夹内的 .txt 文件。",
            )
        if target in self._open:
            raise _RefusedError(
                "the files include one another in a circle", "这些文件互相引用成了一个圈，此行不起作用。"
            )
        if target not in self._seen and len(self._seen) >= MAX_FILES:
            raise _RefusedError(
                f"there are more than {MAX_FILES} files", f"引用的文件超过了 {MAX_FILES} 个。"
            )
        return target


class _RefusedError(Exception):
    """Why a file is not included."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.chinese = chinese
