"""The model's folder in FunASR's format, all but its weights: shape, tokens, feature statistics.

The configuration is that of SeACo-Paraformer, as ``paraformer-zh`` has it, at another size.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from recipe.features import FRONT_END, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from recipe.shards import Shard

BLANK, START, END, NO_BIAS, UNKNOWN = "<blank>", "<s>", "</s>", "<nobias>", "<unk>"
_STEPS_COUNTED = 200_000  # for the statistics: three hours
_ATTENTION = {
    "attention_heads": 4,
    "dropout_rate": 0.1,
    "positional_dropout_rate": 0.1,
    "kernel_size": 11,
    "sanm_shfit": 0,  # FunASR's spelling
}
_DECODER = {**_ATTENTION, "self_attention_dropout_rate": 0.1, "src_attention_dropout_rate": 0.1}


@dataclass(frozen=True)
class ModelShape:
    """What decides the size. FunASR's own filter for long lists needs six blocks in the SeACo decoder."""

    width: int = 192
    encoder_blocks: int = 8
    decoder_blocks: int = 3
    hotword_blocks: int = 6


def write_model_folder(folder: Path, shape: ModelShape, texts: Iterable[str], features: Shard) -> None:
    """Write the folder; its tokens are the characters of ``texts``, its statistics those of ``features``."""
    folder.mkdir(parents=True, exist_ok=True)
    characters = sorted(set("".join(texts)))
    tokens = [BLANK, START, END, *characters, NO_BIAS, UNKNOWN]
    _write(folder / "tokens.json", json.dumps(tokens, ensure_ascii=False, indent=0))
    _write(folder / "seg_dict", "".join(f"{character} {character}\n" for character in characters))
    configuration = _configuration(shape, tokens.index(NO_BIAS))
    _write(folder / "config.yaml", yaml.safe_dump(configuration, allow_unicode=True, sort_keys=False))
    _write(folder / "configuration.json", json.dumps(_hub_entry(), indent=1))
    _write(folder / "am.mvn", _statistics(features.values))


def read_tokens(folder: Path) -> dict[str, int]:
    """Return the number of each token."""
    tokens = json.loads((folder / "tokens.json").read_text(encoding="utf-8"))
    return {token: number for number, token in enumerate(tokens)}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _configuration(shape: ModelShape, no_bias: int) -> dict[str, Any]:
    linear = 4 * shape.width
    return {
        "model": "SeacoParaformer",
        "model_conf": {
            "ctc_weight": 0.3,
            "lsm_weight": 0.1,
            "length_normalized_loss": True,
            "predictor_weight": 1.0,
            "predictor_bias": 1,
            "sampling_ratio": 0.75,
            "inner_dim": shape.width,
            "bias_encoder_type": "lstm",
            "bias_encoder_bid": False,
            "seaco_lsm_weight": 0.1,
            "seaco_length_normalized_loss": True,
            "train_decoder": False,
            "NO_BIAS": no_bias,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": {
            **_ATTENTION,
            "output_size": shape.width,
            "linear_units": linear,
            "num_blocks": shape.encoder_blocks,
            "attention_dropout_rate": 0.1,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "normalize_before": True,
            "selfattention_layer_type": "sanm",
        },
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": {
            **_DECODER,
            "linear_units": linear,
            "num_blocks": shape.decoder_blocks,
            "att_layer_num": shape.decoder_blocks,
        },
        "seaco_decoder": "ParaformerSANMDecoder",
        "seaco_decoder_conf": {
            **_DECODER,
            "linear_units": linear // 2,
            "num_blocks": shape.hotword_blocks,
            "att_layer_num": shape.hotword_blocks,
            "use_output_layer": False,
            "wo_input_layer": True,
        },
        "predictor": "CifPredictorV3",
        "predictor_conf": {
            "idim": shape.width,
            "threshold": 1.0,
            "l_order": 1,
            "r_order": 1,
            "tail_threshold": 0.45,
            "smooth_factor2": 0.25,
            "noise_threshold2": 0.01,
            "upsample_times": 3,
            "use_cif1_cnn": False,
            "upsample_type": "cnn_blstm",
        },
        "frontend": "WavFrontend",
        "frontend_conf": FRONT_END,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": UNKNOWN, "split_with_space": True},
    }


def _hub_entry() -> dict[str, Any]:
    return {
        "framework": "pytorch",
        "task": "auto-speech-recognition",
        "model": {"type": "funasr"},
        "pipeline": {"type": "funasr-pipeline"},
        "file_path_metas": {
            "init_param": "model.pt",
            "config": "config.yaml",
            "tokenizer_conf": {"token_list": "tokens.json"},
            "frontend_conf": {"cmvn_file": "am.mvn"},
        },
    }


def _statistics(steps: NDArray[np.float16]) -> str:
    """Return Kaldi's text of what is added to, then multiplied with, each of WIDTH features."""
    exact = steps[:: 1 + len(steps) // _STEPS_COUNTED].astype(np.float32)
    shift, scale = -exact.mean(0), 1 / exact.std(0)
    rows = (" ".join(f"{value:.6f}" for value in row) for row in (shift, scale))
    kinds = ("AddShift", "Rescale")
    parts = (
        f"<{kind}> {WIDTH} {WIDTH}\n<LearnRateCoef> 0 [ {row} ]\n"
        for kind, row in zip(kinds, rows, strict=True)
    )
    return f"<Nnet>\n<Splice> {WIDTH} {WIDTH}\n[ 0 ]\n{''.join(parts)}</Nnet>\n"
