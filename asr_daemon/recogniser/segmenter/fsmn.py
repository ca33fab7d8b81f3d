"""fsmn-vad: FunASR's network in one pass per window and its decision in a few integers.

Stock (funasr 1.4.16, ``models/fsmn_vad_streaming/model.py``) runs a state machine over objects per 10 ms
frame and a depthwise convolution along the slow axis. Here the weights, read from the loaded model, run in
``[channels, time]`` layout with normalisation and stacking folded into the first layer; segments are those
of stock with ``max_end_silence_time`` given (that is, without its dynamic silence). A test holds the two
together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from asr_daemon.recogniser.features import HOP_SAMPLES, MEL_BINS, RunningFilterBank
from asr_daemon.recogniser.sound.gain import FSMN_AIM

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STACKED = 5  # frames that the first layer sees
_CONTEXT = _STACKED // 2
_BLOCK_FRAMES = 600  # at once: near what a core's cache holds, and a fifth of a window
_HOP_MS = 10


@dataclass
class FsmnState:
    """What the network carries from one window to the next."""

    features: torch.Tensor = field(default_factory=lambda: torch.empty(0, MEL_BINS))  # waiting for context
    memories: list[torch.Tensor] = field(default_factory=list)  # of each block: see _Block


class FsmnNetwork:
    """The weights of a loaded ``FsmnVADStreaming``, shared by all recordings; used by one thread."""

    def __init__(self, model: Any, frontend: Any) -> None:
        encoder = model.encoder
        self.options = model.vad_opts
        if (frontend.lfr_m, frontend.lfr_n, frontend.n_mels) != (_STACKED, 1, MEL_BINS):
            raise ValueError("this fsmn-vad stacks other features than the published one")
        shift, scale = (row.double() for row in frontend.cmvn)
        first, second = encoder.in_linear1.linear, encoder.in_linear2.linear
        with torch.no_grad():
            weight = second.weight.double() @ first.weight.double()
            bias = second.weight.double() @ first.bias.double() + second.bias.double()
            bias = bias + weight @ (shift * scale)
            self._entry = (weight * scale).float().contiguous(), _column(-bias)
            self._blocks = []
            for block in encoder.fsmn:
                self._blocks.append(_Block(block, bias))
                bias = block.affine.linear.bias.double()
            last, out = encoder.out_linear1.linear, encoder.out_linear2.linear
            weight = out.weight.double() @ last.weight.double()
            left = weight @ bias + out.weight.double() @ last.bias.double() + out.bias.double()
            self._exit = weight.float().contiguous(), _column(left)
        self._silence_pdf = int(model.vad_opts.sil_pdf_ids[0])

    def begin(self) -> FsmnState:
        """Return the state at the start of a recording."""
        return FsmnState(memories=[block.begin() for block in self._blocks])

    @torch.inference_mode()
    def silence(self, features: torch.Tensor, state: FsmnState, *, is_last: bool) -> NDArray[np.float32]:
        """Return the probability of silence of each frame that has its right context by now.

        ``features`` are log mel energies ``[n_frames, 80]``; the last frames wait for the next window.
        """
        if not len(state.features) and len(features):  # FunASR repeats the first frame before itself
            features = torch.cat([features[:1].expand(_CONTEXT, -1), features])
        seen = torch.cat([state.features, features])
        if is_last and len(seen):  # and the last one behind
            seen = torch.cat([seen, seen[-1:].expand(_CONTEXT, -1)])
        ready = len(seen) - 2 * _CONTEXT
        if ready <= 0:
            state.features = seen
            return np.empty(0, np.float32)
        state.features = seen[ready:].clone()
        found = [
            self._run(seen[low : min(low + _BLOCK_FRAMES, ready) + 2 * _CONTEXT], state.memories)
            for low in range(0, ready, _BLOCK_FRAMES)
        ]
        return torch.cat(found).numpy()

    def _run(self, seen: torch.Tensor, memories: list[torch.Tensor]) -> torch.Tensor:
        weight, least = self._entry
        stacked = seen.as_strided((len(seen) - 2 * _CONTEXT, _STACKED * MEL_BINS), (MEL_BINS, 1))
        hidden = torch.mm(weight, stacked.T).clamp_(min=least)
        for block, memory in zip(self._blocks, memories, strict=True):
            block(hidden, memory)
        weight, bias = self._exit
        scores = torch.addmm(bias, weight, hidden)
        return (scores[self._silence_pdf] - scores.logsumexp(dim=0)).exp()


class _Block:
    """One FSMN block in ``[channels, time]``.

    relu(x + bias) is max(x, -bias) + bias, and that sum is left to the next convolution's bias, which costs
    nothing there: hidden values go from block to block less the bias of the layer that they come from.
    """

    def __init__(self, block: Any, bias_before: torch.Tensor) -> None:
        convolution = block.fsmn_block
        if convolution.conv_right is not None or convolution.lstride != 1:
            raise ValueError("this fsmn-vad looks ahead, which the published one does not")
        self._into = block.linear.linear.weight.contiguous()
        taps = convolution.conv_left.weight.squeeze(-1).clone()
        taps[:, 0, -1] += 1  # the input itself is added to what the convolution gives
        self._taps = taps
        left = self._into.double() @ bias_before
        self._left = (taps.double().sum(dim=(1, 2)) * left).float()
        self._silence = _column(-left)  # nothing, less the bias
        self._out = block.affine.linear.weight.contiguous()
        self._least = _column(-block.affine.linear.bias)
        self._width, _, length = taps.shape
        self._kept = length - 1

    def begin(self) -> torch.Tensor:
        """Return the memory at the start: what the convolution looks back on, and room for what it sees."""
        return self._silence.repeat(1, self._kept + _BLOCK_FRAMES)

    def __call__(self, hidden: torch.Tensor, memory: torch.Tensor) -> None:
        """Replace ``hidden [channels, <= _BLOCK_FRAMES]`` by what the block makes of it."""
        frames = hidden.shape[1]
        seen = memory[:, : self._kept + frames]
        torch.mm(self._into, hidden, out=seen[:, self._kept :])
        filtered = torch.nn.functional.conv1d(seen[None], self._taps, self._left, groups=self._width)[0]
        memory[:, : self._kept] = seen[:, frames:].clone()
        torch.mm(self._out, filtered, out=hidden).clamp_(min=self._least)


def _column(values: torch.Tensor) -> torch.Tensor:
    return values.float()[:, None].contiguous()


class FsmnRule:
    """Frames of speech or silence in, (first, behind the last) frame of each stretch out.

    Goes from event to event in place of frame by frame: the opinion of a sliding window changes, or a
    stretch has to end.
    """

    def __init__(self, options: Any, max_end_silence_ms: int) -> None:
        self.position = 0  # the next frame's number
        self.start: int | None = None  # first frame of the stretch that goes on
        self.floor = 0  # nothing starts before this frame
        self._window = options.window_size_ms // _HOP_MS
        self._to_speech = options.sil_to_speech_time_thres // _HOP_MS
        self._to_silence = options.speech_to_sil_time_thres // _HOP_MS
        self._latency: int = self._window + (
            options.lookback_time_start_point // _HOP_MS if options.do_extend else 0
        )
        patience_ms = max_end_silence_ms - options.speech_to_sil_time_thres
        self._patience = max(1, -(-patience_ms // _HOP_MS))  # frames of silence that end a stretch
        ahead = options.lookahead_time_end_point // _HOP_MS + 1 if options.do_extend else 0
        self._back = max(0, int(patience_ms / _HOP_MS) - ahead)
        self._heard = np.zeros(self._window - 1, np.int64)  # the last frames since a stretch ended, 1: speech
        self._is_speech = False  # the window's opinion
        self._silent = 0  # frames since the window went silent

    @property
    def end(self) -> int:
        """The stretch that goes on reaches at least to this frame."""
        if self._is_speech:
            return self.position
        quiet_since = self.position - self._silent - 1
        return int(min(self.position, quiet_since + self._patience - self._back + 1))

    @property
    def latency(self) -> int:
        """Frames that a stretch may begin before the frame that reveals it."""
        return self._latency

    def feed(self, speech: NDArray[np.bool_], *, is_last: bool) -> list[tuple[int, int]]:
        """Take the next frames; return the stretches that ended in them."""
        ended: list[tuple[int, int]] = []
        first, behind = self.position, self.position + len(speech)
        heard = np.concatenate([self._heard, speech])
        total = np.cumsum(np.pad(heard, (1, 0)))
        sums = total[self._window :] - total[: -self._window]  # speech in the window that each frame ends
        while self.position < behind:
            frame, has_changed = self._next_event(sums[self.position - first :])
            if has_changed:
                self._is_speech = not self._is_speech
                self._silent = 0
                if self.start is None:
                    self.start = max(self.floor, frame - self._latency)
            elif not self._is_speech:
                self._silent += frame + 1 - self.position
            self.position = frame + 1
            if stretch := self._close(frame, is_last=is_last and self.position == behind):
                ended.append(stretch)
                since = frame + 1 - first  # the window begins anew
                heard[: self._window - 1 + since] = 0
                sums[since : since + self._window - 1] = np.cumsum(
                    heard[self._window - 1 :][since:][: self._window - 1]
                )
        self._heard = heard[len(speech) :]
        return ended

    def _next_event(self, sums: NDArray[np.int64]) -> tuple[int, bool]:
        """Return the next frame that may end something, and whether the window's opinion changes there."""
        changes = sums <= self._to_silence if self._is_speech else sums >= self._to_speech
        change = int(changes.argmax())
        if not changes[change]:
            change = len(sums)
        event = len(sums) - 1
        if self.start is not None and not self._is_speech:
            event = min(event, self._patience - self._silent - 1)
        return self.position + min(change, event), change <= event

    def _close(self, frame: int, *, is_last: bool) -> tuple[int, int] | None:
        """End the stretch if it ends with this frame."""
        if self.start is None:
            return None
        if not self._is_speech and self._silent >= self._patience:
            frame -= self._back
        elif not is_last:
            return None
        stretch = self.start, frame + 1
        self.start, self.floor = None, frame + 1
        self._is_speech, self._silent = False, 0
        return stretch


