"""The real recogniser child on a device that holds only so many padded seconds: ``THIS ROOM_S --fd N``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch

from asr_daemon.audio import SAMPLE_RATE_HZ
from asr_daemon.recogniser import child, engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.recogniser.families.family import Input, Request, Spoken


class LittleMemory:
    """A loaded family whose batches must fit."""

    def __init__(self, family: Any, room_s: float) -> None:
        self._family = family
        self._room_s = room_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._family, name)

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise what fits; say what torch would of the rest."""
        longest = max(segment.length_samples for segment in segments)
        if longest * len(segments) > self._room_s * SAMPLE_RATE_HZ:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        found: list[Spoken] = self._family.transcribe(segments, request)
        return found


def main() -> int:
    """Be the child."""
    room_s = float(sys.argv[1])
    load = engine._load_family
    engine._load_family = lambda *given: LittleMemory(load(*given), room_s)
    return child.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
