"""A daemon in which speakers are asked for, with a child that answers as it is told; nothing of it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from way import PROFILE, OpenDaemon

from asr_daemon.errors import InternalError
from asr_daemon.speakers.grouped import Grouped, Turn, Voice
from asr_daemon.speakers.window import Window, encoded, windows_to_bytes
from asr_daemon.transcripts.transcript import Segment, Token

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ASKS = replace(PROFILE, speaker_model="campplus@1", max_speakers=5)
MODEL = "campplus@1"
TEXTS = ("今天讨论预算", "我同意", "散会")


def voice(axis: int) -> bytes:
    """Return the embedding of a voice that is like no other's."""
    return encoded([float(k == axis) for k in range(192)])


class Child:
    """Answers in place of the grouping child."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []  # windows, expected, most
        self.fails = False
        self.alone = False  # whether one voice says everything

    def __call__(self, rows: Iterable[bytes], windows: int, expected: int, most: int) -> Grouped:
        """Answer: two voices in turn, or the one that is asked for."""
        self.asked.append((sum(map(len, rows)) // 396, expected, most))
        if self.fails:
            raise InternalError("the speakers could not be told apart", evidence="Traceback")
        speakers = (0, 0, 0) if expected == 1 or self.alone else (4, 7, 4)
        turns = [Turn(at * 2000, at * 2000 + 2000, who, at == 1) for at, who in enumerate(speakers)]
        return Grouped(tuple(turns), tuple(Voice(who, 9000, voice(who)) for who in sorted({*speakers})))


class Office(OpenDaemon):
    """A daemon with recordings whose speakers are asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.child = Child()
        self.attributor = self.parts.speakers.attributor
        self.attributor._ask = self.child

    def recognise(self, name: str = "会议.wav", content: bytes = b"sound") -> int:
        """Recognise a recording of three segments by two voices; return its number."""
        recording = self.put(name, content, ASKS)
        self.finish_next()
        return recording

    def finish_next(self, speakers: tuple[int, ...] = (4, 7, 4)) -> None:
        """Recognise what is next in the queue."""
        job = self.claim()
        segments = [
            Segment(k, k * 2000, k * 2000 + 2000, text, text, (Token(text, k * 2000, k * 2000 + 2000),))
            for k, text in enumerate(TEXTS)
        ]
        windows = [
            (k, windows_to_bytes([Window(k, k * 2000, k * 2000 + 1500, voice(who))]))
            for k, who in enumerate(speakers)
        ]
        self.segments.save(job.id, tuple(segments), windows, MODEL)
        self.end(job.id, 3)
        self.parts.deliverer.deliver_job(job.id)

    def command(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Carry a command out."""
        answer: dict[str, Any] = self.daemon.commands.answer({"command": name, **arguments})
        return answer

    def text(self, name: str = "会议") -> str:
        """Return a transcript."""
        return (self.inbox / f"{name}.txt").read_text(encoding="utf-8")
