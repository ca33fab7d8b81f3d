"""Real voices through the packaged network."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from voices import voice

from asr_daemon.errors import ModelMissingError
from asr_daemon.models.manifest import read_manifest
from asr_daemon.models.processor import read_processor
from asr_daemon.models.soundness import faults
from asr_daemon.recogniser.families import on_demand
from asr_daemon.recogniser.speakers.embedder import Embedder, Spoken
from asr_daemon.recogniser.speakers.features import voice_features
from asr_daemon.recogniser.speakers.network import BUILTIN_FOLDER, SpeakerNetwork
from asr_daemon.speakers.window import cosine, decoded

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.speakers.window import Window


needs_int8 = pytest.mark.skipif(
    "int8" not in read_processor().native, reason="int8 saturates on this processor"
)


@pytest.fixture(scope="module")
def network() -> SpeakerNetwork:
    on_demand.install()
    return SpeakerNetwork(BUILTIN_FOLDER, "cpu")


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return voice("lecture.wav", seconds=6.0, begin=1.0)


def _stock() -> Any:
    """Return FunASR's own network."""
    stock = importlib.import_module("funasr.models.campplus.model").CAMPPlus(feat_dim=80, embedding_size=192)
    weights = torch.load(BUILTIN_FOLDER / "model.pt", weights_only=True)
    stock.load_state_dict(
        {name: one.float() if one.is_floating_point() else one for name, one in weights.items()}
    )
    return stock.eval()


def likeness(one: Window, other: Window) -> float:
    return cosine(decoded(one.embedding), decoded(other.embedding))


def test_features_are_those_that_cam_was_trained_with(speech: np.ndarray) -> None:
    """Kaldi's, as FunASR computes them for it, in one go for all windows."""
    kaldi = importlib.import_module("funasr.utils.fbank")
    windows = torch.from_numpy(speech[:48_000].reshape(2, -1))
    ours = voice_features(windows)
    for window, features in zip(windows, ours, strict=True):
        wanted = kaldi.fbank(window[None], num_mel_bins=80)
        wanted = wanted - wanted.mean(dim=0, keepdim=True)
        assert features.shape == (148, 80)
        assert float((features - wanted).abs().mean()) < 0.01


