"""Linear layers in int8 on a processor: weights once, inputs with every call (dynamic quantisation).

Enters: a module, whose ``torch.nn.Linear`` layers are replaced in place, each one's float weights given back
as it goes. Weights are quantised per output channel, symmetrically; inputs per call to the range they have.
Everything between the linear layers stays float32. Wants a processor that multiplies int8 natively (VNNI,
AMX): on plain AVX2 the products of 8 by 8 bits saturate.
"""

from __future__ import annotations

import torch

_LEVELS = 127.0


class Int8Linear(torch.nn.Module):
    """A linear layer that is not trained any more."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scales = weight.abs().amax(dim=1).clamp_(min=1e-12).double() / _LEVELS
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        bias = linear.bias.detach() if linear.bias is not None else None
        self._packed = torch.ops.quantized.linear_prepack(quantised, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return float32 ``[..., out]`` of float32 ``[..., in]``."""
        out: torch.Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, False)  # noqa: FBT003
        return out


def quantise(module: torch.nn.Module) -> int:
    """Replace every linear layer below ``module``; return how many there were."""
    found = 0
    for name, child in module.named_children():
        if type(child) is torch.nn.Linear:
            setattr(module, name, Int8Linear(child))
            found += 1
        else:
            found += quantise(child)
    return found
