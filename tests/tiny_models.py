"""Model folders as FunASR reads them, of every family, tiny and with random weights: enough for the wiring.

Each builder writes ``config.yaml``, tokens, ``am.mvn`` and ``model.pt`` into a folder and returns it.
"""

from __future__ import annotations

import base64
import json
import shutil
from typing import TYPE_CHECKING, Any

import sentencepiece
import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from asr_daemon.models.catalogue import BUILTIN_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TAGS = (
    "<|zh|>",
    "<|en|>",
    "<|nospeech|>",
    "<|NEUTRAL|>",
    "<|Speech|>",
    "<|BGM|>",
    "<|withitn|>",
    "<|woitn|>",
)
SENTENCES = (
    "欢迎大家来体验语音识别模型，今天的会议到此结束。",
    "预算会议定在三月十五号，增长25.6%。",
    "please open the meeting now, thank you very much.",
    "语音转写成中文 热词列表 没有相关信息 请结合上下文信息 更加准确地完成任务",
)
CHINESE = "一二三四五六七八九十百千万的是了我们你他在有人这大来上国个到说时要就出会可也对生能而子那得于着下自"
_FRONT_END = {
    "fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10,
    "lfr_m": 7, "lfr_n": 6, "dither": 0.0,
}  # fmt: skip
_SAN = {
    "attention_heads": 4, "linear_units": 64, "dropout_rate": 0.1, "kernel_size": 11, "sanm_shfit": 0,
}  # fmt: skip
_ENCODER = {
    **_SAN, "output_size": 32, "num_blocks": 3, "positional_dropout_rate": 0.1,
    "attention_dropout_rate": 0.1, "input_layer": "pe", "pos_enc_class": "SinusoidalPositionEncoder",
    "normalize_before": True, "selfattention_layer_type": "sanm",
}  # fmt: skip


def paraformer(folder: Path, *, time_head: bool = False) -> Path:
    """Build a Paraformer, or a BiCif-Paraformer, which has a time head."""
    predictor = {"idim": 32, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    finer = {
        "smooth_factor2": 0.25, "noise_threshold2": 0.01, "upsample_times": 3, "use_cif1_cnn": False,
        "upsample_type": "cnn_blstm",
    }  # fmt: skip
    config = {
        "model": "BiCifParaformer" if time_head else "Paraformer",
        "model_conf": {"ctc_weight": 0.0, "predictor_weight": 1.0, "predictor_bias": 1},
        "encoder": "SANMEncoder",
        "encoder_conf": _ENCODER,
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": {
            **_SAN, "num_blocks": 2, "att_layer_num": 2, "positional_dropout_rate": 0.1,
            "self_attention_dropout_rate": 0.1, "src_attention_dropout_rate": 0.1,
        },
        "predictor": "CifPredictorV3" if time_head else "CifPredictorV2",
        "predictor_conf": {**predictor, **(finer if time_head else {})},
        "frontend": "WavFrontend",
        "frontend_conf": _FRONT_END,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
    }  # fmt: skip
    tokens = ["<blank>", "<s>", "</s>", *CHINESE, "hel@@", "lo", "<unk>"]
    return _complete(folder, config, {"tokenizer_conf": {"token_list": "tokens.json"}}, tokens)


