"""What the recogniser makes of real recordings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import DEMO, REPOSITORY, SHARED, Driver

from asr_daemon.dispatch.protocol import Ready
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.sound.decoding import Decoding
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

HANZI = re.compile(r"[^\u4e00-\u9fff]")


def words(name: str) -> tuple[str, ...]:
    """Return the hotwords that belong to a demonstration recording."""
    path = DEMO / f"{name}.hotwords.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return tuple(line for line in lines if line and not line.startswith("#"))


def distance(one: str, other: str) -> int:
    """Return the edit distance."""
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, against in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (char != against))
    return row[-1]


@pytest.mark.parametrize("name", ["finance.m4a", "support.mp3", "lecture.wav"])
def test_the_demonstration_is_right_to_the_character(driver: Driver, name: str) -> None:
    """With their hotword lists the three recordings come out as they were said, one segment a sentence."""
    stem = name.partition(".")[0]
    outcome = driver.transcribe(DEMO / name, Profile("m", hotwords=words(stem)))
    said = (DEMO / f"{stem}.ref.txt").read_text(encoding="utf-8").split()
    assert [segment.raw_text for segment in outcome.segments] == said
    for segment in outcome.segments:
        assert "".join(token.text for token in segment.tokens) == segment.raw_text
        assert segment.start_ms <= segment.tokens[0].start_ms
        assert segment.tokens[-1].end_ms <= segment.end_ms
        assert segment.flags == ()


def test_hotwords_bring_in_the_name(driver: Driver) -> None:
    """Without the list the name is wrong: the list reaches the model."""
    without = driver.transcribe(DEMO / "finance.m4a", Profile("m", phonetic_correction=False))
    assert "顾清源" not in without.text


def test_recordings_of_different_lists_under_way_together_keep_to_their_own(driver: Driver) -> None:
    """Several jobs at once give the same texts as one after the other."""
    names = ["finance.m4a", "support.mp3", "lecture.wav"]
    profiles = [Profile("m", hotwords=words(name.partition(".")[0])) for name in names]
    alone = [driver.transcribe(DEMO / name, profile) for name, profile in zip(names, profiles, strict=True)]
    jobs = [driver.begin(DEMO / name, profile) for name, profile in zip(names, profiles, strict=True)]
    together = driver.finish(*jobs)
    for one, other in zip(alone, together, strict=True):
        assert sorted(one.segments, key=lambda s: s.index) == sorted(other.segments, key=lambda s: s.index)


RECORDINGS = sorted(
    path
    for path in (SHARED / "audio").glob("*.*")
    if path.suffix in (".wav", ".mp3", ".m4a", ".ogg", ".flac", ".webm")
)
needs_recordings = pytest.mark.skipif(not RECORDINGS, reason="the shared recordings are not here")
RAW_MODEL_RATE = 0.0592  # of the raw model on the true segments, one at a time (the model's README)


def reference(path: Path) -> str:
    """Return what is said in a shared recording."""
    return HANZI.sub("", path.with_suffix(".ref.txt").read_text(encoding="utf-8"))


@needs_recordings
def test_nothing_is_lost_against_the_raw_model_on_the_same_segments(driver: Driver) -> None:
    """Batching, hooks and the rest cost no character that stock FunASR gets right on these very segments."""
    funasr = pytest.importorskip("funasr")
    folder = str(REPOSITORY / "asr_daemon" / "models" / "paraformer-tiny-zh")
    raw = funasr.AutoModel(model=folder, device="cpu", disable_update=True, disable_pbar=True)
    for path in RECORDINGS:
        outcome = driver.transcribe(path)
        with path.open("rb") as file:
            audio = np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 3600)))
        texts = []
        for _, start_ms, end_ms in outcome.places:
            answers = raw.generate(input=[audio[start_ms * 16 : end_ms * 16].copy()])
            texts.append(answers[0]["text"] if answers else "")
        stock = HANZI.sub("", "".join(texts))
        ours = HANZI.sub("", outcome.text)
        assert distance(reference(path), ours) <= distance(reference(path), stock), path.name


@needs_recordings
def test_the_error_rate_is_the_model_s_own(driver: Driver) -> None:
    """With segments of a sentence each, silero's and ours cost nothing against the true segments."""
    wrong = length = 0
    for path in RECORDINGS:
        outcome = driver.transcribe(path, Profile("m", max_end_silence_ms=300))
        wrong += distance(reference(path), HANZI.sub("", outcome.text))
        length += len(reference(path))
    assert wrong / length <= RAW_MODEL_RATE


def test_bound_of_a_batch_is_chosen_and_said(driver: Driver) -> None:
    """Without one in the configuration it follows from the memory at hand, up to what is best on a CPU."""
    assert isinstance(driver.first, Ready)
    assert 10.0 <= driver.first.bound_s <= 120.0


def test_progress_moves_to_the_end(driver: Driver) -> None:
    """Progress never goes back and ends at the recording's length."""
    outcome = driver.transcribe(DEMO / "support.mp3")
    assert outcome.end is not None
    done = [progress.recognised_ms for progress in outcome.progress]
    assert done == sorted(done)
    assert done[-1] == outcome.progress[-1].decoded_ms == outcome.end.duration_ms
    assert {"decode", "vad", "asr"} <= set(outcome.end.timings_ms)
    assert outcome.end.segment_count == len(outcome.segments) == len(outcome.places)
