"""Recognising a batch so that nothing is lost: what fails together is tried alone, and failure costs one.

Enters: samples of segments of one request. Leaves: one :class:`Spoken` a segment, in order, with flags
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

    from asr_daemon.recogniser.families.family import Family, Request

    Note = Callable[[str, str, dict[str, object]], None]  # level, event, fields


class Decoder:
    """One model family with a safety net; used by one thread."""

    def __init__(self, family: Family, note: Note) -> None:
        self._family = family
        self._note = note

    def transcribe(self, segments: Sequence[NDArray[np.float32]], request: Request) -> list[Spoken]:
        """Recognise ``float32 [n_samples], 16 kHz mono`` segments of any length in one batch, if it holds."""
        answers = [Spoken("", flags=("empty", "too_short"))] * len(segments)
        places = [place for place, samples in enumerate(segments) if len(samples) >= MIN_SAMPLES]
        found = self._together([segments[place] for place in places], request) if places else []
        for place, spoken in zip(places, found, strict=True):
            answers[place] = spoken
        return answers

    def _together(self, segments: Sequence[NDArray[np.float32]], request: Request) -> list[Spoken]:
        if len(segments) == 1:
            return [self._alone(segments[0], request)]
        try:
            found = self._family.transcribe(segments, request)
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 (any model error costs a second try, one segment at a time)
            fields = {"segments": len(segments), "error": f"{type(error).__name__}: {error}"}
            self._note("warning", "batch_failed", fields)
            alone = [self._alone(samples, request) for samples in segments]
            return [replace(spoken, flags=("decoded_alone", *spoken.flags)) for spoken in alone]
        return [
            spoken if spoken.text else self._once_more(samples, request)
            for spoken, samples in zip(found, segments, strict=True)
        ]

    def _once_more(self, samples: NDArray[np.float32], request: Request) -> Spoken:
        """Try an empty answer alone, once."""
        spoken = self._alone(samples, request)
        return replace(spoken, flags=("decoded_alone", *spoken.flags))

    def _alone(self, samples: NDArray[np.float32], request: Request) -> Spoken:
        try:
            return self._family.transcribe([samples], request)[0]
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 (costs this segment alone, and is said)
            fields = {"samples": len(samples), "error": f"{type(error).__name__}: {error}"}
            self._note("error", "segment_failed", fields)
            return Spoken("", flags=("failed",))
