"""Linear layers in int8 on a processor: weights once, inputs with every call (dynamic quantisation).

Weights are quantised per output channel, symmetrically; inputs per call, to the range that they have, so
that a segment's text may depend, rarely, on what shares its batch. Everything between the linear layers
stays float32. Wants a processor that multiplies int8 natively (VNNI, AMX): on plain AVX2 the sums of two
products of 8 by 8 bits saturate. oneDNN's operations are called as torch's own compiler calls them:
``torch.ops.quantized.linear_dynamic`` is as fast, but holds three bytes a weight, and is to go from torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_WEIGHT_LEVELS, _INPUT_LEVELS = 127.0, 255.0
_LEAST_SCALE = 1e-12
_USUAL_ROWS = 256  # what the weights are laid out for; any number works
_SPOILT = "w_2"  # the layer of a feed-forward whose input is nobody else's


class Int8Linear(torch.nn.Module):
    """A linear layer that is not trained any more; with ``spoils`` its input may be written over."""

    def __init__(self, linear: torch.nn.Linear, *, per_channel: bool = True, spoils: bool = False) -> None:
        super().__init__()
        weight = linear.weight.detach()
        highest = weight.abs().amax(dim=1) if per_channel else weight.abs().amax().expand(len(weight))
        self._scales = (highest / _WEIGHT_LEVELS).clamp(min=_LEAST_SCALE).contiguous()
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        whole = (weight / self._scales[:, None]).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(whole, [_USUAL_ROWS, weight.shape[1]])
        # a copy: a view of a mapped file would hold all of it
        self._bias = linear.bias.detach().clone() if linear.bias is not None else None
        self._spoils = spoils

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return float32 ``[..., out]`` of float32 ``[..., in]``."""
        lowest, highest = (float(bound) for bound in torch.aminmax(x))
        lowest, highest = min(lowest, 0.0), max(highest, 0.0)
        scale = max((highest - lowest) / _INPUT_LEVELS, _LEAST_SCALE)
        zero = int(-lowest / scale)
        # the half makes cutting off the fraction a rounding; rounded down, the zero keeps all within 0..255
        shifted = torch.add(
            torch.tensor(zero + 0.5),
            x,
            alpha=1 / scale,
            out=x if self._spoils and x.is_contiguous() else None,
        )
        out: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            shifted.to(torch.uint8), scale, zero, self._packed, self._scales, self._zeros, self._bias,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return out


class Exchange:
    """The linear layers of a model's parts, and their stand-ins."""

    def __init__(self, parts: list[torch.nn.Module]) -> None:
        self._places = [place for part in parts for place in _linears(part)]
        self._floats: list[torch.nn.Linear] = []

    def to_int8(self, *, per_channel: bool = True, keep: bool = True) -> None:
        """Exchange every linear layer; without ``keep``, float weights are given back one by one."""
        for parent, name in self._places:
            linear = getattr(parent, name)
            setattr(parent, name, Int8Linear(linear, per_channel=per_channel, spoils=name == _SPOILT))
            if keep:
                self._floats.append(linear)

    def back(self) -> None:
        """Put the float layers back, if they are kept and out of their places."""
        for (parent, name), linear in zip(self._places, self._floats, strict=False):
            setattr(parent, name, linear)
        self._floats.clear()

    def forget(self) -> None:
        """Give back the float layers that are out of their places."""
        self._floats.clear()


def _linears(module: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str]]:
    """Yield (module, attribute) of every linear layer below ``module``."""
    for name, child in module.named_children():
        if type(child) is torch.nn.Linear:
            yield module, name
        else:
            yield from _linears(child)
