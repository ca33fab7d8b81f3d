"""Files in a share that this program wrote, though the history does not know them: it was lost, or restored.

Enters: what is about to be written, and what lies there. Leaves: whether it is the same but for the time of
its making, or a failure file, which is nobody's text. Such a file is taken over, not written beside.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from typing import TYPE_CHECKING

from asr_daemon.errors import NotReadableError, RecordingGoneError
from asr_daemon.inboxes.fingerprint import open_recording
from asr_daemon.transcripts.names import FAILURE_SUFFIX, fitting
from asr_daemon.transcripts.writers.failure import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_FAILURE_BYTES = 65_536
BLOCK_BYTES = 1 << 20
MOST_DIFFERENCE_BYTES = 64  # that another time makes of a compressed file
MOST_UNPACKED_BYTES = 64 << 20
_ZIP = b"PK"
_NO_WORD_FILE = (  # whatever zipfile raises of what somebody else made
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_WORDS_TEXT, _WORDS_ORIGIN = "word/document.xml", "docProps/core.xml"  # which says when, too
_WORDS_TIME = re.compile("转写时间：".encode() + b"[0-9: -]{16}")
# The lines that say when: of NAME.txt, NAME.json, NAME.md, the failure file. All have one length.
_WHEN = re.compile(
    rb'^((?:- )?\xe8\xbd\xac\xe5\x86\x99\xe6\x97\xb6\xe9\x97\xb4\xef\xbc\x9a| "recognised_at": )'
    rb'("?[0-9T:+ -]{16,25}"?,?)$',
    re.MULTILINE,
)


def is_same_but_for_time(path: Path, root: Path, wanted: bytes) -> bool:
    """Return whether that content lies there, made at whatever time."""
    if wanted.startswith(_ZIP):
        found = _read(path, root, len(wanted) + MOST_DIFFERENCE_BYTES)
        return found is not None and (said := _said(wanted)) != {} and _said(found) == said
    found = _read(path, root, len(wanted))
    return found is not None and len(found) == len(wanted) and _undated(found) == _undated(wanted)


def is_failure_of(path: Path, root: Path, recording: str) -> bool:
    """Return whether a failure file of a recording of that name lies there."""
    begin = first_line(recording).encode("utf-8", "replace")
    found = _read(path, root, MOST_FAILURE_BYTES)
    return found is not None and found.startswith(begin)


def failure_names(recording: Path) -> Iterator[Path]:
    """Yield where failure files of a recording may lie, first choice first."""
    for stem in dict.fromkeys((recording.stem, recording.name)):
        yield recording.parent / fitting(stem, FAILURE_SUFFIX)


def _said(word_file: bytes) -> dict[str, bytes]:
    """Return the parts of Word's file without its time; none where it is no such file, or too large."""
    found: dict[str, bytes] = {}
    left_bytes = MOST_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(word_file)) as parts:
            for name in parts.namelist():
                with parts.open(name) as part:
                    found[name] = part.read(left_bytes + 1)
                left_bytes -= len(found[name])
                if left_bytes < 0:
                    return {}
    except _NO_WORD_FILE:
        return {}
    found.pop(_WORDS_ORIGIN, None)
    found[_WORDS_TEXT] = _WORDS_TIME.sub(b"", found.get(_WORDS_TEXT, b""), count=1)
    return found


def _undated(content: bytes) -> bytes:
    return _WHEN.sub(rb"\1", content, count=1)


def _read(path: Path, root: Path, most_bytes: int) -> bytes | None:
    """Return what lies there; None where it is longer, no regular file, or cannot be read."""
    try:
        descriptor = open_recording(path, root)
    except (NotReadableError, RecordingGoneError):
        return None
    try:
        if os.fstat(descriptor).st_size > most_bytes:
            return None
        blocks = []
        while block := os.read(descriptor, BLOCK_BYTES):
            blocks.append(block)
        return b"".join(blocks)[: most_bytes + 1]
    except OSError:
        return None
    finally:
        os.close(descriptor)
