"""Fun-ASR-Nano: an audio encoder in front of a language model; hotwords in its prompt, its own punctuation.

FunASR prepares each segment by itself (``inference_prepare``: encoder, adaptor, prompt), so that no padding
reaches it; the language model then writes for all segments of the batch at once. FunASR's own loop would
write one by one wherever the CTC head for times is there, and up to 512 tokens however short the segment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

from asr_daemon.errors import ModelMissingError
from asr_daemon.recogniser.families import ctc, funasr_model
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.families.front_end import FrontEnd, Prepared
from asr_daemon.recogniser.families.precision import FLOAT32
from asr_daemon.recogniser.families.words import timed
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.families.precision import Precision

# The prompt says "write it down in ..." in Chinese; without a language the model finds it out itself. Its
# Chinese includes Cantonese. Korean is known to the multilingual checkpoint alone.
_LANGUAGES = {"zh": "中文", "yue": "中文", "en": "英文", "ja": "日文", "ko": "韩文"}
_LEAST_TOKENS = 16
_TOKENS_PER_S = 12  # twice fast speech: what is longer is invented
_MARKUP = re.compile(r"<\||\|>|[\r\n]")  # what would leave the prompt's list of hotwords
_WORD = re.compile(r"[^\W_\u2e80-\U0010ffff]+(?:['’][^\W_\u2e80-\U0010ffff]+)*|[\uac00-\ud7a3]+|\S")


class FunAsrNano:
    """See :class:`~asr_daemon.recogniser.families.family.Family`."""

    def __init__(
        self,
        folder: Path,
        device: str,
        threads: int,
        precision: Precision = FLOAT32,
        note: Note | None = None,
    ) -> None:
        self._precision = precision
        self._loaded = funasr_model.load(str(folder), device, threads, **_own_files(folder))
        self._model = self._loaded.model
        self._model.llm.to(precision.half or torch.float32)
        self._tokenizer = self._loaded.kwargs["tokenizer"]
        frontend = self._loaded.kwargs["frontend"]
        self._front_end = FrontEnd(frontend)
        self._step_ms = frontend.frame_shift * frontend.lfr_n
        if self._model.ctc_decoder is None and note is not None:
            note("info", "token_times_missing", {"reason": "the model's weights hold no CTC head"})

    @property
    def device(self) -> str:
        """The device really used."""
        return str(self._loaded.kwargs["device"])

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input:
        """Return the features of one segment."""
        return Input(self._front_end.prepare(samples, bank), len(samples))

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return the hotwords that would not stay within the prompt's list."""
        return tuple(word for word in request.hotwords if _MARKUP.search(word))

    @torch.inference_mode()
    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise one batch."""
        prepared = [self._prepare(segment, request) for segment in segments]
        most = [_most_tokens(segment.length_samples) for segment in segments]
        written = self._write([embeddings for embeddings, _ in prepared], most)
        spoken = []
        for segment, (_, heard), (text, is_whole) in zip(segments, prepared, written, strict=True):
            length_ms = segment.length_samples * 1000 // SAMPLE_RATE_HZ
            words = _WORD.findall(text)
            times = self._times(text, heard)
            tokens = timed(words, times, length_ms) if times else ()
            flags = (*(() if text else ("empty",)), *(() if is_whole else ("cut_off",)))
            spoken.append(Spoken(text, tokens, flags))
        return spoken

    def _prepare(self, segment: Input, request: Request) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the prompt with the segment's sound in it, [1, n, width], and what the encoder heard."""
        words = [word for word in request.hotwords if not _MARKUP.search(word)]
        prompt = self._model.get_prompt(words, _LANGUAGES.get(request.language), request.itn)
        settings = {**self._loaded.kwargs, "key": ["0"]}
        settings["frontend"] = Prepared(settings["frontend"], [segment.features])
        nothing = torch.zeros(1)  # in place of samples, which are no longer needed
        embeddings, _, _, _, heard = self._model.inference_prepare(
            [self._model.generate_chatml(prompt, nothing)], **settings
        )
        return embeddings, heard

    def _write(self, prompts: Sequence[torch.Tensor], most: Sequence[int]) -> list[tuple[str, bool]]:
        """Return what the language model writes for each prompt, and whether it came to its end."""
        llm = self._model.llm
        longest = max(prompt.shape[1] for prompt in prompts)
        padded = prompts[0].new_zeros(len(prompts), longest, prompts[0].shape[2], dtype=llm.dtype)
        mask = torch.zeros(len(prompts), longest, dtype=torch.long, device=padded.device)
        for row, prompt in enumerate(prompts):  # what is written next stands right behind the prompt
            padded[row, longest - prompt.shape[1] :] = prompt[0]
            mask[row, longest - prompt.shape[1] :] = 1
        ends = _numbers(llm.generation_config.eos_token_id)
        pad = llm.generation_config.pad_token_id
        with self._precision():
            numbers = llm.generate(
                inputs_embeds=padded,
                attention_mask=mask,
                **{
                    **self._loaded.kwargs.get("llm_kwargs", {}),
                    "max_new_tokens": max(most),
                    "do_sample": False,
                    "num_beams": 1,
                    "pad_token_id": pad if pad is not None else next(iter(ends), 0),
                },
            ).tolist()
        written = []
        for row, bound in zip(numbers, most, strict=True):
            end = next((place for place, number in enumerate(row) if number in ends), len(row))
            text = self._tokenizer.decode(row[: min(end, bound)], skip_special_tokens=True)
            written.append((_clean(text), end < min(len(row), bound)))
        return written

    def _times(self, text: str, heard: dict[str, Any]) -> list[tuple[int, int]]:
        """Return when each word of the text was spoken, in milliseconds; none without a CTC head."""
        model = self._model
        if model.ctc_decoder is None or not text:
            return []
        decoded, steps = model.ctc_decoder(heard["encoder_out"], heard["encoder_out_lens"])
        scores = model.ctc.log_softmax(decoded)[0, : int(steps[0])]
        numbers = model.ctc_tokenizer.encode(text)
        found = ctc.align(scores, numbers, model.blank_id)
        if not found:
            return []
        spoken: list[tuple[int, int]] = []  # of each character
        for count, run in enumerate(found, 1):
            reach = min(len(model.ctc_tokenizer.decode(numbers[:count])), len(text))
            first, end = run.first * self._step_ms, run.end * self._step_ms
            if reach == len(spoken):  # a part of the character before
                spoken[-1:] = [(spoken[-1][0], end)] if spoken else []
            spoken += [(first, end)] * (reach - len(spoken))
        spoken += spoken[-1:] * (len(text) - len(spoken))
        return [(spoken[match.start()][0], spoken[match.end() - 1][1]) for match in _WORD.finditer(text)]


