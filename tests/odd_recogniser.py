"""The real recogniser child with a family that misbehaves: ``THIS little-memory ROOM_S|dreams 0 --fd N``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from asr_daemon.recogniser import child, engine
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.recogniser.families.family import Input, Request, Spoken

DREAM = "谢谢观看" * 10


class OddFamily:
    """A loaded family whose answers go through a hand of ours."""

    def __init__(self, family: Any) -> None:
        self._family = family

    def __getattr__(self, name: str) -> Any:
        return getattr(self._family, name)


class LittleMemory(OddFamily):
    """On a device that holds only so many padded seconds."""

    def __init__(self, family: Any, room_s: float) -> None:
        super().__init__(family)
        self._room_s = room_s

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise what fits; say what torch would of the rest."""
        longest = max(segment.length_samples for segment in segments)
        if longest * len(segments) > self._room_s * SAMPLE_RATE_HZ:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        found: list[Spoken] = self._family.transcribe(segments, request)
        return found


class Dreams(OddFamily):
    """With hotwords it says the same thing over and over, as language models do with long lists."""

    def __init__(self, family: Any, _number: float) -> None:
        super().__init__(family)

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise, or dream."""
        found: list[Spoken] = self._family.transcribe(segments, request)
        return [replace(spoken, text=DREAM, tokens=()) for spoken in found] if request.hotwords else found


ODDITIES: dict[str, Callable[[Any, float], OddFamily]] = {"little-memory": LittleMemory, "dreams": Dreams}


def main() -> int:
    """Be the child."""
    make, number = ODDITIES[sys.argv[1]], float(sys.argv[2])
    load = engine._load_family
    engine._load_family = lambda *given: make(load(*given), number)
    return child.main(sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
