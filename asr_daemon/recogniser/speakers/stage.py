"""Voices of what was recognised, for recordings whose profile asks who speaks; the text never depends on it.

Enters: a batch of segments. Leaves: the windows of each, none where nobody asks, where there is no voice, or
where embedding failed (said in the log, once a recording). The network is loaded when it is first needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.models.processor import read_processor
from asr_daemon.models.soundness import require_sound
from asr_daemon.recogniser import memory
from asr_daemon.recogniser.speakers.embedder import Embedder, Spoken
from asr_daemon.recogniser.speakers.network import SpeakerNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.job import Job
    from asr_daemon.recogniser.pool import Waiting
    from asr_daemon.speakers.window import Window


class VoiceStage:
    """The stage behind recognition; used by the device's thread."""

    def __init__(self, folder: str, device: str, threads: int, note: Note) -> None:
        self._folder = folder
        self._device = device
        self._threads = threads
        self._note = note
        self._embedder: Embedder | None = None
        self._complained: set[int] = set()  # orders

    def embed(self, batch: Sequence[Waiting]) -> list[tuple[Window, ...]]:
        """Return the windows of each segment. Nothing raises."""
        found: list[tuple[Window, ...]] = [()] * len(batch)
        places = [place for place, one in enumerate(batch) if one.job.profile.speaker_model]
        if not places:
            return found
        spoken = [
            Spoken(one.index, one.stretch.start_ms, one.stretch.samples)
            for one in (batch[place] for place in places)
        ]
        try:
            windows = self.windows(spoken)
        except Exception as error:  # noqa: BLE001 (text without speakers is better than none)
            for job in dict.fromkeys(batch[place].job for place in places):
                self._complain(job, error)
            return found
        for place, mine in zip(places, windows, strict=True):
            found[place] = mine
        return found

    def windows(self, spoken: Sequence[Spoken]) -> list[tuple[Window, ...]]:
        """Return the windows of each; raises whatever prevents that."""
        if self._embedder is None:
            require_sound(Path(self._folder))
            in_int8 = "int8" in read_processor().native
            network = SpeakerNetwork(Path(self._folder), self._device, in_int8=in_int8)
            self._embedder = Embedder(network, threads=self._threads)
        try:
            return self._embedder.embed(spoken)
        except Exception as error:
            if not memory.is_out_of_memory(error):
                raise
        memory.give_back()  # outside the handler: the traceback holds the tensors
        return [windows for one in spoken for windows in self._embedder.embed([one], windows_at_once=1)]

    def _complain(self, job: Job, error: Exception) -> None:
        if job.order in self._complained:
            return
        self._complained.add(job.order)
        fields: dict[str, object] = {"job": job.id, "error": f"{type(error).__name__}: {error}"}
        self._note("error", "voices_not_embedded", fields)
