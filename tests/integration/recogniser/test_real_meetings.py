"""Who spoke when on real recordings, through the packaged network and grouping: at most so much is wrong."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from conftest import SHARED
from voices import FFMPEG

from asr_daemon.grouping.group import group
from asr_daemon.models.processor import read_processor
from asr_daemon.recogniser.families import on_demand
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding
from asr_daemon.recogniser.speakers.embedder import Embedder, Spoken
from asr_daemon.recogniser.speakers.features import voice_features
from asr_daemon.recogniser.speakers.network import BUILTIN_FOLDER, SpeakerNetwork
from asr_daemon.speakers.grouped import Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from asr_daemon.speakers.grouped import Turn

MEETINGS = SHARED / "audio" / "speakers"
CELL_MS = 10
Said = list[tuple[int, int, str]]  # start_ms, end_ms, who

needs_int8 = pytest.mark.skipif("int8" not in read_processor().native, reason="int8 saturates there")
needs_meetings = pytest.mark.skipif(not MEETINGS.is_dir(), reason="the shared recordings are not here")


@pytest.fixture(scope="module", params=["float32", "int8"])
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    if request.param == "int8" and "int8" not in read_processor().native:
        pytest.skip("int8 saturates on this processor")
    on_demand.install()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Embedder(SpeakerNetwork(BUILTIN_FOLDER, "cpu", in_int8=request.param == "int8"))
    torch.set_num_threads(threads)


@needs_meetings
@pytest.mark.parametrize(
    ("name", "speakers", "most_wrong"),
    [("sample", (2,), 0.05), ("trn06", (2, 3, 4), 0.06)],
)
def test_who_spoke_when(embedder: Embedder, name: str, speakers: tuple[int, ...], most_wrong: float) -> None:
    """A telephone call and a meeting recorded from afar, in which people talk across each other."""
    said = read_said(MEETINGS / f"{name}.rttm")
    with (MEETINGS / f"{name}.flac").open("rb") as file:
        samples = np.concatenate(list(Decoding(file.fileno(), FFMPEG, 3600)))
    spoken = [
        Spoken(number, start, samples[start * SAMPLE_RATE_HZ // 1000 : end * SAMPLE_RATE_HZ // 1000])
        for number, (start, end) in enumerate(stretches(said))
    ]
    windows = tuple(itertools.chain.from_iterable(embedder.embed(spoken)))
    turns = group(Question(windows)).turns
    assert len({turn.speaker for turn in turns}) in speakers
    assert wrong_share(said, turns) <= most_wrong


@needs_meetings
@needs_int8
def test_int8_hears_real_rooms_as_float32_does() -> None:
    """Rooms have numbers that no clean voice has; what is off there would be another speaker."""
    on_demand.install()
    with (MEETINGS / "trn05.flac").open("rb") as file:
        samples = np.concatenate(list(Decoding(file.fileno(), FFMPEG, 3600)))
    windows = torch.from_numpy(samples[: 24_000 * (len(samples) // 24_000)].reshape(-1, 24_000))
    features = voice_features(windows)
    exact, quick = (
        SpeakerNetwork(BUILTIN_FOLDER, "cpu", in_int8=each).embed(features) for each in (False, True)
    )
    assert float((exact * quick).sum(dim=1).min()) > 0.97


def read_said(path: Path) -> Said:
    """Return what a .rttm says."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    places = [(round(1000 * float(one[3])), round(1000 * float(one[4])), one[7]) for one in lines]
    return sorted((start, start + length, who) for start, length, who in places)


def stretches(said: Said) -> list[tuple[int, int]]:
    """Return where anybody speaks."""
    joined: list[tuple[int, int]] = []
    for start, end, _who in said:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def wrong_share(said: Said, turns: Sequence[Turn]) -> float:
    """Return the share of the reference's speech that has a speaker who does not speak there.

    Speakers are matched so that as little as possible is wrong.
    """
    people = sorted({who for *_, who in said})
    cells = max(end for _, end, _ in said) // CELL_MS + 1
    speaks = np.zeros((len(people), cells), np.bool_)
    for start, end, who in said:
        speaks[people.index(who), start // CELL_MS : end // CELL_MS] = True
    found = sorted({turn.speaker for turn in turns})
    heard = np.zeros((len(found), cells), np.bool_)
    for turn in turns:
        heard[found.index(turn.speaker), turn.start_ms // CELL_MS : turn.end_ms // CELL_MS] = True
    together = speaks.astype(int) @ heard.T.astype(int)
    wide = np.pad(together, ((0, max(0, len(found) - len(people))), (0, 0)))
    right = max(
        sum(wide[row, column] for column, row in enumerate(rows))
        for rows in itertools.permutations(range(len(wide)), len(found))
    )
    either = int((speaks.any(axis=0) & heard.any(axis=0)).sum())
    return float((either - right) / speaks.sum())
