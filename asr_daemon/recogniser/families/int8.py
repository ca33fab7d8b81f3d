"""Linear layers in int8 on a processor: weights once, inputs with every call (dynamic quantisation).

Weights are quantised per output channel, inputs per row, which is one step of one segment: what shares its
batch changes nothing. Both are symmetric. Everything between the linear layers stays float32. Wants a
processor that multiplies int8 natively (VNNI, AMX): on plain AVX2 the sums of two products of 8 by 8 bits
saturate. oneDNN's operations are called as torch's own compiler calls them:
``torch.ops.quantized.linear_dynamic`` is as fast, but holds three bytes a weight, and is to go from torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from asr_daemon.recogniser.families.weights import FilePages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.recogniser.families.cif import LstmInLengths

_WEIGHT_LEVELS = 127.0
_SIGNED, _RECTIFIED = (127.0, 128), (255.0, 0)  # levels of the highest input, and what stands for 0
_LEAST_SCALE = 1e-12
_LEAST_LSTM_WIDTH = 384  # below, float32 weights fit into a core's cache: int8 steps would be slower
_USUAL_ROWS = 256  # what the weights are laid out for; any number works
_SPOILT = "w_2"  # the layer of a feed-forward whose input is nobody else's


class _Weights:
    """Quantised weights, and the product with quantised inputs."""

    def __init__(self, weight: torch.Tensor, *, per_channel: bool = True) -> None:
        highest = weight.abs().amax(dim=1) if per_channel else weight.abs().amax().expand(len(weight))
        self._scales = (highest / _WEIGHT_LEVELS).clamp(min=_LEAST_SCALE).contiguous()
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        whole = (weight / self._scales[:, None]).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(whole, [_USUAL_ROWS, weight.shape[1]])

    def times(self, x: torch.Tensor, zero: int, scale: float = 1.0) -> torch.Tensor:
        """Return float32 ``[..., out]`` of uint8 ``[..., in]`` that stands for ``scale * (x - zero)``."""
        out: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            x, scale, zero, self._packed, self._scales, self._zeros, None,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return out


class Int8Linear(torch.nn.Module):
    """A linear layer that is not trained any more.

    ``spoils``: its input may be written over; ``rectified``: and has nothing below 0.
    """

    def __init__(
        self,
        linear: torch.nn.Linear,
        *,
        per_channel: bool = True,
        spoils: bool = False,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        self._weights = _Weights(linear.weight.detach(), per_channel=per_channel)
        # a copy: a view of a mapped file would hold all of it
        self._bias = linear.bias.detach().clone() if linear.bias is not None else None
        self._spoils, self._rectified = spoils, rectified

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return float32 ``[..., out]`` of float32 ``[..., in]``."""
        levels, zero = _RECTIFIED if self._rectified else _SIGNED
        highest = (x if self._rectified else x.abs()).amax(dim=-1, keepdim=True)
        scales = highest.div_(levels).clamp_(min=_LEAST_SCALE)
        room = x if self._spoils and x.is_contiguous() else None
        # the half makes cutting off the fraction a rounding
        shifted = torch.addcmul(torch.tensor(zero + 0.5), x, scales.reciprocal(), out=room)
        found = self._weights.times(shifted.to(torch.uint8), zero)
        if self._bias is None:
            return found.mul_(scales)
        return torch.addcmul(self._bias, found, scales, out=found)


