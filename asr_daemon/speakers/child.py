"""Asking the child that groups voices: a process for each question, so that its memory is given back.

Enters: a :class:`~asr_daemon.speakers.grouped.Question`. Leaves: its answer. Fails with
:class:`~asr_daemon.errors.InternalError` where the child ends badly or takes too long: the caller then goes
on without speakers, the text does not depend on them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING

from asr_daemon.errors import InternalError
from asr_daemon.speakers.grouped import Grouped, grouped_from_bytes, question_head
from asr_daemon.speakers.window import windows_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr_daemon.speakers.grouped import Question

MODULE = "asr_daemon.grouping"
TIMEOUT_S = 120.0  # eight hours take a few seconds on an idle core
_MOST_EVIDENCE_BYTES = 4000
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def ask(question: Question, timeout_s: float = TIMEOUT_S) -> Grouped:
    """Return who speaks when."""
    return ask_about(
        [windows_to_bytes(question.windows)],
        len(question.windows),
        question.speakers_expected,
        question.max_speakers,
        timeout_s,
    )


def ask_about(
    rows: Iterable[bytes],
    windows: int,
    speakers_expected: int = 0,
    max_speakers: int = 0,
    timeout_s: float = TIMEOUT_S,
) -> Grouped:
    """Return who speaks when, of so many windows that never lie in memory at once.

    ``rows`` are parts of what :func:`~asr_daemon.speakers.window.windows_to_bytes` makes.
    """
    if not windows:
        return Grouped()
    # One thread: sums are then taken in one order, and the answer is the same every time.
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    with (
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complained,
        subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=complained,
            env=environment,
        ) as child,
    ):
        ending = threading.Timer(timeout_s, child.kill)
        ending.start()
        try:
            _tell(child, itertools.chain([question_head(windows, speakers_expected, max_speakers)], rows))
            code = child.wait()
        finally:
            is_late = not ending.is_alive()
            ending.cancel()
            child.kill()
        if is_late:
            raise InternalError(f"telling the speakers apart took more than {timeout_s:g} s")
        if code:
            complained.seek(0)
            evidence = complained.read(_MOST_EVIDENCE_BYTES).decode(errors="replace")
            raise InternalError("the speakers could not be told apart", evidence=evidence)
        said.seek(0)
        answer = said.read()
    try:
        return grouped_from_bytes(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError("the speakers could not be told apart: no answer that can be read") from error


def _tell(child: subprocess.Popen[bytes], parts: Iterable[bytes]) -> None:
    """Write the question; a child that ended meanwhile says why itself."""
    assert child.stdin is not None  # noqa: S101 (a pipe)
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
        for part in parts:
            pipe.write(part)