class FsmnDetector:
    """One recording's detector (see :class:`~asr_daemon.recogniser.segmenter.detector.Detector`)."""

    aim = FSMN_AIM
    pad_before_samples = 0  # the rule looks back and ahead itself
    pad_after_samples = 0

    def __init__(self, network: FsmnNetwork, max_end_silence_ms: int) -> None:
        self._network = network
        self._state = network.begin()
        self._rule = FsmnRule(network.options, max_end_silence_ms)
        self._threshold = network.options.speech_noise_thres
        self.bank = RunningFilterBank()

    @property
    def open_start_samples(self) -> int | None:
        """Start of the speech that goes on."""
        return None if self._rule.start is None else self._rule.start * HOP_SAMPLES

    @property
    def open_end_samples(self) -> int:
        """The speech that goes on reaches at least to here."""
        return self._rule.end * HOP_SAMPLES

    @property
    def settled_samples(self) -> int:
        """Nothing later starts before this."""
        if self._rule.start is not None:
            return self._rule.start * HOP_SAMPLES
        return max(self._rule.floor, self._rule.position - self._rule.latency, 0) * HOP_SAMPLES

    def feed(self, window: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Take ``float32 [n_samples], 16 kHz``; return the speech that ended."""
        return self._decide(self.bank.feed(window), is_last=False)

    def finish(self) -> list[tuple[int, int]]:
        """Return the rest."""
        return self._decide(torch.empty(0, MEL_BINS), is_last=True)

    def _decide(self, features: torch.Tensor, *, is_last: bool) -> list[tuple[int, int]]:
        silence = self._network.silence(features, self._state, is_last=is_last).astype(np.float64)
        speech = (1.0 - silence) >= silence + self._threshold
        stretches = self._rule.feed(speech, is_last=is_last)
        return [(start * HOP_SAMPLES, end * HOP_SAMPLES) for start, end in stretches]
