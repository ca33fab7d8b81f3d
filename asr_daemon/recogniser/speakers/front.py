"""CAM++'s front part on a processor: two-dimensional convolutions over few channels, in float32 or in bytes.

Enters: ``float32 [n, n_frames, 80]``. Leaves: ``[n, n_frames, 320]``, float32 or bytes, of a frame ten bands
of 32 channels each. Time and bands lie the other way round than in FunASR's, so that a frame is a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from asr_daemon.recogniser.speakers.grids import HIGHEST, Expected, Grid, rectified_bytes, said_by
from asr_daemon.recogniser.speakers.products import ByteConvolution, Given

CHANNELS, _BANDS = 32, 10  # that leave
_USUAL_FRAMES, _MEL_BINS = 148, 80
_USUAL_WINDOWS = 8
_FEATURE_STEP = 0.08  # of a filter bank without its mean: a byte reaches from -10 to 10
_SHORTCUT_STEPS, _SHORTCUT_ZERO = 2.0, 128.0  # a byte there is both signs of what leaves


class FloatFront:
    """``model.head`` with its normalisations within its convolutions; used by any thread."""

    def __init__(self, head: Any) -> None:
        self._head = head

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Return float32."""
        head = self._head
        seen = head.conv1(features.transpose(1, 2)[:, None]).relu_()
        x: torch.Tensor = head.conv2(head.layer2(head.layer1(seen))).relu_()
        return x.permute(0, 3, 2, 1).flatten(2)  # frames, then bands, then channels


class ByteFront:
    """The same in bytes."""

    def __init__(self, head: Any) -> None:
        """``head`` with its normalisations, which say how far numbers reach."""
        said = said_by(head.bn1)
        given = _given(said, rectified_bytes(said))
        first = fuse_conv_bn_eval(head.conv1, head.bn1)
        first.padding = (0, 0)  # what lies around a window is 0, which is no byte 0
        one = torch.ones(1)
        heard = Given(Grid(_FEATURE_STEP * one, HIGHEST / 2 * one), 0 * one)
        shape = [_USUAL_WINDOWS, 1, _USUAL_FRAMES + 2, _MEL_BINS + 2]
        self._first = ByteConvolution(first, heard, given.grid, usual_shape=shape)
        self._blocks = []
        bins = _MEL_BINS
        for layer in (head.layer1, head.layer2):
            block, given = _block(layer, given, bins)
            self._blocks.append(block)
            bins //= 2
        said = said_by(head.bn2)
        last = fuse_conv_bn_eval(head.conv2, head.bn2)
        left = rectified_bytes(said)
        self._last = ByteConvolution(last, given, left, usual_shape=_shape(bins))
        self.left = _given(said, left).repeated(_BANDS)

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Return bytes, on the grid of ``left``."""
        padded = torch.nn.functional.pad(features, (1, 1, 1, 1))
        # the half makes cutting off the fraction a rounding
        whole = padded.mul_(1 / _FEATURE_STEP).add_(HIGHEST / 2 + 0.5).clamp_(0, HIGHEST).to(torch.uint8)
        x = self._first(whole[:, None].contiguous(memory_format=torch.channels_last))
        for block in self._blocks:
            out = block.second.onto(block.shortcut(x), block.first(x), _SHORTCUT_STEPS, int(_SHORTCUT_ZERO))
            x = block.fourth.onto(out, block.third(out))
        return self._last(x).permute(0, 2, 3, 1).flatten(2)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Two residual blocks (``BasicResBlock``), of which the first halves the bands."""

    first: ByteConvolution
    shortcut: ByteConvolution
    second: ByteConvolution
    third: ByteConvolution
    fourth: ByteConvolution


def _block(layer: Any, given: Given, bins: int) -> tuple[_Block, Given]:
    """Return two blocks and what leaves them: both in the same steps, as the second adds to the first's."""
    halving, keeping = layer
    within = [_given(said, rectified_bytes(said)) for said in (said_by(halving.bn1), said_by(keeping.bn1))]
    between = _sum(said_by(halving.bn2), said_by(halving.shortcut[1]))
    behind = _sum(Expected(between.mean.clamp(min=0), between.deviation), said_by(keeping.bn2))
    left = Grid(
        torch.maximum(rectified_bytes(between).step, rectified_bytes(behind).step),
        torch.zeros_like(between.mean),
    )
    both = Grid(_SHORTCUT_STEPS * left.step, torch.full_like(left.step, _SHORTCUT_ZERO))
    fused = fuse_conv_bn_eval
    shape, half = _shape(bins), _shape(bins // 2)
    block = _Block(
        ByteConvolution(fused(halving.conv1, halving.bn1), given, within[0].grid, usual_shape=shape),
        ByteConvolution(fused(*halving.shortcut), given, both, usual_shape=shape, rectified=False),
        ByteConvolution(fused(halving.conv2, halving.bn2), within[0], left, usual_shape=half),
        ByteConvolution(
            fused(keeping.conv1, keeping.bn1), _given(between, left), within[1].grid, usual_shape=half
        ),
        ByteConvolution(fused(keeping.conv2, keeping.bn2), within[1], left, usual_shape=half),
    )
    return block, _given(behind, left)


def _given(said: Expected, grid: Grid) -> Given:
    return Given(grid, said.rectified() / grid.step)


def _sum(one: Expected, other: Expected) -> Expected:
    """Return what is expected of the sum of what does not depend on one another."""
    return Expected(one.mean + other.mean, torch.hypot(one.deviation, other.deviation))


def _shape(bins: int) -> list[int]:
    return [_USUAL_WINDOWS, CHANNELS, _USUAL_FRAMES, bins]
