"""One file of a hub onto the disk: resumed where it was interrupted, and only what was announced.

Enters: an address, size and digest. Leaves: the file. Fails with :class:`FetchError` (the hub's fault, or the
network's: what was fetched stays, and the next try resumes) or ``OSError`` (this disk's).
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRIES = 5  # in a row without a byte of progress
PAUSE_S = 1.0  # before the second; doubles
TIMEOUT_S = (15.0, 60.0)  # to connect; without a byte
PART_SUFFIX = ".part"
_BLOCK_BYTES = 1 << 20
_BUSY = frozenset((429, 500, 502, 503, 504))
_NO_SUCH_RANGE = 416
_PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class FetchError(OperatorError):
    """The model could not be fetched."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as its hub lists it; one of the digests is there, or neither where the hub names none."""

    path: str
    url: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""  # of the blob: what Hugging Face names for small files

    def matches(self, path: Path) -> bool:
        """Return whether the file at that path is this one."""
        if path.stat().st_size != self.size_bytes:
            return False
        if not self.sha256 and not self.git_sha1:
            return True
        header = b"" if self.sha256 else f"blob {self.size_bytes}\0".encode()
        digest = hashlib.sha256() if self.sha256 else hashlib.sha1(header, usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest() == (self.sha256 or self.git_sha1)


def fetch(
    session: requests.Session,
    file: RemoteFile,
    target: Path,
    on_bytes: Callable[[int], None] = lambda _count: None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Bring a file to ``target``; ``on_bytes`` hears what is there, a part of an earlier try included.

    What was fetched lies in ``target`` with ``.part`` behind its name until it is whole and verified.
    """
    if target.exists() and file.matches(target):
        on_bytes(file.size_bytes)
        return
    part = target.with_name(target.name + PART_SUFFIX)
    part.parent.mkdir(parents=True, exist_ok=True)
    _complete(session, file, part, on_bytes, pause)
    if not file.matches(part):
        part.unlink()
        raise FetchError(f"{file.path} from {file.url} is not what its hub lists (other digest): try again")
    part.replace(target)


def _complete(
    session: requests.Session,
    file: RemoteFile,
    part: Path,
    on_bytes: Callable[[int], None],
    pause: Callable[[float], None],
) -> None:
    """Fetch what is missing until the part is as long as announced."""
    part.touch()
    if part.stat().st_size > file.size_bytes:
        part.write_bytes(b"")
    on_bytes(part.stat().st_size)
    failed_tries = 0
    while (had_bytes := part.stat().st_size) < file.size_bytes:
        problem = _append(session, file, part, on_bytes)
        failed_tries = failed_tries + 1 if part.stat().st_size <= had_bytes else 0
        if failed_tries == TRIES:
            raise FetchError(f"{file.path} could not be fetched from {file.url}: {problem}")
        if problem:
            pause(PAUSE_S * 2**failed_tries)


def _append(session: requests.Session, file: RemoteFile, part: Path, on_bytes: Callable[[int], None]) -> str:
    """Ask for the rest and append it; return why it was interrupted, "" where it was not."""
    had_bytes = part.stat().st_size
    # "identity": a compressed answer has other sizes than the list.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={had_bytes}-"} if had_bytes else {})}
    try:
        with session.get(file.url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            if answer.status_code in _BUSY:
                return f"the hub answered {answer.status_code}"
            if answer.status_code == _NO_SUCH_RANGE:
                part.write_bytes(b"")
                on_bytes(-had_bytes)
                return "the hub does not resume interrupted downloads"
            if not answer.ok:
                raise FetchError(f"{file.path} is not at {file.url}: the hub answered {answer.status_code}")
            goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {had_bytes}-")
            if had_bytes and not goes_on:  # the whole file, from its beginning
                part.write_bytes(b"")
                on_bytes(-had_bytes)
            _write(answer, file, part, on_bytes)
    except _PASSING as error:
        return reason(error)
    except requests.RequestException as error:
        raise FetchError(f"{file.path} could not be fetched from {file.url}: {error}") from None
    return ""


def _write(answer: requests.Response, file: RemoteFile, part: Path, on_bytes: Callable[[int], None]) -> None:
    with part.open("ab") as out:
        for block in answer.iter_content(_BLOCK_BYTES):
            if out.tell() + len(block) > file.size_bytes:
                out.truncate(0)
                raise FetchError(f"{file.path} from {file.url} is longer than its hub lists: refused")
            out.write(block)
            on_bytes(len(block))


def reason(error: requests.RequestException) -> str:
    """Return why a request failed, in a few words."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not accepted ({error})"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let it through"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was interrupted"
    return "no connection"
