"""ct-punc's wiring, with a tiny model of its class built through FunASR's own configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from funasr.models.ct_transformer.model import CTTransformer

from asr_daemon.recogniser.punctuation import CtPunctuator

if TYPE_CHECKING:
    from pathlib import Path

PUNCTUATION = ["<unk>", "_", "，", "。", "？", "、"]
WORDS = ["<unk>", *"今天开会讨论预算一二三", "hello", "world"]
ENCODER = {
    "input_size": 16, "output_size": 16, "attention_heads": 2, "linear_units": 16, "num_blocks": 1,
    "dropout_rate": 0.0, "input_layer": "pe", "pos_enc_class": "SinusoidalPositionEncoder",
    "kernel_size": 3, "sanm_shfit": 0, "selfattention_layer_type": "sanm",
}  # fmt: skip


@pytest.fixture(scope="module")
def punctuator(tmp_path_factory: pytest.TempPathFactory) -> CtPunctuator:
    """A model that puts a comma behind everything: what matters here is where it lands."""
    folder: Path = tmp_path_factory.mktemp("ct-punc")
    conf = {"punc_list": PUNCTUATION, "embed_unit": 16, "att_unit": 16, "dropout_rate": 0.0}
    (folder / "config.yaml").write_text(
        json.dumps(
            {
                "model": "CTTransformer",
                "model_conf": conf,
                "encoder": "SANMEncoder",
                "encoder_conf": ENCODER,
                "tokenizer": "CharTokenizer",
                "tokenizer_conf": {"unk_symbol": "<unk>"},
            }
        )
    )
    metas = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"token_list": "tokens.json"},
    }
    (folder / "configuration.json").write_text(
        json.dumps({"model": {"type": "funasr"}, "file_path_metas": metas})
    )
    (folder / "tokens.json").write_text(json.dumps(WORDS))
    model = CTTransformer(encoder="SANMEncoder", encoder_conf=ENCODER, vocab_size=len(WORDS), **conf)
    with torch.no_grad():
        model.decoder.weight.zero_()
        model.decoder.bias.copy_(torch.tensor([0.0, 0.0, 5.0, 0.0, 0.0, 0.0]))
    torch.save(model.state_dict(), folder / "model.pt")
    return CtPunctuator(folder, threads=1)


def test_marks_stand_behind_their_words(punctuator: CtPunctuator) -> None:
    """One mark behind every character, a full stop at the end."""
    assert punctuator.marks("今天开会") == [(1, "，"), (2, "，"), (3, "，"), (4, "。")]


def test_words_of_other_scripts_keep_their_spaces_and_get_their_own_marks(punctuator: CtPunctuator) -> None:
    """English words are one token each; the text between is not touched."""
    marks = punctuator.marks("hello world 开会")
    assert marks == [(5, ","), (11, ","), (13, "，"), (14, "。")]


def test_long_text_is_marked_to_its_end(punctuator: CtPunctuator) -> None:
    """Beyond the model's window of twenty words, every character still has its mark."""
    text = "今天开会讨论预算一二三" * 6
    assert [offset for offset, _ in punctuator.marks(text)] == list(range(1, len(text) + 1))


def test_nothing_has_no_marks(punctuator: CtPunctuator) -> None:
    """Empty text stays empty."""
    assert punctuator.marks("") == []