def test_embeddings_are_funasrs_own(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """What is fused and laid out for speed, and half-precision results, change nothing that counts."""
    features = voice_features(torch.from_numpy(speech[None, :24_000].copy()))
    with torch.inference_mode():
        wanted = _stock()(features)[0].tolist()
    [[window]] = Embedder(network).embed([Spoken(0, 0, speech[:24_000])])
    assert cosine(decoded(window.embedding), wanted) > 0.9999


def test_what_is_folded_for_speed_says_the_same(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """Normalisations within products, comparisons in their place: FunASR's numbers to the fourth digit."""
    features = voice_features(torch.from_numpy(speech[:72_000].reshape(3, -1).copy()))
    with torch.inference_mode():
        wanted = torch.nn.functional.normalize(_stock()(features), dim=1)
    np.testing.assert_allclose(network.embed(features).numpy(), wanted.numpy(), atol=1e-4)


@needs_int8
def test_int8_hears_the_same_voice(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """Loud, quiet, in noise, music: as near to float32 as no two windows of one voice are."""
    at = np.arange(24_000) / 16_000
    chord = sum(np.sin(2 * np.pi * hz * at) for hz in (220, 277, 330)) / 4
    noise = np.random.default_rng(1).normal(0, 0.05, 24_000)
    first = speech[:24_000]
    sounds = np.stack([first, 0.001 * first, first + noise, chord, noise, *speech[:72_000].reshape(3, -1)])
    features = voice_features(torch.from_numpy(sounds.astype(np.float32)))
    found = SpeakerNetwork(BUILTIN_FOLDER, "cpu", in_int8=True).embed(features)
    cosines = (found * network.embed(features)).sum(dim=1)
    assert float(cosines.min()) > 0.98
    assert float(cosines.mean()) > 0.99


@needs_int8
def test_int8_hears_a_window_the_same_in_any_company(speech: np.ndarray) -> None:
    """Nothing is scaled by what shares the batch; a byte that is rounded the other way is all."""
    in_int8 = SpeakerNetwork(BUILTIN_FOLDER, "cpu", in_int8=True)
    features = voice_features(torch.from_numpy(speech[:72_000].reshape(3, -1).copy()))
    together = in_int8.embed(features)
    for alone, row in zip(features, together, strict=True):
        assert float(in_int8.embed(alone[None])[0] @ row) > 0.999


def test_windows_lie_in_the_recording(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """Times are of the recording, the segment's number goes with them; what is too short has none."""
    first, second, click = Embedder(network, 2250).embed(
        [Spoken(7, 5_000, speech[:60_000]), Spoken(8, 9_000, speech[:8_000]), Spoken(9, 9_900, speech[:800])]
    )
    assert [(one.segment, one.start_ms, one.end_ms) for one in first] == [
        (7, 5_000, 6_500),
        (7, 7_250, 8_750),
    ]
    assert [(one.segment, one.start_ms, one.end_ms) for one in second] == [(8, 9_000, 9_500)]
    assert click == ()


def test_a_batch_changes_nothing(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """Which segments share a batch is chance; whose voice it is is not."""
    parts = [Spoken(k, 0, speech[k * 8_000 : k * 8_000 + 24_000]) for k in range(3)]
    together = Embedder(network).embed(parts)
    for part, windows in zip(parts, together, strict=True):
        assert likeness(Embedder(network).embed([part])[0][0], windows[0]) > 0.9999


def test_workers_share_the_windows_and_change_nothing(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """Nor does taking them one by one, which is what is left where memory is short."""
    parts = [Spoken(k, 0, speech[k * 2_000 : k * 2_000 + 24_000]) for k in range(18)]
    alone, shared = Embedder(network), Embedder(network, threads=3)
    wanted = [one.embedding for [one] in alone.embed(parts)]
    for windows_at_once in (0, 1):
        found = shared.embed(parts, windows_at_once)
        assert [one.segment for [one] in found] == list(range(18))
        for [one], embedding in zip(found, wanted, strict=True):
            assert cosine(decoded(one.embedding), decoded(embedding)) > 0.9999


def test_one_voice_is_like_itself_and_not_like_another(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """A voice half as high again is somebody else; the same one, seconds later, is not."""
    higher = np.interp(np.arange(0, 40_000, 1.45), np.arange(48_000), speech[:48_000]).astype(np.float32)
    mine, later, other = (
        windows[0]
        for windows in Embedder(network).embed(
            [
                Spoken(0, 0, speech[:24_000]),
                Spoken(1, 0, speech[60_000:84_000]),
                Spoken(2, 0, higher[:24_000]),
            ]
        )
    )
    assert likeness(mine, later) > likeness(mine, other) + 0.1


def test_windows_follow_where_voices_differ(network: SpeakerNetwork) -> None:
    """On a processor few windows do while one person talks; near where another begins there are more."""
    mine = voice("lecture.wav", seconds=12.0, begin=1.0)
    higher = np.interp(np.arange(0, 96_000, 1.45), np.arange(len(mine)), mine).astype(np.float32)
    both = np.concatenate([mine[:96_000], higher])[: len(mine)]
    mine = mine[: len(both)]
    alone, together = Embedder(network).embed([Spoken(0, 600_000, mine), Spoken(1, 600_000, both)])
    assert len(alone) <= 5
    assert len(together) > len(alone)
    starts = [one.start_ms - 600_000 for one in together]
    assert starts == sorted(set(starts))
    assert any(4_000 <= start <= 6_000 and start % 3_000 for start in starts), "the change is at 6 s"


@needs_int8
def test_a_recordings_beginning_is_heard_densely_in_int8(network: SpeakerNetwork, speech: np.ndarray) -> None:
    """It may be all there is: by its place alone, so that it does not matter in which order segments come."""
    both = [Spoken(1, 31_000, speech[:72_000]), Spoken(0, 29_000, speech[:72_000])]
    late, early = Embedder(SpeakerNetwork(BUILTIN_FOLDER, "cpu", in_int8=True)).embed(both)
    assert [one.start_ms for one in early] == [29_000, 29_750, 30_500, 31_250, 32_000]
    assert len(late) < len(early)
    late, early = Embedder(network).embed(both)  # in float32 a window costs twice as much
    assert len(late) == len(early)


def test_sound_without_a_voice_harms_nothing(network: SpeakerNetwork) -> None:
    """Digital silence, music, noise: windows that can be compared, or none."""
    at = np.arange(48_000) / 16_000
    chord = sum(np.sin(2 * np.pi * hz * at) for hz in (220, 277, 330)).astype(np.float32) / 4
    noise = np.random.default_rng(1).normal(0, 0.05, 48_000).astype(np.float32)
    silence = np.zeros(48_000, np.float32)
    found = Embedder(network).embed([Spoken(k, 0, one) for k, one in enumerate((silence, chord, noise))])
    for windows in found:
        for window in windows:
            assert np.isfinite(np.frombuffer(window.embedding, "<f2")).all()


def test_the_packaged_model_is_what_its_manifest_says() -> None:
    """After a change: `asr-daemon models adopt --force asr_daemon/models/campplus-zh-en/`."""
    manifest = read_manifest(BUILTIN_FOLDER)
    assert manifest is not None
    assert list(faults(BUILTIN_FOLDER, manifest)) == []
    assert "Apache License" in (BUILTIN_FOLDER / "LICENSE").read_text(encoding="utf-8")
    assert "3D-Speaker" in (BUILTIN_FOLDER / "README.md").read_text(encoding="utf-8")


def test_a_folder_that_is_no_speaker_model_is_refused(tmp_path: Path) -> None:
    """Nothing there, something else, half a file: one sentence, not a network of chance numbers."""
    with pytest.raises(ModelMissingError, match="no weights"):
        SpeakerNetwork(tmp_path, "cpu")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "model.pt")
    with pytest.raises(ModelMissingError, match=r"not CAM\+\+"):
        SpeakerNetwork(tmp_path, "cpu")
    (tmp_path / "model.pt").write_bytes((BUILTIN_FOLDER / "model.pt").read_bytes()[:100_000])
    with pytest.raises(ModelMissingError, match="refused"):
        SpeakerNetwork(tmp_path, "cpu")
