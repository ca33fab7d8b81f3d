"""What stands for a channel's numbers, and what a batch normalisation says of them.

A channel lies in steps of its own from a zero of its own: the number itself (step 1, zero 0) or a byte. How
far a channel's numbers reach need not be measured: every channel is read by a batch normalisation, whose mean
and deviation are those of all that the network was trained with. And a normalisation with the rectifier
behind it, ``relu(a * x + b)``, is ``a * max(x, -b / a) + b`` (for ``a`` below 0: min): one comparison with a
number that lies in the channel's own steps. ``a`` and ``b`` go into the product that follows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

HIGHEST = 255.0
REACH = 10.0  # deviations that a byte reaches to: speech from afar has channels with a few of 20
_LEAST_SCALE = 1e-6
_LEAST_STEP = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A number ``x`` lies as ``x / step + zero``; ``float32 [n_channels]`` each."""

    step: torch.Tensor
    zero: torch.Tensor

    def __getitem__(self, part: slice) -> Grid:
        return Grid(self.step[part], self.zero[part])

    def repeated(self, times: int) -> Grid:
        """Return that of several frames, one behind the other."""
        return Grid(self.step.repeat(times), self.zero.repeat(times))


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Mean and deviation of each channel, ``float32 [n_channels]``, as training saw them."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __getitem__(self, part: slice) -> Expected:
        return Expected(self.mean[part], self.deviation[part])

    def rectified(self) -> torch.Tensor:
        """Return the mean of what is above 0, were it distributed normally."""
        return _mean_above(self.mean, self.deviation)


def read_by(norm: Any) -> Expected:
    """Return what is expected of the channels that a batch normalisation reads."""
    return Expected(norm.running_mean, torch.sqrt(norm.running_var + norm.eps))


def said_by(norm: Any) -> Expected:
    """Return what is expected of the channels that a batch normalisation writes."""
    return Expected(norm.bias.detach(), norm.weight.detach().abs())


def scale_and_shift(norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the ``a`` and ``b`` of ``a * x + b``."""
    scale = torch.rsqrt(norm.running_var + norm.eps)
    shift = -norm.running_mean * scale
    if norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    return scale.detach(), shift.detach()


def numbers(expected: Expected) -> Grid:
    """Return the grid of numbers that lie as they are."""
    return Grid(torch.ones_like(expected.mean), torch.zeros_like(expected.mean))


def signed_bytes(expected: Expected) -> Grid:
    """Return the grid of bytes with the mean in their middle."""
    step = (2 * REACH / HIGHEST * expected.deviation).clamp(min=_LEAST_STEP)
    return Grid(step, HIGHEST / 2 - expected.mean / step)


def rectified_bytes(expected: Expected) -> Grid:
    """Return the grid of bytes of what is 0 or above."""
    step = ((expected.mean + REACH * expected.deviation) / HIGHEST).clamp(min=_LEAST_STEP)
    return Grid(step, torch.zeros_like(step))


class Rectified:
    """A batch normalisation and a rectifier, as a comparison; used by any thread."""

    def __init__(self, norm: Any, grid: Grid, expected: Expected, dtype: torch.dtype) -> None:
        """``grid``, ``expected``: of the channels that are read; ``dtype``: that they lie in."""
        scale, shift = scale_and_shift(norm)
        scale = torch.where(scale.abs() < _LEAST_SCALE, _LEAST_SCALE, scale)
        exact = border = grid.zero - shift / (scale * grid.step)
        least, most = -math.inf, math.inf
        if dtype == torch.uint8:
            least, most = 0.0, HIGHEST
            border = exact.clamp(least, most).round()
        is_low = scale > 0
        lowest = torch.where(is_low, border, least)
        highest = torch.where(is_low, most, border)
        self.scale = scale
        sign = torch.sign(scale)
        above = Expected(sign * (expected.mean + shift / scale), expected.deviation)
        self.mean = sign * above.rectified() / grid.step  # of what is compared, from the border, in steps
        # A border is a whole number of steps: what that is off by, counts where a number is beyond it.
        beyond = _share_above(above.mean, above.deviation)
        self.grid = replace(grid, zero=border + beyond * (exact - border))
        self._lowest = lowest.to(dtype)
        self._highest = None if bool(is_low.all()) else highest.to(dtype)

    def into(self, out: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Write ``[n, n_channels]`` of the same; stands for ``scale * (out - zero) * step``, see ``grid``."""
        if self._highest is None:
            return torch.maximum(x, self._lowest, out=out)
        return torch.clamp(x, self._lowest, self._highest, out=out)


def _share_above(mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    return 0.5 * (1 + torch.erf(mean / deviation / math.sqrt(2)))


def _mean_above(mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """Return the mean of max(x, 0) of a normally distributed x."""
    density = torch.exp(-((mean / deviation) ** 2) / 2) / math.sqrt(2 * math.pi)
    return deviation * density + mean * _share_above(mean, deviation)
