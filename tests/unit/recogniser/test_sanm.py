"""On a processor the layers are ours, the weights once in memory, and the numbers FunASR's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tiny_models import BUILDERS

from asr_daemon.models.catalogue import BUILTIN_FOLDER
from asr_daemon.recogniser.families import cif, funasr_model, sanm
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.front_end import pad_features
from asr_daemon.recogniser.families.int8 import Exchange, Int8Linear, Int8Lstm
from asr_daemon.recogniser.families.precision import ON_PROCESSOR, keep_half
from asr_daemon.recogniser.families.seaco import SeacoParaformer
from asr_daemon.recogniser.self_check import read_sample

if TYPE_CHECKING:
    from pathlib import Path

LENGTHS = torch.tensor([40, 31, 7])


def features() -> torch.Tensor:
    """Return a padded batch whose padding is no zeros."""
    return torch.randn(len(LENGTHS), int(LENGTHS.max()), 560, generator=torch.Generator().manual_seed(0))


def real(answer: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return what is no padding."""
    return torch.cat([row[:length] for row, length in zip(answer, lengths.tolist(), strict=True)])


@torch.inference_mode()
def run(model: Any) -> list[torch.Tensor]:
    """Return what encoder and decoders say of the batch, without padding."""
    encoded, steps = model.encoder(features(), LENGTHS)[:2]
    found = [real(encoded, steps)]
    if hasattr(model, "decoder"):
        acoustic, counts = model.calc_predictor(encoded, steps)[:2]
        counts = counts.round().long()
        scores, hidden, _ = model.decoder(
            encoded, steps, acoustic, counts, return_hidden=True, return_both=True
        )
        found += [real(scores, counts), real(hidden, counts)]
    if hasattr(model, "seaco_decoder"):
        words = torch.randn(len(LENGTHS), 5, encoded.shape[2], generator=torch.Generator().manual_seed(1))
        finer = model.calc_predictor_timestamp(encoded, steps, counts)[2]
        found.append(real(finer, steps * 3))
        found.append(real(model.seaco_decoder(words, torch.full((3,), 5), acoustic, counts)[0], counts))
    return found


@pytest.mark.parametrize("name", ["builtin", "paraformer", "sense_voice"])
def test_layers_say_what_funasr_s_say(name: str, tmp_path: Path) -> None:
    """In a batch with padding, within float32 rounding."""
    folder = BUILTIN_FOLDER if name == "builtin" else BUILDERS[name](tmp_path / name)
    model = funasr_model.load(str(folder), "cpu", 1).model
    if hasattr(model, "predictor"):
        cif.install(model.predictor)
    before = run(model)
    done = sanm.install(model)
    expected = {"builtin": ("encoder", "decoder", "seaco_decoder"), "paraformer": ("encoder", "decoder")}
    assert done == expected.get(name, ("encoder",))
    for stock, ours in zip(before, run(model), strict=True):
        torch.testing.assert_close(ours, stock, rtol=2e-4, atol=2e-5)


def test_layers_of_another_kind_are_left_alone() -> None:
    """Post-normalised ones, for instance: nobody publishes them."""
    model = funasr_model.load(str(BUILTIN_FOLDER), "cpu", 1).model
    model.encoder.encoders[0].normalize_before = False
    model.decoder.decoders[0].concat_after = True
    assert sanm.install(model) == ("seaco_decoder",)


@pytest.mark.parametrize("mapped", [False, True])
def test_lean_load_has_every_number(mapped: bool) -> None:
    """Whether the file is read or mapped."""
    usual = funasr_model.load(str(BUILTIN_FOLDER), "cpu", 1).model.state_dict()
    lean = funasr_model.load_lean(str(BUILTIN_FOLDER), "cpu", 1, mapped=mapped).model.state_dict()
    assert list(lean) == list(usual)
    assert all(torch.equal(tensor, usual[name]) for name, tensor in lean.items())


def test_checkpoint_of_other_names_is_loaded_funasr_s_way(tmp_path: Path) -> None:
    """A part that it lacks has numbers as FunASR draws them, not whatever lay in memory."""
    folder = BUILDERS["paraformer"](tmp_path / "model")
    state = torch.load(folder / "model.pt", weights_only=True)
    del state["decoder.after_norm.weight"]
    torch.save(state, folder / "model.pt")
    model = funasr_model.load_lean(str(folder), "cpu", 1).model
    assert torch.equal(model.decoder.after_norm.weight, torch.ones(32))
    assert torch.equal(model.encoder.after_norm.weight, state["encoder.after_norm.weight"])


