"""The filter bank in one pass gives the numbers of the one that the models were trained with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from funasr.frontends.wav_frontend import WavFrontend
from funasr.utils.fbank import fbank

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.families.front_end import FrontEnd
from asr_daemon.recogniser.features import HOP_SAMPLES, MEL_BINS, RunningFilterBank, filter_bank, frame_count
from asr_daemon.recogniser.sound.decoding import Decoding

REPOSITORY = Path(__file__).resolve().parents[3]
MODEL = REPOSITORY / "asr_daemon" / "models" / "paraformer-tiny-zh"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """The lecture of the demonstration."""
    fd = os.open(REPOSITORY / "asr_daemon" / "demo" / "audio" / "lecture.wav", os.O_RDONLY)
    samples = np.concatenate(list(Decoding(fd, find_ffmpeg(), 60)))
    os.close(fd)
    return samples


def kaldi(samples: np.ndarray) -> torch.Tensor:
    """Return FunASR's own features."""
    return fbank(
        torch.from_numpy(samples)[None] * 32768,
        num_mel_bins=MEL_BINS,
        frame_length=25,
        frame_shift=10,
        dither=0.0,
        energy_floor=0.0,
        window_type="hamming",
        sample_frequency=16_000,
        snip_edges=True,
    )


@pytest.mark.parametrize(("offset", "rounding"), [(0.0, 2e-3), (0.1, 3e-2)])
def test_features_are_kaldi_s_within_rounding(speech: np.ndarray, offset: float, rounding: float) -> None:
    """Also with a constant offset, as cheap sound cards add it."""
    samples = speech + np.float32(offset)
    ours, theirs = filter_bank(torch.from_numpy(samples)), kaldi(samples)
    assert ours.shape == theirs.shape
    # In nearly silent bands the logarithm magnifies the rounding of float32 samples themselves.
    loud = theirs > 0
    torch.testing.assert_close(ours[loud], theirs[loud], atol=rounding, rtol=0)
    assert float((ours - theirs).abs().mean()) < 1e-4


def test_any_cut_on_a_hop_gives_the_same_frames(speech: np.ndarray) -> None:
    """Features of a part are the part of the features: a window may be computed by itself."""
    audio = torch.from_numpy(speech)
    whole = filter_bank(audio)
    part = filter_bank(audio[700 * HOP_SAMPLES :])
    torch.testing.assert_close(whole[700:], part, atol=1e-4, rtol=0)


def test_a_recording_in_windows_has_the_same_frames(speech: np.ndarray) -> None:
    """Whatever the windows, a part has the frames of its samples, also once what lies before is dropped."""
    bank = RunningFilterBank()
    fresh = [bank.feed(speech[at : at + 7777]) for at in range(0, 160_000, 7777)]
    torch.testing.assert_close(torch.cat(fresh), filter_bank(torch.from_numpy(speech[:163_317])))
    for start, length in ((0, 399), (0, 400), (32_000, 50_001), (150_080, 8_000)):
        part = bank.part(start, length)
        own = filter_bank(torch.from_numpy(speech[start : start + length]))
        torch.testing.assert_close(part, own, atol=1e-4, rtol=0)
        bank.drop(start)
    assert len(bank._kept) < 100  # what was dropped is gone
    assert bank.part(150_081, 8_000) is None  # its frames lie elsewhere
    bank.drop(163_200)  # a frame that is not complete yet
    bank.feed(speech[163_317:200_000])
    own = filter_bank(torch.from_numpy(speech[163_200:183_200]))
    torch.testing.assert_close(bank.part(163_200, 20_000), own, atol=1e-4, rtol=0)


def test_less_than_a_frame_has_none() -> None:
    """399 samples are too few, 400 are one frame."""
    assert [frame_count(samples) for samples in (0, 399, 400, 559, 560)] == [0, 0, 1, 1, 2]
    assert filter_bank(torch.zeros(399)).shape == (0, MEL_BINS)
    assert torch.isfinite(filter_bank(torch.zeros(400))).all()


@pytest.mark.parametrize("options", [{}, {"window": "povey"}, {"lfr_m": 1, "lfr_n": 1}])
def test_a_model_s_input_is_what_its_frontend_makes(speech: np.ndarray, options: dict) -> None:
    """Stacked and normalised alike; an unusual frontend is asked itself."""
    settings = {"window": "hamming", "lfr_m": 7, "lfr_n": 6, **options}
    frontend = WavFrontend(cmvn_file=str(MODEL / "am.mvn"), n_mels=80, dither=0.0, **settings)
    samples = speech[16_000:90_123]
    theirs, _ = frontend(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    front_end = FrontEnd(frontend)
    torch.testing.assert_close(front_end.prepare(samples), theirs[0], atol=5e-3, rtol=0)
    bank = filter_bank(torch.from_numpy(samples))
    torch.testing.assert_close(front_end.prepare(samples, bank), front_end.prepare(samples))
