"""Meetings with who spoke when, where our segmenter finds speech in them, and errors of who spoke."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.sound.decoding import Decoding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr_daemon.recogniser.segmenter.fsmn import FsmnNetwork
    from asr_daemon.speakers.grouped import Turn

Place = tuple[float, float]
Said = tuple[float, float, str]  # start_s, end_s, who


@dataclass(frozen=True)
class Meeting:
    """A recording with its reference and what was embedded of it."""

    name: str
    samples: np.ndarray
    said: tuple[Said, ...]

    @property
    def speech(self) -> list[Place]:
        """Return where the reference says that anybody speaks."""
        joined: list[Place] = []
        for start, end, _who in sorted(self.said):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined


def read(path: Path) -> np.ndarray:
    """Return a recording, whole."""
    with path.open("rb") as file:
        return np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 86_400)))


def read_meeting(path: Path) -> Meeting:
    """Return a recording with its .rttm."""
    lines = path.with_suffix(".rttm").read_text(encoding="utf-8").splitlines()
    fields = [line.split() for line in lines if line.startswith("SPEAKER")]
    said = tuple((float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields)
    return Meeting(path.stem, read(path), said)


def own_speech(meeting: Meeting, network: FsmnNetwork) -> list[Place]:
    """Return where our own segmenter finds speech, its padding included."""
    from asr_daemon.recogniser.segmenter.cutter import Cutter  # noqa: PLC0415 (with torch's threads set)
    from asr_daemon.recogniser.segmenter.fsmn import FsmnDetector  # noqa: PLC0415
    from asr_daemon.recogniser.sound.gain import AutoGain  # noqa: PLC0415
    from asr_daemon.recogniser.sound.speech_band import levels_dbfs  # noqa: PLC0415

    detector = FsmnDetector(network, 800)
    cutter = Cutter(detector, 30.0)
    gain = AutoGain(detector.aim)
    heard = gain.apply(meeting.samples, levels_dbfs(meeting.samples))
    return [(one.start_ms / 1000, one.end_ms / 1000) for one in [*cutter.feed(heard), *cutter.finish()]]


def fsmn(models: Path) -> FsmnNetwork:
    """Return the VAD."""
    from funasr import AutoModel  # noqa: PLC0415

    from asr_daemon.recogniser.segmenter.fsmn import FsmnNetwork  # noqa: PLC0415

    loaded = AutoModel(
        model=str(models / "fsmn-vad"), device="cpu", ncpu=1, disable_update=True, disable_pbar=True,
        log_level="ERROR",
    )  # fmt: skip
    return FsmnNetwork(loaded.model, loaded.kwargs["frontend"])


def errors(said: Sequence[Said], turns: Sequence[Turn], collar_s: float) -> tuple[float, float]:
    """Return (DER, confusion) as shares of the reference's speech; a collar is taken off on both sides."""
    from pyannote.core import Annotation, Segment  # noqa: PLC0415
    from pyannote.metrics.diarization import DiarizationErrorRate  # noqa: PLC0415

    reference, found = Annotation(), Annotation()
    for number, (start, end, who) in enumerate(said):
        reference[Segment(start, end), number] = who
    for number, turn in enumerate(turns):
        found[Segment(turn.start_ms / 1000, turn.end_ms / 1000), number] = turn.speaker
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = DiarizationErrorRate(collar=2 * collar_s, skip_overlap=False)(reference, found, detailed=True)
    total = parts["total"] or 1.0
    return parts["diarization error rate"], parts["confusion"] / total
