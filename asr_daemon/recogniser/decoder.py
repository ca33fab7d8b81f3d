"""Recognising a batch so that nothing is lost: what fails together is tried alone, and failure costs one.

Enters: prepared segments of one request. Leaves: one :class:`Spoken` a segment, in order, with flags
("decoded_alone", "empty", "failed", "too_short"). Fails only where no smaller try can help.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from asr_daemon.recogniser.families.family import MIN_SAMPLES, Spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.family import Family, Input, Request

    Note = Callable[[str, str, dict[str, object]], None]  # level, event, fields


class Decoder:
    """One model family with a safety net; used by one thread."""

    def __init__(self, family: Family, note: Note) -> None:
        self._family = family
        self._note = note

    def prepare(self, samples: NDArray[np.float32]) -> Input | None:
        """Make ``float32 [n_samples], 16 kHz mono`` ready; None where it is too short. From any thread."""
        return self._family.prepare(samples) if len(samples) >= MIN_SAMPLES else None

    def transcribe(self, segments: Sequence[Input | None], request: Request) -> list[Spoken]:
        """Recognise prepared segments in one batch, if it holds."""
        answers = [Spoken("", flags=("empty", "too_short"))] * len(segments)
        places, ready = [], []
        for place, segment in enumerate(segments):
            if segment is not None:
                places.append(place)
                ready.append(segment)
        found = self._together(ready, request) if ready else []
        for place, spoken in zip(places, found, strict=True):
            answers[place] = spoken
        return answers

    def _together(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        if len(segments) == 1:
            return [self._alone(segments[0], request)]
        try:
            found = self._family.transcribe(segments, request)
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 (any model error costs a second try, one segment at a time)
            fields = {"segments": len(segments), "error": f"{type(error).__name__}: {error}"}
            self._note("warning", "batch_failed", fields)
            alone = [self._alone(segment, request) for segment in segments]
            return [replace(spoken, flags=("decoded_alone", *spoken.flags)) for spoken in alone]
        return [
            spoken if spoken.text else self._once_more(segment, request)
            for spoken, segment in zip(found, segments, strict=True)
        ]

    def _once_more(self, segment: Input, request: Request) -> Spoken:
        """Try an empty answer alone, once."""
        spoken = self._alone(segment, request)
        return replace(spoken, flags=("decoded_alone", *spoken.flags))

    def _alone(self, segment: Input, request: Request) -> Spoken:
        try:
            return self._family.transcribe([segment], request)[0]
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 (costs this segment alone, and is said)
            fields = {"samples": segment.length_samples, "error": f"{type(error).__name__}: {error}"}
            self._note("error", "segment_failed", fields)
            return Spoken("", flags=("failed",))
