"""Who says a sentence, where the inbox knows voices: a name where one is alike enough, else nothing.

Grouping, which tells apart whom nobody knows, needs the whole recording; that is its transcript's to say.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from asr_daemon.recogniser.speakers.embedder import Spoken
from asr_daemon.speakers.enrolment import Person, best_match
from asr_daemon.speakers.grouped import Voice
from asr_daemon.speakers.window import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.dispatch.protocol import Listen
    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.segmenter.cutter import Stretch
    from asr_daemon.recogniser.speakers.stage import VoiceStage
    from asr_daemon.speakers.window import Window


class Namer:
    """Names the speakers of one session; used by the device's thread. Nothing raises."""

    def __init__(self, order: Listen, stage: VoiceStage, note: Note) -> None:
        self._people = tuple(
            Person(each.name, order.profile.speaker_model, tuple(map(base64.b64decode, each.voices)))
            for each in order.people
        )
        self._session = order.session
        self._stage = stage
        self._note = note
        self._has_complained = False

    def name(self, stretch: Stretch) -> str:
        """Return who says that; "" where nobody is sure enough."""
        if not self._people:
            return ""
        try:
            (windows,) = self._stage.windows([Spoken(0, stretch.start_ms, stretch.samples)])
        except Exception as error:  # noqa: BLE001 (text without speakers is better than none)
            if not self._has_complained:
                self._has_complained = True
                fields: dict[str, object] = {"error": f"{type(error).__name__}: {error}"}
                self._note("error", "live_voices_not_embedded", {"session": self._session, **fields})
            return ""
        match = best_match(_voice(windows, stretch.end_ms - stretch.start_ms), self._people)
        return match.name if match is not None else ""


def _voice(windows: Sequence[Window], speech_ms: int) -> Voice:
    """Return the voice of a sentence: the middle of its windows."""
    rows = [decoded(window.embedding) for window in windows]
    return Voice(0, speech_ms if rows else 0, encoded([sum(column) for column in zip(*rows, strict=True)]))