class Int8Lstm(torch.nn.Module):
    """One direction of an LSTM of one layer, batch first.

    Its weights are used anew at every step: in float32 they do not fit into a core's cache, and reading them
    is what takes the time. Its state lies within -1..1, so that its range need not be found.
    """

    def __init__(self, lstm: torch.nn.LSTM) -> None:
        super().__init__()
        self._width = lstm.hidden_size
        weights = {name: each.detach() for name, each in lstm.named_parameters()}
        turned = {name: _turned(each) for name, each in weights.items()}
        linear = torch.nn.Linear(lstm.input_size, 4 * lstm.hidden_size, bias=lstm.bias)
        linear.weight = torch.nn.Parameter(turned["weight_ih_l0"], requires_grad=False)
        if lstm.bias:
            bias = turned["bias_ih_l0"] + turned["bias_hh_l0"]
            linear.bias = torch.nn.Parameter(bias, requires_grad=False)
        self._into = Int8Linear(linear)
        self._again = _Weights(turned["weight_hh_l0"])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return (float32 ``[batch, time, width]``, nothing) of float32 ``[batch, time, in]``."""
        width, batch = self._width, len(x)
        given = self._into(x).transpose(0, 1).contiguous()  # [time, batch, 4 * width]
        said = torch.empty(len(given), batch, width)
        cell = torch.zeros(batch, width)
        levels, zero = _SIGNED
        state = torch.full((batch, width), zero, dtype=torch.uint8)
        shift = torch.tensor(zero + 0.5)
        for gates, out in zip(given.unbind(), said.unbind(), strict=True):
            gates.add_(self._again.times(state, zero, 1 / levels))
            opened, drawn = gates[:, : 3 * width].sigmoid_(), gates[:, 3 * width :].tanh_()
            cell.mul_(opened[:, width : 2 * width]).addcmul_(opened[:, :width], drawn)
            torch.mul(opened[:, 2 * width :], cell.tanh(), out=out)
            state = torch.add(shift, out, alpha=levels).to(torch.uint8)
        return said.transpose(0, 1), None


def _turned(rows: torch.Tensor) -> torch.Tensor:
    """Return an LSTM's rows with its gates (in, forget, cell, out) in the order in, forget, out, cell."""
    gates = rows.chunk(4)
    return torch.cat([gates[0], gates[1], gates[3], gates[2]])


class Exchange:
    """The linear layers of a model's parts, the halves of its time head's LSTM, and their stand-ins."""

    def __init__(self, parts: list[torch.nn.Module], lstms: LstmInLengths | None = None) -> None:
        self._places = [place for part in parts for place in _linears(part)]
        if lstms is not None and lstms.ahead.hidden_size >= _LEAST_LSTM_WIDTH:
            self._places += [(lstms, name) for name in lstms.halves]
        self._floats: list[torch.nn.Module] = []

    def to_int8(self, *, per_channel: bool = True, keep: bool = True) -> None:
        """Exchange every layer; without ``keep``, float weights are given back one by one.

        That is so for weights that are a file's pages, too: they never lie whole beside the int8 ones.
        """
        pages = None if keep else FilePages()
        for parent, name in self._places:
            layer = getattr(parent, name)
            if keep:
                self._floats.append(layer)
            if isinstance(layer, torch.nn.LSTM):
                setattr(parent, name, Int8Lstm(layer))
            else:
                setattr(parent, name, _stand_in(parent, name, layer, per_channel=per_channel))
            if pages is not None:
                for weight in layer.parameters():
                    pages.let_go(weight)

    def back(self) -> None:
        """Put the float layers back, if they are kept and out of their places."""
        for (parent, name), layer in zip(self._places, self._floats, strict=False):
            setattr(parent, name, layer)
        self._floats.clear()

    def forget(self) -> None:
        """Give back the float layers that are out of their places."""
        self._floats.clear()


def _stand_in(parent: object, name: str, layer: torch.nn.Linear, *, per_channel: bool) -> Int8Linear:
    is_second = name == _SPOILT
    is_behind_relu = isinstance(getattr(parent, "activation", None), torch.nn.ReLU)
    rectified = is_second and is_behind_relu and not hasattr(parent, "norm")  # a decoder's has both signs
    return Int8Linear(layer, per_channel=per_channel, spoils=is_second, rectified=rectified)


def _linears(module: torch.nn.Module) -> Iterator[tuple[object, str]]:
    """Yield (module, attribute) of every linear layer below ``module``."""
    for name, child in module.named_children():
        if type(child) is torch.nn.Linear:
            yield module, name
        else:
            yield from _linears(child)
