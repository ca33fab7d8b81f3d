"""What a model makes up is doubted, and what people said is not, with the real model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import DEMO, REPOSITORY, SHARED, Driver, builtin_setup
from sounds import noise

from asr_daemon.queue.profile import Profile
from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.seaco import SeacoParaformer
from asr_daemon.recogniser.gate import REDECODED, SUSPECTED, Gate
from asr_daemon.recogniser.limit import BatchLimit
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.recogniser.suspicion import REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow

MODEL = REPOSITORY / "asr_daemon" / "models" / "paraformer-tiny-zh"
ODD = os.fspath(Path(__file__).parents[2] / "odd_recogniser.py")
SUFFIXES = (".wav", ".mp3", ".m4a", ".ogg", ".flac", ".webm")
RECORDINGS = sorted(
    path for folder in (DEMO, SHARED / "audio") for path in folder.rglob("*") if path.suffix in SUFFIXES
)
LISTS = [SHARED / "audio" / "hotwords" / name for name in ("words.txt", "distractors.txt")]
MARKS = {*REASONS, REDECODED, SUSPECTED}


def words(path: Path) -> tuple[str, ...]:
    """Return the words of a list that may not be here."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return tuple(line for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_word_of_a_real_recording_is_doubted(driver: Driver, path: Path) -> None:
    """Not one segment, with the list that belongs to it and with a long one of other names."""
    own = words(path.parent / f"{path.stem}.hotwords.txt")
    for hotwords in {own, tuple(word for file in LISTS for word in words(file))}:
        outcome = driver.transcribe(path, Profile("m", hotwords=hotwords))
        assert outcome.segments
        assert [segment for segment in outcome.segments if MARKS.intersection(segment.flags)] == []


def test_dreams_give_way_to_what_was_said(driver: Driver) -> None:
    """A model that loops with hotwords: the text is that without them; segments and log tell."""
    dreamer = Driver(builtin_setup(), program=(ODD, "dreams", "0"))
    awake = driver.transcribe(DEMO / "support.mp3")
    dreamt = dreamer.transcribe(DEMO / "support.mp3", Profile("m", hotwords=("顾清源",)))
    assert "谢谢观看" not in dreamt.text
    assert len(dreamt.text) == pytest.approx(len(awake.text), rel=0.1)
    assert [segment.flags for segment in dreamt.segments] == [("repetition", "redecoded")] * len(
        awake.segments
    )
    notes = [note.fields for note in dreamer.notes if note.event == "text_doubted"]
    assert sorted((note["job"], note["start_ms"]) for note in notes) == sorted(
        (1, segment.start_ms) for segment in dreamt.segments
    )
    dreamer.child.kill()


def hum(seconds: float, dbfs: float) -> np.ndarray:
    """Return what a bad cable brings into a recording."""
    times = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    waves = sum(np.sin(2 * np.pi * 50 * order * times) / order for order in (1, 2, 3, 5))
    return (waves * 10 ** (dbfs / 20)).astype(np.float32)


def test_words_that_the_model_hears_in_noise_are_marked() -> None:
    """Silence, hiss and hum of any level, straight to the model: no text comes out of it unmarked."""
    family = SeacoParaformer(MODEL, "cpu", 1)
    decoder = Decoder(family, BatchLimit(80), lambda *_: None)
    gate = Gate(decoder)
    sounds: Sequence[np.ndarray] = [
        np.zeros(3 * SAMPLE_RATE_HZ, np.float32),
        *(noise(seconds, dbfs) for seconds in (1.5, 6) for dbfs in (-90, -60, -40, -20, -10)),
        *(hum(4, dbfs) for dbfs in (-80, -40, -20)),
    ]
    heard = 0
    for hotwords in ((), ("顾清源", "年度预算")):
        request = Request("zh", hotwords)
        for samples in sounds:
            (first,) = decoder.transcribe([decoder.prepare(samples)], request)
            heard += bool(first.text)
            kept = gate.check(samples, first, request)
            assert not kept.text or SUSPECTED in kept.flags
            assert bool(first.text) == bool(MARKS.intersection(kept.flags))
    assert heard, "the model hears words in noise, or this test shows nothing"
