"""SenseVoiceSmall: five languages, numbers and punctuation by itself, no hotwords.

Encoder and CTC head are called in place of FunASR's ``inference``, which decodes its own text anew to find
the times and waits for the device once a segment; here they are those of the very tokens. The model's tags
(``<|zh|>``, ``<|NEUTRAL|>``, ``<|Speech|>``) become flags where they say something odd, and never text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from asr_daemon.recogniser.families import ctc
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.families.front_end import FrontEnd, pad_features
from asr_daemon.recogniser.families.on_processor import Processed
from asr_daemon.recogniser.families.precision import FLOAT32, full
from asr_daemon.recogniser.families.words import is_spaced, join, timed
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.precision import Precision

_ASKED_STEPS = 4  # language, event, emotion, numbers: asked for, and answered, ahead of the speech
_EVENT, _EMOTION = 1, 2
_WORD_START = "\u2581"  # sentencepiece's
_ODD_SOUNDS = {"BGM": "music", "Applause": "applause", "Laughter": "laughter"}
_NO_SPEECH = "nospeech"


class SenseVoice(Processed):
    """See :class:`~asr_daemon.recogniser.families.family.Exchangeable`."""

    def __init__(self, folder: Path, device: str, threads: int, precision: Precision = FLOAT32) -> None:
        super().__init__(folder, device, threads, precision)
        self._pieces = self.loaded.kwargs["tokenizer"].sp
        frontend = self.loaded.kwargs["frontend"]
        self._front_end = FrontEnd(frontend)
        self._step_ms = int(frontend.frame_shift * frontend.lfr_n)

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input:
        """Return the features of one segment."""
        return Input(self._front_end.prepare(samples, bank), len(samples))

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise one batch."""
        heard = self._hear([segment.features for segment in segments], request)
        return [
            self._spoken(best, request.language, segment.length_samples * 1000 // SAMPLE_RATE_HZ)
            for best, segment in zip(heard, segments, strict=True)
        ]

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:  # noqa: ARG002
        """Return none: it is given none."""
        return ()

    @torch.inference_mode()
    def _hear(self, features: Sequence[torch.Tensor], request: Request) -> list[list[int]]:
        """Return the best token at each step of each segment."""
        model = self.network
        language = model.lid_dict.get(request.language, model.lid_dict["auto"])
        numbers = model.textnorm_dict["withitn" if request.itn else "woitn"]
        asked = model.embed(torch.tensor([[language, _EVENT, _EMOTION, numbers]], device=self.device))
        speech, lengths = pad_features(features, self.device)
        speech = torch.cat([asked.expand(len(speech), -1, -1), speech], dim=1)
        with self.precision():
            encoded, steps = model.encoder(speech, lengths + _ASKED_STEPS)
        with full(encoded):  # in half, tokens of like scores tie
            best = model.ctc.argmax(encoded.float())
        return [row[:count] for row, count in zip(best.tolist(), steps.tolist(), strict=True)]

    def _spoken(self, best: Sequence[int], language: str, length_ms: int) -> Spoken:
        tags: list[str] = []
        tokens: list[ctc.Run] = []
        for run in ctc.runs(best, self.network.blank_id):
            piece = self._pieces.IdToPiece(run.token)
            if piece.startswith("<|") and piece.endswith("|>"):
                tags.append(piece[2:-2])
            elif not (self._pieces.IsControl(run.token) or self._pieces.IsUnknown(run.token)):
                tokens.append(run)
        words, times = [], []
        for group in self._words(tokens):
            word = self._pieces.DecodeIds([run.token for run in group]).strip()
            if word:
                words.append(word)
                times.append((self._ms(group[0].first), self._ms(group[-1].end)))
        flags = (*(() if words else ("empty",)), *self._flags(tags, language))
        return Spoken(join(words), timed(words, times, length_ms), flags)

    def _words(self, tokens: Sequence[ctc.Run]) -> list[list[ctc.Run]]:
        """Return the tokens of each word; of scripts without spaces, each token is one."""
        groups: list[list[ctc.Run]] = []
        may_go_on = False
        for run in tokens:
            piece = self._pieces.IdToPiece(run.token)
            is_byte = self._pieces.IsByte(run.token)
            text = piece.removeprefix(_WORD_START)
            is_in_word = is_byte or not text or (is_spaced(text[0]) and is_spaced(text[-1]))
            if may_go_on and is_in_word and not piece.startswith(_WORD_START):
                groups[-1].append(run)
            else:
                groups.append([run])
            may_go_on = is_in_word
        return groups

    def _ms(self, step: int) -> int:
        """Return a step's time as FunASR reckons it: half a step early, for the frames overlap."""
        return max(0, (step - _ASKED_STEPS) * self._step_ms - self._step_ms // 2)

    def _flags(self, tags: Sequence[str], asked: str) -> tuple[str, ...]:
        """Return what the tags say that is out of the ordinary."""
        found = [_ODD_SOUNDS[tag] for tag in tags if tag in _ODD_SOUNDS]
        languages = self.network.lid_dict.keys() - {asked, _NO_SPEECH}
        found += [f"language_{tag}" for tag in tags if tag in languages]
        found += ["heard_no_speech"] * (_NO_SPEECH in tags)
        return tuple(dict.fromkeys(found))