def test_int8_layer_is_near_and_leaves_its_input_alone() -> None:
    """Inputs of every sign and size, rows of one and of many; all zeros stay the bias."""
    linear = torch.nn.Linear(64, 48)
    layer = Int8Linear(linear)
    for x in (torch.randn(1, 64), torch.randn(3, 20, 64) * 30, torch.rand(5, 64) + 4, -torch.rand(2, 64)):
        before = x.clone()
        with torch.inference_mode():
            expected, found = linear(x), layer(x)
        assert torch.equal(x, before)
        assert (found - expected).norm() / expected.norm() < 0.02
    with torch.inference_mode():
        torch.testing.assert_close(layer(torch.zeros(2, 64)), linear.bias.expand(2, -1))


def test_int8_layer_of_inputs_not_below_zero_is_nearer() -> None:
    """Behind a ReLU all 255 levels are for what is there."""
    linear = torch.nn.Linear(64, 48)
    x = torch.randn(20, 64, generator=torch.Generator().manual_seed(0)).relu_()
    with torch.inference_mode():
        expected = linear(x)
        far, near = (
            (layer(x) - expected).norm() for layer in (Int8Linear(linear), Int8Linear(linear, rectified=True))
        )
        assert near < 0.8 * far
        torch.testing.assert_close(
            Int8Linear(linear, rectified=True)(torch.zeros(2, 64)), linear.bias.expand(2, -1)
        )


def test_int8_layer_reads_a_row_the_same_in_any_company() -> None:
    """To the last bit, beside one that is a thousand times as large."""
    layer = Int8Linear(torch.nn.Linear(64, 48))
    quiet = torch.randn(7, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        alone, beside = layer(quiet), layer(torch.cat([quiet, quiet * 1000]))[:7]
    assert torch.equal(alone, beside)


def test_int8_segment_is_the_same_in_any_company() -> None:
    """Speech says what it says alone, word by word and time by time, and the encoder hears it as alone."""
    family = SeacoParaformer(BUILTIN_FOLDER, "cpu", 1, ON_PROCESSOR["int8"])
    speech = [family.prepare(piece.copy()) for piece in np.array_split(read_sample(), 6)]
    noise = np.random.default_rng(0).uniform(-1, 1, 60_000).astype(np.float32)
    alone = [family.transcribe([one], Request())[0] for one in speech]
    everybody = [*speech, family.prepare(noise), family.prepare(noise * 0)]
    assert family.transcribe(everybody, Request())[:6] == alone
    assert all(one.text for one in alone)
    with torch.inference_mode():
        heard = family.network.encoder(*pad_features([speech[0].features], "cpu"))[0][0]
        among = family.network.encoder(*pad_features([one.features for one in everybody], "cpu"))[0][0]
    assert (among[: len(heard)] - heard).norm() < 0.004 * heard.norm()


def test_int8_lstm_is_near() -> None:
    """Over many steps, for its errors could add up."""
    lstm = torch.nn.LSTM(32, 32, batch_first=True)
    layer = Int8Lstm(lstm)
    x = torch.randn(3, 200, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = lstm(x)[0], layer(x)[0]
    assert found.shape == expected.shape
    assert (found - expected).norm() / expected.norm() < 0.03


def test_float32_comes_back_to_the_number() -> None:
    """A precision that was only tried leaves nothing behind."""
    family = SeacoParaformer(BUILTIN_FOLDER, "cpu", 1)
    before = run(family.network)
    family.compute_in(ON_PROCESSOR["int8"])
    assert not torch.equal(run(family.network)[0], before[0])
    family.compute_in(ON_PROCESSOR["float32"])
    assert all(torch.equal(*both) for both in zip(run(family.network), before, strict=True))


def test_exchange_holds_no_float_weights_that_nobody_wants() -> None:
    """What int8 is for, beside speed: a quarter of the memory."""
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Sequential(torch.nn.Linear(8, 8)))
    Exchange([model]).to_int8(keep=False)
    assert not list(model.parameters())


@pytest.mark.parametrize("name", ["builtin", "sense_voice"])
def test_weights_that_are_kept_half_say_what_autocast_says(name: str, tmp_path: Path) -> None:
    """To the number: as on a card, where FunASR's own layers are left."""
    folder = BUILTIN_FOLDER if name == "builtin" else BUILDERS[name](tmp_path / name)
    model = funasr_model.load(str(folder), "cpu", 1).model
    if hasattr(model, "predictor"):
        cif.install(model.predictor)
    with ON_PROCESSOR["bfloat16"]():
        before = run(model)
    parts = [part for name in ("encoder", "decoder", "seaco_decoder") if (part := getattr(model, name, None))]
    keep_half(parts, torch.bfloat16)
    with ON_PROCESSOR["bfloat16"]():
        after = run(model)
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))
    halves = [each for part in parts for each in part.parameters() if each.dtype == torch.bfloat16]
    assert sum(each.numel() for each in halves) > 0.9 * sum(
        each.numel() for part in parts for each in part.parameters()
    )
