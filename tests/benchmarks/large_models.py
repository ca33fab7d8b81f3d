"""Models of the size that people use, with random weights, in FunASR's own format: for measuring only.

Enters: a cache folder. Leaves: ``paraformer-zh-size`` (SeACo-Paraformer, the published configuration of
``iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch``) and ``sense-voice-size``
(that of ``iic/SenseVoiceSmall``), each built once. What they write is noise, but as much of it as speech has:
the predictor fires four times a second, three of four CTC steps are blank.
"""

from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING, Any

import sentencepiece
import torch
import yaml

from asr_daemon.models.catalogue import BUILTIN_FOLDER
from asr_daemon.recogniser.families import funasr_model

if TYPE_CHECKING:
    from pathlib import Path

TOKENS_PER_S = 4.0  # Mandarin, read aloud
STEPS_PER_S = 1000 / 60
BLANK_SHARE = 0.75
PARAFORMER_TOKENS = 8404
SENSE_VOICE_TOKENS = 25_055
TAGS = ("<|zh|>", "<|nospeech|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>", "<|woitn|>")
_FRONT_END = {
    "fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10,
    "lfr_m": 7, "lfr_n": 6, "dither": 0.0,
}  # fmt: skip
_ENCODER = {
    "output_size": 512, "attention_heads": 4, "linear_units": 2048, "num_blocks": 50, "dropout_rate": 0.1,
    "positional_dropout_rate": 0.1, "attention_dropout_rate": 0.1, "input_layer": "pe",
    "pos_enc_class": "SinusoidalPositionEncoder", "normalize_before": True, "kernel_size": 11,
    "sanm_shfit": 0, "selfattention_layer_type": "sanm",
}  # fmt: skip
_DECODER = {
    "attention_heads": 4, "linear_units": 2048, "num_blocks": 16, "dropout_rate": 0.1,
    "positional_dropout_rate": 0.1, "self_attention_dropout_rate": 0.1, "src_attention_dropout_rate": 0.1,
    "att_layer_num": 16, "kernel_size": 11, "sanm_shfit": 0,
}  # fmt: skip
_PARAFORMER = {
    "model": "SeacoParaformer",
    "model_conf": {
        "ctc_weight": 0.0, "lsm_weight": 0.1, "length_normalized_loss": True, "predictor_weight": 1.0,
        "predictor_bias": 1, "sampling_ratio": 0.75, "inner_dim": 512, "bias_encoder_type": "lstm",
        "bias_encoder_bid": False, "seaco_lsm_weight": 0.1, "seaco_length_normal": True,
        "train_decoder": True, "NO_BIAS": 8377,
    },
    "encoder": "SANMEncoder",
    "encoder_conf": _ENCODER,
    "decoder": "ParaformerSANMDecoder",
    "decoder_conf": _DECODER,
    "seaco_decoder": "ParaformerSANMDecoder",
    "seaco_decoder_conf": {
        **_DECODER, "linear_units": 1024, "num_blocks": 6, "att_layer_num": 6, "kernel_size": 21,
        "use_output_layer": False, "wo_input_layer": True,
    },
    "predictor": "CifPredictorV3",
    "predictor_conf": {
        "idim": 512, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45,
        "smooth_factor2": 0.25, "noise_threshold2": 0.01, "upsample_times": 3, "use_cif1_cnn": False,
        "upsample_type": "cnn_blstm",
    },
    "frontend": "WavFrontend",
    "frontend_conf": _FRONT_END,
    "tokenizer": "CharTokenizer",
    "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
}  # fmt: skip
_SENSE_VOICE = {
    "model": "SenseVoiceSmall",
    "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
    "encoder": "SenseVoiceEncoderSmall",
    "encoder_conf": {**_ENCODER, "tp_blocks": 20},
    "frontend": "WavFrontend",
    "frontend_conf": _FRONT_END,
    "tokenizer": "SentencepiecesTokenizer",
    "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
}


def paraformer(cache: Path) -> Path:
    """Return the folder of the large SeACo-Paraformer (220 million numbers), built if need be."""
    folder = cache / "paraformer-zh-size"
    if (folder / "model.pt").exists():
        return folder
    tokens = ["<blank>", "<s>", "</s>", *(chr(0x4E00 + n) for n in range(PARAFORMER_TOKENS - 4)), "<unk>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokens.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
    _describe(folder, _PARAFORMER, {"tokenizer_conf": {"token_list": "tokens.json"}})
    model = _random(folder)
    rate = TOKENS_PER_S / STEPS_PER_S
    with torch.no_grad():
        model.predictor.cif_output.weight.mul_(0.1)
        model.predictor.cif_output.bias.fill_(math.log(rate / (1 - rate)))
    torch.save(model.state_dict(), folder / "model.pt")
    return folder


def sense_voice(cache: Path) -> Path:
    """Return the folder of a model of SenseVoiceSmall's size (234 million numbers), built if need be."""
    folder = cache / "sense-voice-size"
    if (folder / "model.pt").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(0x4E00 + n) for n in range(20_000)] + [chr(0xAC00 + n) for n in range(8000)]
    lines = ("".join(letters[first : first + 500]) for first in range(0, len(letters), 500))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_prefix=str(folder / "bpe"), vocab_size=SENSE_VOICE_TOKENS,
        model_type="char", character_coverage=1.0, user_defined_symbols=list(TAGS), minloglevel=2,
    )  # fmt: skip
    _describe(folder, _SENSE_VOICE, {"tokenizer_conf": {"bpemodel": "bpe.model"}})
    model = _random(folder)
    with torch.inference_mode():
        hidden = model.encoder(torch.randn(1, 200, 560), torch.tensor([200]))[0]
        scores = model.ctc.ctc_lo(hidden)[0]
        lead = (scores[:, 1:].amax(1) - scores[:, 0]).quantile(BLANK_SHARE)
    with torch.no_grad():
        model.ctc.ctc_lo.bias[0] += lead
    torch.save(model.state_dict(), folder / "model.pt")
    return folder


def _describe(folder: Path, config: dict[str, Any], files: dict[str, Any]) -> None:
    shutil.copy(BUILTIN_FOLDER / "am.mvn", folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    metas = {
        "init_param": "model.pt",
        "config": "config.yaml",
        **files,
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    described = {"model": {"type": "funasr"}, "file_path_metas": metas}
    (folder / "configuration.json").write_text(json.dumps(described), encoding="utf-8")


def _random(folder: Path) -> Any:
    torch.manual_seed(0)
    return funasr_model.load(str(folder), "cpu", 2, init_param="none").model