def sense_voice(folder: Path) -> Path:
    """Build a SenseVoiceSmall with a sentencepiece model of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_prefix=str(folder / "bpe"), vocab_size=120,
        model_type="bpe", character_coverage=1.0, user_defined_symbols=list(TAGS), minloglevel=2,
    )  # fmt: skip
    config = {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {**_ENCODER, "tp_blocks": 1},
        "frontend": "WavFrontend",
        "frontend_conf": _FRONT_END,
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
    }
    return _complete(folder, config, {"tokenizer_conf": {"bpemodel": "bpe.model"}})


def fun_asr_nano(folder: Path, *, time_head: bool = False) -> Path:
    """Build a FunASRNano with a tiny Qwen3; without the time head's weights, as the published one."""
    _language_model(folder / "Qwen3-0.6B")
    ranks = (f"{base64.b64encode(bytes([number])).decode()} {number}\n" for number in range(256))
    (folder / "multilingual.tiktoken").write_text("".join(ranks), encoding="ascii")
    config = {
        "model": "FunASRNano",
        "model_conf": {"length_normalized_loss": True},
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_encoder_conf": {**_ENCODER, "tp_blocks": 1, "freeze": True},
        "llm": "Qwen3-0.6b",
        "llm_conf": {"hub": "hf", "freeze": True, "llm_dtype": "bf16", "init_param_path": "Qwen3-0.6B"},
        "audio_adaptor": "Transformer",
        "audio_adaptor_conf": {
            "downsample_rate": 1, "use_low_frame_rate": True, "ffn_dim": 64, "llm_dim": 32, "encoder_dim": 32,
            "n_layer": 1, "freeze": True,
        },
        "ctc_decoder": "Transformer",
        "ctc_decoder_conf": {
            "downsample_rate": 1, "ffn_dim": 64, "llm_dim": 32, "encoder_dim": 32, "n_layer": 1,
        },
        "ctc_vocab_size": 3000,
        "ctc_weight": 1.0,
        "dataset_conf": {
            "do_think": False, "sys_prompt": True, "ctc_tokenizer": "SenseVoiceTokenizer",
            "ctc_tokenizer_conf": {"vocab_path": None, "is_multilingual": True, "num_languages": 8749},
        },
        "frontend": "WavFrontend",
        "frontend_conf": {**_FRONT_END, "cmvn_file": None},
        "tokenizer": "HuggingfaceTokenizer",
        "tokenizer_conf": {"init_param_path": "Qwen3-0.6B"},
    }  # fmt: skip
    _complete(folder, config, {})
    if not time_head:
        state = torch.load(folder / "model.pt", weights_only=True)
        torch.save(
            {name: each for name, each in state.items() if not name.startswith("ctc")}, folder / "model.pt"
        )
    return folder


def _language_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",  # noqa: S106
        pad_token="<|endoftext|>",  # noqa: S106
        additional_special_tokens=["<|im_start|>"],
    )
    fast.save_pretrained(folder)
    config = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": len(fast),
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 2048, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "initializer_range": 0.3,
        "eos_token_id": fast.eos_token_id, "bos_token_id": 0,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _complete(
    folder: Path, config: dict[str, Any], files: dict[str, Any], tokens: list[str] | None = None
) -> Path:
    """Write the configuration and weights as random as FunASR makes them."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(BUILTIN_FOLDER / "am.mvn", folder)
    if tokens is not None:
        (folder / "tokens.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    metas = {
        "init_param": "model.pt", "config": "config.yaml", **files,
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }  # fmt: skip
    described = {"model": {"type": "funasr"}, "file_path_metas": metas}
    (folder / "configuration.json").write_text(json.dumps(described), encoding="utf-8")
    torch.save(_random_weights(folder), folder / "model.pt")
    return folder


def _random_weights(folder: Path) -> dict[str, torch.Tensor]:
    from asr_daemon.recogniser.families import fun_asr_nano as nano  # noqa: PLC0415 (seconds)
    from asr_daemon.recogniser.families import funasr_model  # noqa: PLC0415

    own = nano._own_files(folder) if (folder / "Qwen3-0.6B").exists() else {}
    model = funasr_model.load(str(folder), "cpu", 1, init_param="none", **own).model
    return model.state_dict()


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "paraformer": paraformer,
    "bicif": lambda folder: paraformer(folder, time_head=True),
    "sense_voice": sense_voice,
    "nano": fun_asr_nano,
    "nano_with_times": lambda folder: fun_asr_nano(folder, time_head=True),
}
