"""The hotwords of one inbox: a file, and the files that it includes, as one list.

Enters: the path of a text file. Leaves: a :class:`HotwordList`; lines that are wrong are named in it and the
others serve. Fails with :class:`~asr_daemon.hotwords.source.HotwordFileError` where the file itself cannot
be read. What one list may cost is bounded: its bytes, files, lines and words, inclusions counted.

``@include NAME`` takes another file's lines in its place, NAME relative to the including file. Whoever edits
the list must not read with the service's rights: an inclusion reaches ``.txt`` files in the list's own folder
or below it, and in the folder that an administrator set aside for all lists; no link is followed there.
"""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from asr_daemon.files.trusted import trusted_path
from asr_daemon.hotwords.dressing import carries_weight
from asr_daemon.hotwords.encoding import split_lines
from asr_daemon.hotwords.entry import Entry, Include, Problem, Replacement, Word, parse_line
from asr_daemon.hotwords.including import NOWHERE, Places, RefusedError, candidates
from asr_daemon.hotwords.source import LINK, MAX_BYTES, MISSING, HotwordFileError, read_stable
from asr_daemon.transcripts.profile import list_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

MAX_FILES = 50  # of one list, inclusions counted
MAX_LINES = 50_000  # of all of them, blank ones and comments counted
MAX_ENTRIES = 10_000  # words and replacements: what recognition was measured with
MAX_PROBLEMS = 100  # that are named
MAX_SHOWN_CHARS = 200  # of a line


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read for a list, or that could not be."""

    path: Path  # the first: as it was named; inclusions: without links
    state: str  # SHA-256 of its bytes, or why it was not read


@dataclass(frozen=True, slots=True)
class HotwordList:
    """What a recording gets."""

    words: tuple[str, ...]  # in the file's order, each once
    replacements: tuple[tuple[str, str], ...]  # (wrong, right); of two for one wrong form, the first
    problems: tuple[Problem, ...]
    digest: str  # SHA-256 of words and replacements: comments, blank lines and problems do not count
    sources: tuple[Source, ...] = field(default=(), compare=False)

    def is_current(self, places: Places, ask: Ask) -> bool:
        """Return whether reading the files anew would give the same list."""
        reader = _Reader(places, ask)
        try:
            return all(reader.state_of(source.path) == source.state for source in self.sources)
        except HotwordFileError:
            return False


@dataclass(frozen=True, slots=True)
class SourceLine:
    """An entry and where it stands."""

    path: Path
    number: int  # from 1
    entry: Entry
    raw: str  # the line as it can be shown: printable, without blanks around; "" where it is damaged


class Ask(Protocol):
    """How a folder is asked: whoever reads from shares bounds how long that may take."""

    def __call__(self, folder: Path, call: Callable[[], T]) -> T:
        """Return what the call returns, or raise what it raises."""


def at_once(folder: Path, call: Callable[[], T]) -> T:
    """Ask, however long the answer takes."""
    del folder
    return call()


def read_hotwords(
    path: Path, places: Places = NOWHERE, ask: Ask = at_once, data: bytes | None = None
) -> HotwordList:
    """Return the list of a file; ``data``: as if that were its content, which nobody saved yet.

    Raises :class:`HotwordFileError` where the file itself is missing or cannot be read; an inclusion that
    cannot is a problem of its line.
    """
    words: dict[str, None] = {}
    replacements: dict[str, str] = {}
    problems: list[Problem] = []
    reader = _Reader(places, ask)
    reader.read_first(Path(path), data)
    for line in reader.lines:
        match line.entry:
            case Word(text):
                words.setdefault(text)
            case Replacement(wrong, right):
                replacements.setdefault(wrong, right)
            case Problem():
                problems.append(line.entry)
    if len(problems) > MAX_PROBLEMS:
        more = problems[MAX_PROBLEMS]
        told = (f"{len(problems) - MAX_PROBLEMS} more lines serve nothing.", "还有更多无效的行，未一一列出。")
        problems = [*problems[:MAX_PROBLEMS], Problem(more.line, more.path, *told)]
    return HotwordList(
        words=tuple(words),
        replacements=tuple(replacements.items()),
        problems=tuple(problems),
        digest=list_digest(tuple(words), tuple(replacements.items())),
        sources=tuple(reader.sources),
    )


def read_lines(path: Path, places: Places = NOWHERE) -> tuple[SourceLine, ...]:
    """Return every line that says something, inclusions replaced by what they include."""
    reader = _Reader(places, at_once)
    reader.read_first(Path(path))
    return tuple(reader.lines)


class _Reader:
    """Walks a file and its inclusions, depth first, each file once, until a bound is reached."""

    def __init__(self, places: Places, ask: Ask) -> None:
        self.lines: list[SourceLine] = []
        self.sources: list[Source] = []
        self._places = places
        self._ask = ask
        self._roots: tuple[Path, ...] = ()  # where inclusions may lie, without links
        self._open: list[Path] = []  # from the first file down to the one in hand
        self._seen: set[Path] = set()
        self._bytes = self._lines = self._entries = 0
        self._is_full = False

    def read_first(self, path: Path, data: bytes | None = None) -> None:
        """Read the list that was named, or what is to stand there."""
        try:
            real = self._ask(path.parent, lambda: self._real(path))
            common = self._places.common
            shared = () if common is None else (self._ask(common, lambda: self._real(common)),)
            self._roots = (real.parent, *shared)
            data = self._data(real) if data is None else self._counted(real, data)
            self.sources.append(Source(path, _digest(data)))
            self._take(real, data)
        except HotwordFileError as error:
            raise HotwordFileError(path, error.reason, error.chinese) from None

    def state_of(self, path: Path) -> str:
        """Return what a file's :class:`Source` would say of it now."""
        try:
            real = self._ask(path.parent, lambda: self._real(path))
            return _digest(self._data(real))
        except HotwordFileError as error:
            return error.reason

    def _real(self, path: Path) -> Path:
        try:
            return trusted_path(path.absolute(), self._places.shares)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise HotwordFileError(
                    path, LINK, "它是链接，或者经过了别人可以改动的链接：请放词表文件本身"
                ) from None
            told = f"cannot be read: {error.strerror}"
            raise HotwordFileError(path, told, f"文件无法读取（{error.strerror}）") from None

    def _data(self, real: Path) -> bytes:
        left = MAX_BYTES - self._bytes
        return self._counted(real, self._ask(real.parent, lambda: read_stable(real, most_bytes=left)))

    def _counted(self, real: Path, data: bytes) -> bytes:
        self._bytes += len(data)
        self._lines += max(data.count(b"\n"), data.count(b"\r")) + 1
        if self._lines > MAX_LINES:
            told = f"has more than {MAX_LINES} lines; is it really a list of words?"
            raise HotwordFileError(real, told, f"超过 {MAX_LINES} 行，真的是词表吗？")
        return data

    def _take(self, real: Path, data: bytes) -> None:
        self._seen.add(real)
        self._open.append(real)
        for line in _parse(real, data):
            if self._is_full:
                break
            entry = line.entry
            problem = self._include(entry, line, real) if isinstance(entry, Include) else self._count(line)
            if problem is not None:
                self.lines.append(SourceLine(real, line.number, problem, line.raw))
            elif not isinstance(entry, Include):
                self.lines.append(line)
        self._open.pop()

    def _count(self, line: SourceLine) -> Problem | None:
        """Return what is to be said where the list is full."""
        self._entries += not isinstance(line.entry, Problem)
        if self._entries <= MAX_ENTRIES:
            return None
        self._is_full = True
        return Problem(
            line.number,
            line.path,
            f"The list has more than {MAX_ENTRIES} words: this line and all behind it do nothing.",
            f"热词超过了 {MAX_ENTRIES} 个，从这一行起都不起作用。",
        )

    def _include(self, include: Include, line: SourceLine, real: Path) -> Problem | None:
        """Read the included file; return what prevents it."""
        try:
            self._read_first_of(candidates(include, real, self._roots))
        except RefusedError as error:
            return Problem(line.number, real, f"@include {include.target}: {error}.", error.chinese)
        except HotwordFileError as error:
            chinese = f"@include 引用的文件读不了：{error.chinese}。"
            return Problem(line.number, real, f"@include {include.target}: the file {error.reason}.", chinese)
        return None

    def _read_first_of(self, targets: tuple[Path, ...]) -> None:
        """Read the first of these files that is there."""
        problem: HotwordFileError | None = None
        for target in targets:
            if target in self._open:
                raise RefusedError(
                    "the files include one another in a circle", "这些文件互相引用成了一个圈，此行不起作用。"
                )
            if target in self._seen:
                return  # its words are in the list already
            if len(self._seen) >= MAX_FILES:
                raise RefusedError(
                    f"there are more than {MAX_FILES} files", f"引用的文件超过了 {MAX_FILES} 个。"
                )
            try:
                data = self._data(target)
            except HotwordFileError as error:
                self.sources.append(Source(target, error.reason))
                problem = problem or error
                if error.reason != MISSING:
                    break
                continue
            self.sources.append(Source(target, _digest(data)))
            self._take(target, data)
            return
        assert problem is not None  # noqa: S101 (there is one candidate at least)
        raise problem


def _parse(path: Path, data: bytes) -> Iterator[SourceLine]:
    """Yield the lines that say something."""
    _, lines = split_lines(data)
    weighted = any(carries_weight(raw.text[:MAX_SHOWN_CHARS]) for raw in lines if raw.text)
    for raw in lines:
        entry = parse_line(raw.text, raw.number, path, weighted=weighted)
        if entry is not None:
            yield SourceLine(path, raw.number, entry, _shown(raw.text or ""))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:MAX_SHOWN_CHARS]).strip()
