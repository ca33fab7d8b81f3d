"""silero-vad: the network in large chunks, its decision rule with state over windows.

The network comes from the silero-vad package through FunASR. Stock calls it once per 32 ms; here its
convolutions see a whole window at once and only the LSTM runs along time, which gives the same
probabilities (to 1e-5) at about eight times the speed. The rule is ``get_speech_timestamps_from_probs`` of
silero-vad 6.2 without its maximum length; a test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.gain import SILERO_AIM

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64
SPEECH_THRESHOLD = 0.5  # silero's own
SILENCE_THRESHOLD = 0.35  # silero's own: the speech threshold less 0.15
MIN_SPEECH_MS = 90  # silero's is 250: that would lose a lone "好"
PAD_MS = 200


class SileroNetwork:
    """The weights, shared by all recordings; used by one thread."""

    def __init__(self, scripted: Any) -> None:
        """``scripted`` is the TorchScript model of the silero-vad package."""
        core = scripted._model  # noqa: SLF001 (the 16 kHz half of the package's model)
        cell = core.decoder.rnn
        self._core = core
        self._lstm = torch.nn.LSTM(cell.weight_ih.shape[1], cell.weight_hh.shape[1]).eval()
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(self._lstm, f"{name}_l0").copy_(getattr(cell, name))

    def begin(self) -> SileroState:
        """Return the state at the start of a recording."""
        width = self._lstm.hidden_size
        return SileroState(torch.zeros(CONTEXT_SAMPLES), torch.zeros(1, 1, width), torch.zeros(1, 1, width))

    @torch.inference_mode()
    def probabilities(self, samples: NDArray[np.float32], state: SileroState) -> NDArray[np.float32]:
        """Return the speech probability of each 32 ms frame; ``samples`` is a whole number of frames."""
        audio = torch.cat([state.context, torch.from_numpy(samples)])
        frames = audio.unfold(0, CONTEXT_SAMPLES + FRAME_SAMPLES, FRAME_SAMPLES)
        features = self._core.encoder(self._core.run_extractors(frames)).squeeze(-1)
        hidden, (state.hidden, state.cell) = self._lstm(features.unsqueeze(1), (state.hidden, state.cell))
        state.context = audio[-CONTEXT_SAMPLES:]
        found: NDArray[np.float32] = (
            self._core.decoder.decoder(hidden.squeeze(1).unsqueeze(-1)).flatten().numpy()
        )
        return found


class SileroState:
    """What the network carries from one window to the next."""

    def __init__(self, context: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor) -> None:
        self.context = context
        self.hidden = hidden
        self.cell = cell


class SileroRule:
    """Probabilities in, (start, end) of speech in samples out."""

    def __init__(self, max_end_silence_ms: int, min_speech_ms: int = MIN_SPEECH_MS) -> None:
        self.position_samples = 0
        self.start_samples: int | None = None
        self._min_silence_samples = max_end_silence_ms * SAMPLE_RATE_HZ // 1000
        self._min_speech_samples = min_speech_ms * SAMPLE_RATE_HZ // 1000
        self.pause_samples: int | None = None  # where the silence began that may end the stretch

    def feed(self, probabilities: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Take the next frames; return the stretches that ended in them."""
        ended: list[tuple[int, int]] = []
        for probability in probabilities.tolist():
            at = self.position_samples
            self.position_samples += FRAME_SAMPLES
            if probability >= SPEECH_THRESHOLD:
                self.pause_samples = None
                if self.start_samples is None:
                    self.start_samples = at
            elif probability < SILENCE_THRESHOLD and self.start_samples is not None:
                if self.pause_samples is None:
                    self.pause_samples = at
                if at - self.pause_samples >= self._min_silence_samples:
                    ended += self._end(self.pause_samples)
        return ended

    def finish(self, length_samples: int) -> list[tuple[int, int]]:
        """Return the stretch that the recording's end cut off, if any."""
        if self.start_samples is None:
            return []
        return self._end(length_samples if self.pause_samples is None else self.pause_samples)

    def _end(self, end: int) -> list[tuple[int, int]]:
        start, self.start_samples, self.pause_samples = self.start_samples, None, None
        assert start is not None  # noqa: S101 (callers look first)
        return [(start, end)] if end - start > self._min_speech_samples else []


class SileroDetector:
    """One recording's detector (see :class:`~asr_daemon.recogniser.segmenter.detector.Detector`)."""

    aim = SILERO_AIM
    bank = None  # it hears samples

    def __init__(self, network: SileroNetwork, max_end_silence_ms: int) -> None:
        self._network = network
        self._state = network.begin()
        self._rule = SileroRule(max_end_silence_ms)
        self._rest = np.empty(0, np.float32)  # less than a frame, waiting for the next window
        self._length_samples = 0
        self.pad_before_samples = PAD_MS * SAMPLE_RATE_HZ // 1000
        self.pad_after_samples = min(PAD_MS, max_end_silence_ms // 2) * SAMPLE_RATE_HZ // 1000

    @property
    def open_start_samples(self) -> int | None:
        """Start of the speech that goes on."""
        return self._rule.start_samples

    @property
    def open_end_samples(self) -> int:
        """The speech that goes on reaches at least to here."""
        pause = self._rule.pause_samples
        return self._rule.position_samples if pause is None else pause

    @property
    def settled_samples(self) -> int:
        """Nothing later starts before this."""
        return self._rule.position_samples if self._rule.start_samples is None else self._rule.start_samples

    def feed(self, window: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Take ``float32 [n_samples], 16 kHz``; return the speech that ended."""
        self._length_samples += len(window)
        samples = np.concatenate([self._rest, window])
        whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = samples[whole:]
        if not whole:
            return []
        return self._rule.feed(self._network.probabilities(samples[:whole], self._state))

    def finish(self) -> list[tuple[int, int]]:
        """Return the rest."""
        ended: list[tuple[int, int]] = []
        if len(self._rest):
            padded = np.pad(self._rest, (0, FRAME_SAMPLES - len(self._rest)))
            ended = self._rule.feed(self._network.probabilities(padded, self._state))
        return ended + self._rule.finish(self._length_samples)
