"""What is tried with a recording that memory did not suffice for, rung by rung.

The first rungs are the child's own (:mod:`asr_daemon.recogniser.decoder`): the batch is halved down to one
segment, the segment down to a second. Where that did not help, or where the kernel ended the child, the
recording is tried alone in a fresh process that begins with one segment a batch, then on the CPU. Nothing is
above that: once its attempts are spent, it is quarantined. The rung lies with the job in the history.
"""

from __future__ import annotations

import enum


class Rung(enum.IntEnum):
    """How a recording is tried; the higher, the slower and the surer."""

    USUAL = 0
    FRESH_PROCESS = 1
    CPU = 2


def climb(rung: Rung, last: Rung, *, has_progressed: bool) -> Rung:
    """Return the rung after an attempt that ran out of memory; ``rung`` where there is no higher one.

    ``last`` is the highest that can help. An attempt in a fresh process that brought the recording on is made
    once more: the next one gets further.
    """
    if rung >= last or (rung is Rung.FRESH_PROCESS and has_progressed):
        return rung
    return Rung(rung + 1)
