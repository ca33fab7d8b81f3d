"""Recognising a batch so that nothing is lost: what fails together is tried alone, and failure costs one.

Enters: prepared segments of one request. Leaves: one :class:`Spoken` a segment, in order, with flags
("decoded_alone", "empty", "failed", "too_short"; "split" where only its halves fitted into memory,
"out_of_memory" where not even those did: that recording's caller must give up). Nothing raises.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.recogniser import memory
from asr_daemon.recogniser.families.family import MIN_SAMPLES, Spoken
from asr_daemon.recogniser.families.words import join
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.family import Family, Input, Request
    from asr_daemon.recogniser.limit import BatchLimit

    Note = Callable[[str, str, dict[str, object]], None]  # level, event, fields

MIN_SPLIT_SAMPLES = SAMPLE_RATE_HZ  # halves shorter than a second are no help


class Decoder:
    """One model family with a safety net; used by one thread."""

    def __init__(self, family: Family, limit: BatchLimit, note: Note) -> None:
        self._family = family
        self._limit = limit
        self._note = note
        self.memory_error = ""  # the last one's words

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input | None:
        """Make ``float32 [n_samples], 16 kHz mono`` ready; None where it is too short. From any thread."""
        return self._family.prepare(samples, bank) if len(samples) >= MIN_SAMPLES else None

    def transcribe(self, segments: Sequence[Input | None], request: Request) -> list[Spoken]:
        """Recognise prepared segments in one batch, if it holds."""
        answers = [Spoken("", flags=("empty", "too_short"))] * len(segments)
        places, ready = [], []
        for place, segment in enumerate(segments):
            if segment is not None:
                places.append(place)
                ready.append(segment)
        found = self._within_memory(ready, request) if ready else []
        for place, spoken in zip(places, found, strict=True):
            answers[place] = spoken
        return answers

    def _within_memory(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise; out of memory, in halves of the batch, down to one, then in halves of the segment."""
        try:
            found = self._together(segments, request)
        except Exception as error:
            if not memory.is_out_of_memory(error):
                raise
            self._say_out_of_memory(len(segments), error)
        else:
            self._limit.fitted()
            return found
        memory.give_back()  # outside the handler: the traceback holds the tensors
        if len(segments) > 1:
            half = len(segments) // 2
            return [
                *self._within_memory(segments[:half], request),
                *self._within_memory(segments[half:], request),
            ]
        if segments[0].length_samples < 2 * MIN_SPLIT_SAMPLES:
            return [Spoken("", flags=("out_of_memory",))]
        first, second = segments[0].halves()
        before, after = (self._within_memory([part], request)[0] for part in (first, second))
        whole = joined(before, after, first.length_samples * 1000 // SAMPLE_RATE_HZ)
        return [replace(whole, flags=tuple(dict.fromkeys(("split", *whole.flags))))]

    def _say_out_of_memory(self, segments: int, error: Exception) -> None:
        self._limit.shrink()
        self.memory_error = str(error) or type(error).__name__
        fields: dict[str, object] = {
            "step": "batch" if segments > 1 else "segment",  # which of them is halved
            "segments": segments,
            "bound_s": self._limit.bound_s,
            "error": self.memory_error,
        }
        self._note("warning", "batch_out_of_memory", fields)

    def _together(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        if len(segments) == 1:
            return [self._alone(segments[0], request)]
        try:
            found = self._family.transcribe(segments, request)
        except Exception as error:  # any model error costs a second try, one segment at a time
            if memory.is_out_of_memory(error):
                raise
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
        return replace(spoken, flags=("decoded_alone", *spoken.flags)) if spoken.text else spoken

    def _alone(self, segment: Input, request: Request) -> Spoken:
        try:
            return self._family.transcribe([segment], request)[0]
        except Exception as error:  # costs this segment alone, and is said
            if memory.is_out_of_memory(error):
                raise
            fields = {"samples": segment.length_samples, "error": f"{type(error).__name__}: {error}"}
            self._note("error", "segment_failed", fields)
            return Spoken("", flags=("failed",))


def joined(first: Spoken, second: Spoken, offset_ms: int) -> Spoken:
    """Return two halves as one segment; the second begins at ``offset_ms``."""
    moved = tuple(
        replace(t, start_ms=t.start_ms + offset_ms, end_ms=t.end_ms + offset_ms) for t in second.tokens
    )
    flags = dict.fromkeys((*first.flags, *second.flags))
    if first.text or second.text:
        flags.pop("empty", None)
    return Spoken(join([first.text, second.text]), (*first.tokens, *moved), tuple(flags))
