"""Asking the child that groups voices: a process for each question, so that its memory is given back.

Enters: a :class:`~asr_daemon.speakers.grouped.Question`. Leaves: its answer. Fails with
:class:`~asr_daemon.errors.InternalError` where the child ends badly or takes too long: the caller then goes
on without speakers, the text does not depend on them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from asr_daemon.errors import InternalError
from asr_daemon.speakers.grouped import Grouped, grouped_from_bytes, question_to_bytes

if TYPE_CHECKING:
    from asr_daemon.speakers.grouped import Question

MODULE = "asr_daemon.grouping"
TIMEOUT_S = 120.0  # eight hours take a few seconds on an idle core
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def ask(question: Question, timeout_s: float = TIMEOUT_S) -> Grouped:
    """Return who speaks when."""
    if not question.windows:
        return Grouped()
    # One thread: sums are then taken in one order, and the answer is the same every time.
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    try:
        done = subprocess.run(
            [sys.executable, "-m", MODULE],
            input=question_to_bytes(question),
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise InternalError(f"telling the speakers apart took more than {timeout_s:g} s") from error
    if done.returncode:
        raise InternalError(
            "the speakers could not be told apart", evidence=done.stderr.decode(errors="replace")[-4000:]
        )
    try:
        return grouped_from_bytes(done.stdout)
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError("the speakers could not be told apart: no answer that can be read") from error
