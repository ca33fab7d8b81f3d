"""Linear layers in int8 on a processor: weights once, inputs with every call (dynamic quantisation).

Weights are quantised per output channel, symmetrically; inputs per call, to the range that they have, so
that a segment's text may depend, rarely, on what shares its batch. Everything between the linear layers
stays float32. Wants a processor that multiplies int8 natively (VNNI, AMX): on plain AVX2 the sums of two
products of 8 by 8 bits saturate. oneDNN's kernels are a tenth faster here than fbgemm's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = 127.0
_ENGINE = "onednn"
_LEAST_SCALE = 1e-12


def is_available() -> bool:
    """Whether this torch has the kernels."""
    return _ENGINE in torch.backends.quantized.supported_engines


class Int8Linear(torch.nn.Module):
    """A linear layer that is not trained any more."""

    def __init__(self, linear: torch.nn.Linear, *, per_channel: bool = True) -> None:
        super().__init__()
        torch.backends.quantized.engine = _ENGINE
        weight = linear.weight.detach()
        if per_channel:
            scales = weight.abs().amax(dim=1).clamp_(min=_LEAST_SCALE).double() / _LEVELS
            zeros = torch.zeros(len(weight), dtype=torch.int64)
            quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        else:
            scale = max(float(weight.abs().amax()), _LEAST_SCALE) / _LEVELS
            quantised = torch.quantize_per_tensor(weight, scale, 0, torch.qint8)
        bias = linear.bias.detach() if linear.bias is not None else None
        self._packed = torch.ops.quantized.linear_prepack(quantised, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return float32 ``[..., out]`` of float32 ``[..., in]``."""
        out: torch.Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, False)  # noqa: FBT003
        return out


class Exchange:
    """The linear layers of a model's parts, and their stand-ins."""

    def __init__(self, parts: list[torch.nn.Module]) -> None:
        self._places = [place for part in parts for place in _linears(part)]
        self._floats: list[torch.nn.Linear] = []

    def to_int8(self, *, per_channel: bool = True, keep: bool = True) -> None:
        """Exchange every linear layer; without ``keep``, each one's float weights are given back as it goes."""
        for parent, name in self._places:
            linear = getattr(parent, name)
            setattr(parent, name, Int8Linear(linear, per_channel=per_channel))
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