def _clean(text: str) -> str:
    """Return the text on one line, without the model's word for silence and characters that broke off."""
    text = " ".join(text.replace("/sil", " ").split())
    return "".join(char for char in text if char.isprintable() and char != "\ufffd")


def _most_tokens(length_samples: int) -> int:
    return _LEAST_TOKENS + _TOKENS_PER_S * length_samples // SAMPLE_RATE_HZ


def _numbers(value: int | list[int] | None) -> frozenset[int]:
    return frozenset(value if isinstance(value, list) else [] if value is None else [value])


def _own_files(folder: Path) -> dict[str, Any]:
    """Return FunASR's settings for the files within the folder: as absolute paths, it asks no hub for them.

    Raises :class:`ModelMissingError` where the language model's folder is not there.
    """
    inner = sorted(path.parent for path in folder.glob("*/tokenizer_config.json"))
    if not inner or not (inner[0] / "config.json").is_file():
        raise ModelMissingError(
            f"The model folder {folder} lacks the folder of its language model (Qwen3-0.6B, with config.json "
            "and a tokenizer): fetch the model anew, whole."
        )
    language_model = {"init_param_path": str(inner[0])}
    settings: dict[str, Any] = {"llm_conf": language_model, "tokenizer_conf": dict(language_model)}
    vocabulary = folder / "multilingual.tiktoken"
    if vocabulary.is_file():
        own = {"vocab_path": str(vocabulary)}
        settings |= {"ctc_tokenizer_conf": own, "dataset_conf": {"ctc_tokenizer_conf": dict(own)}}
    return settings
