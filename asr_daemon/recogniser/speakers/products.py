"""Products of matrices whose inputs and outputs lie on grids: in float32, or in bytes (int8).

Weights are quantised per output channel; what rounding them changes on average is part of the bias. The steps
of inputs and outputs are part of the weights, so that a product's bytes are the next one's as they are.
Wants a processor that multiplies int8 natively (VNNI, AMX). oneDNN's operations are called as torch's own
compiler calls them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.recogniser.speakers.grids import Grid

_LEVELS = 127.0  # of a weight
_LEAST_SCALE = 1e-12
_USUAL_ROWS = 600  # what weights are laid out for; any number works
_AS_IT_IS = (1.0, 0)  # scale and zero, which are in weights and bias


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What enters a product: its grid, and its mean in steps from the zero."""

    grid: Grid
    mean: torch.Tensor

    def repeated(self, times: int) -> Given:
        """Return that of several frames, one behind the other."""
        return Given(self.grid.repeated(times), self.mean.repeat(times))


class Product(Protocol):
    """``rows @ weight.T + bias``; used by any thread."""

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, given: Given, left: Grid | None, *, rectified: bool
    ) -> None:
        """``weight`` ``[out, in]`` and ``bias`` ``[out]`` are of numbers; ``left`` None: float32 leaves."""

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return ``[n, out]`` of ``[n, in]``, nothing below the zero where it is ``rectified``."""


class FloatProduct:
    """In float32."""

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, given: Given, left: Grid | None, *, rectified: bool
    ) -> None:
        weight = weight * given.grid.step
        bias = bias - weight @ given.grid.zero
        if left is not None:
            weight, bias = weight / left.step[:, None], bias / left.step + left.zero
        self._weight, self._bias = weight.t().contiguous(), bias.contiguous()
        self._rectified = rectified

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return ``float32 [n, out]``."""
        found = torch.addmm(self._bias, rows, self._weight)
        return found.relu_() if self._rectified else found


class ByteProduct:
    """Bytes enter; bytes or float32 leave."""

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, given: Given, left: Grid | None, *, rectified: bool
    ) -> None:
        self._scales, whole, self._bias = quantised(weight, bias, given, left)
        self._packed = torch.ops.onednn.qlinear_prepack(whole, [_USUAL_ROWS, weight.shape[1]])
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._type = torch.float32 if left is None else torch.uint8
        self._then = "relu" if rectified else "none"

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return ``[n, out]`` of ``uint8 [n, in]``."""
        found: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            rows, *_AS_IT_IS, self._packed, self._scales, self._zeros, self._bias,
            *_AS_IT_IS, self._type, self._then, [], "",
        )  # fmt: skip
        return found


class ByteConvolution:
    """A two-dimensional convolution of bytes with a rectifier behind it, ``[n, channels, height, width]``."""

    def __init__(
        self,
        convolution: torch.nn.Conv2d,
        given: Given,
        left: Grid,
        *,
        usual_shape: Sequence[int],
        rectified: bool = True,
    ) -> None:
        """Height and width of the convolution are the other way round than in ``convolution``."""
        weight = convolution.weight.detach().transpose(2, 3)
        bias = torch.zeros(len(weight)) if convolution.bias is None else convolution.bias.detach()
        taps = weight.shape[2] * weight.shape[3]
        flat = weight.permute(0, 2, 3, 1).flatten(1)
        self._scales, whole, self._bias = quantised(flat, bias, given.repeated(taps), left)
        whole = whole.view(len(weight), *weight.shape[2:], -1).permute(0, 3, 1, 2).contiguous()
        self._strides = list(reversed(convolution.stride))
        self._padding = list(reversed(convolution.padding))
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._then = "relu" if rectified else "none"
        self._packed = torch.ops.onednn.qconv_prepack(
            whole, self._scales, *_AS_IT_IS, self._strides, self._padding, [1, 1], 1, list(usual_shape)
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return bytes of bytes."""
        found: torch.Tensor = torch.ops.onednn.qconv2d_pointwise(
            x, *_AS_IT_IS, self._packed, self._scales, self._zeros, self._bias,
            self._strides, self._padding, [1, 1], 1, *_AS_IT_IS, torch.uint8, self._then, [], "",
        )  # fmt: skip
        return found

    def onto(self, out: torch.Tensor, x: torch.Tensor, steps: float = 1.0, zero: int = 0) -> torch.Tensor:
        """Return the same added to what lies in ``out`` (written over): a byte there is ``steps`` steps."""
        found: torch.Tensor = torch.ops.onednn.qconv2d_pointwise.binary(
            x, *_AS_IT_IS, self._packed, self._scales, self._zeros, out, self._bias,
            self._strides, self._padding, [1, 1], 1, *_AS_IT_IS, torch.uint8, steps, zero, "sum", 1.0,
            self._then, [], "",
        )  # fmt: skip
        return found


def quantised(
    weight: torch.Tensor, bias: torch.Tensor, given: Given, left: Grid | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return scales ``float32 [out]``, weights ``int8 [out, in]`` and bias ``float32 [out]``."""
    weight = weight * given.grid.step
    if left is not None:
        weight, bias = weight / left.step[:, None], bias / left.step + left.zero
    scales = (weight.abs().amax(dim=1) / _LEVELS).clamp(min=_LEAST_SCALE).contiguous()
    whole = (weight / scales[:, None]).round()
    kept = whole * scales[:, None]
    bias = bias + (weight - kept) @ given.mean - kept @ given.grid.zero
    return scales, whole.to(torch.int8), bias.contiguous()
