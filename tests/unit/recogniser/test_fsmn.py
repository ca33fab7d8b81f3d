"""fsmn-vad in one pass finds the segments of stock, however the recording arrives."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.features import HOP_SAMPLES, filter_bank
from asr_daemon.recogniser.segmenter.cutter import Cutter
from asr_daemon.recogniser.segmenter.fsmn import FsmnDetector, FsmnNetwork
from asr_daemon.recogniser.sound.decoding import Decoding

SHARED = Path(os.environ.get("ASR_DAEMON_SHARED", Path(__file__).resolve().parents[4] / "shared"))
FOLDER = SHARED / "models" / "fsmn-vad"
RECORDINGS = sorted(
    path
    for path in (SHARED / "audio").rglob("*.*")
    if path.suffix in (".wav", ".mp3", ".m4a", ".ogg", ".flac", ".webm")
)
pytestmark = pytest.mark.skipif(
    not (FOLDER.is_dir() and RECORDINGS), reason="the shared fsmn-vad model and recordings are not here"
)
NO_LIMIT_MS = 86_400_000  # stock cuts at a minute by itself; ours leaves that to the cutter


@pytest.fixture(scope="module")
def stock():  # noqa: ANN201 (funasr has no types)
    """FunASR's own."""
    from funasr import AutoModel  # noqa: PLC0415

    return AutoModel(
        model=str(FOLDER),
        device="cpu",
        disable_update=True,
        disable_pbar=True,
        max_end_silence_time=800,
        max_single_segment_time=NO_LIMIT_MS,
    )


@pytest.fixture(scope="module")
def network(stock) -> FsmnNetwork:  # noqa: ANN001
    """Ours, with the same weights."""
    return FsmnNetwork(stock.model, stock.kwargs["frontend"])


@pytest.fixture(scope="module")
def recordings() -> list[np.ndarray]:
    """All shared recordings, and a meeting made of them with pauses of any length."""
    found = []
    for path in RECORDINGS:
        with path.open("rb") as file:
            found.append(np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 3600))))
    rng = np.random.default_rng(7)
    meeting = []
    for number in rng.integers(0, len(found), 10):
        pause = rng.normal(0, 0.002, rng.integers(100, 40_000)).astype(np.float32)
        meeting += [found[number], pause]
    return [*found, np.concatenate(meeting), found[0][:5000], np.zeros(80_000, np.float32)]


def segments(detector: FsmnDetector, audio: np.ndarray, window: int) -> list[list[int]]:
    """Return [start_ms, end_ms] of a recording that arrives in windows."""
    spans = [span for at in range(0, len(audio), window) for span in detector.feed(audio[at : at + window])]
    return [[start // 16, end // 16] for start, end in [*spans, *detector.finish()]]


@pytest.mark.parametrize(
    "silence_ms",
    [
        800,
        pytest.param(300, marks=pytest.mark.slow),
        *(pytest.param(other, marks=pytest.mark.long) for other in (100, 2000)),
    ],
)
def test_segments_are_stock_s_own(stock, network, recordings, silence_ms: int) -> None:  # noqa: ANN001
    """Every recording, several patiences: the same segments, from 30 s windows."""
    count = 0
    for audio in recordings:
        theirs = stock.generate(input=[audio], batch_size=1, max_end_silence_time=silence_ms)[0]["value"]
        ours = segments(FsmnDetector(network, silence_ms), audio, 480_000)
        assert len(ours) == len(theirs)
        count += len(ours)
        if ours:
            assert np.abs(np.array(ours) - np.array(theirs)).max() <= 10
    assert count > 20


def test_windows_do_not_matter(network, recordings) -> None:  # noqa: ANN001
    """Whole, or in windows of any size: the same segments."""
    audio = recordings[0][: 40 * 16_000]
    whole = segments(FsmnDetector(network, 800), audio, len(audio))
    for window in (161, 7777, 160_000):
        assert segments(FsmnDetector(network, 800), audio, window) == whole


@pytest.mark.parametrize("length", [0, 1, 399, 400, 1000])
def test_next_to_nothing_is_no_speech(network, length: int) -> None:  # noqa: ANN001
    """A few samples (stock divides by zero there) hold no segment and do no harm."""
    assert segments(FsmnDetector(network, 800), np.full(length, 0.1, np.float32), 480_000) == []


def test_a_stretch_brings_the_filter_bank_of_its_samples(network, recordings) -> None:  # noqa: ANN001
    """Recognition need not compute it again; nothing that is past is kept."""
    audio, window = recordings[0], 100_000
    detector = FsmnDetector(network, 800)
    cutter = Cutter(detector, 3)
    pieces = [p for at in range(0, len(audio), window) for p in cutter.feed(audio[at : at + window])]
    pieces += cutter.finish()
    for piece in pieces:
        own = filter_bank(torch.from_numpy(piece.samples))
        torch.testing.assert_close(piece.bank, own, atol=1e-3, rtol=0)
    assert len(detector.bank._kept) * HOP_SAMPLES < len(audio) / 2


def test_long_speech_is_cut_alike_in_any_windows(network, recordings) -> None:  # noqa: ANN001
    """The cutter's limit holds with this detector too, independent of the windows."""
    audio = recordings[0]
    found = []
    for window in (len(audio), 50_000):
        cutter = Cutter(FsmnDetector(network, 800), 3)
        pieces = [p for at in range(0, len(audio), window) for p in cutter.feed(audio[at : at + window])]
        found.append([(p.start_ms, p.end_ms) for p in [*pieces, *cutter.finish()]])
    assert found[0] == found[1]
    assert max(end - start for start, end in found[0]) <= 3001
