"""CAM++'s densely connected layers on a processor, in float32 or in bytes.

The layers are many and small. Here a frame is a row: each layer is a product of matrices, the growing input
lies in one buffer in place of being copied for each layer, and every batch normalisation is part of the
products around it (grids.py). In bytes, inputs lie in the buffer as they are multiplied, so that they are
quantised once, and not for each of the layers that read them.
Enters: what the front part says of windows of one length, at most 2 s. Leaves: embeddings. Reads the modules
of ``funasr/models/campplus/components.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from asr_daemon.recogniser.speakers.front import CHANNELS
from asr_daemon.recogniser.speakers.grids import (
    HIGHEST,
    Expected,
    Grid,
    Rectified,
    numbers,
    read_by,
    rectified_bytes,
    said_by,
    scale_and_shift,
    signed_bytes,
)
from asr_daemon.recogniser.speakers.products import ByteProduct, FloatProduct, Given

if TYPE_CHECKING:
    from asr_daemon.recogniser.speakers.products import Product

MOST_FRAMES = 100  # behind the stride of 2: of so many the context is one mean (``CAMLayer.seg_pooling``)
_STRIDE, _WIDTH = 2, 5  # of the first layer
_MOST_DILATION = 2


class DenseLayers:
    """``model.xvector`` as matrices; used by any thread."""

    def __init__(self, xvector: Any, given: Given | None = None) -> None:
        """``given``: the bytes that the front part leaves for a frame; None: it leaves float32."""
        kind = _Kind(in_bytes=given is not None)
        norms = [getattr(xvector, f"transit{number}").nonlinear.batchnorm for number in (1, 2, 3)]
        grids = [kind.signed(read_by(norm)) for norm in norms]
        weight, bias = _with_norm(_first_rows(xvector.tdnn.linear), xvector.tdnn.nonlinear.batchnorm)
        self._type = kind.type
        first = kind.rectified(said_by(xvector.tdnn.nonlinear.batchnorm))
        grids[0] = _joined(first, grids[0][len(first.step) :])
        if given is None:
            width = weight.shape[1] // _WIDTH
            given = Given(Grid(torch.ones(width), torch.zeros(width)), torch.zeros(width))
        self._first = kind.product(weight, bias, given.repeated(_WIDTH), first, rectified=True)
        self._blocks = []
        for number, norm in enumerate(norms):
            expected, grid = read_by(norm), grids[number]
            layers = [_Layer(one, grid, expected, kind) for one in getattr(xvector, f"block{number + 1}")]
            before = Rectified(norm, grid, expected, kind.type)
            linear = getattr(xvector, f"transit{number + 1}").linear
            after = grids[number + 1][: linear.out_channels] if number + 1 < len(norms) else None
            self._blocks.append((layers, before, _behind(before, linear, None, after, kind)))
        self._out = scale_and_shift(xvector.out_nonlinear.batchnorm)
        last, self._last_bias = _with_norm(
            xvector.dense.linear.weight[:, :, 0], xvector.dense.nonlinear.batchnorm
        )
        self._last = last.t().contiguous()

    def __call__(self, seen: torch.Tensor) -> torch.Tensor:
        """Return ``float32 [n, 192]`` of the front part's ``[n, n_frames, 320]``."""
        count, length, width = seen.shape
        frames = (length - 1) // _STRIDE + 1
        if frames > MOST_FRAMES:
            raise ValueError(f"a window has at most {MOST_FRAMES} frames, not {frames}")
        padded = torch.nn.functional.pad(seen, (0, 0, _WIDTH // 2, _WIDTH // 2))
        views = padded.as_strided(
            (count, frames, _WIDTH * width), (padded.stride(0), _STRIDE * width, 1)
        )  # neighbouring frames lie one behind the other
        x = self._first(views.reshape(count * frames, -1))
        room = _Room(count, frames, self._type)
        for layers, before, narrow in self._blocks:
            grown = torch.empty(len(x), x.shape[1] + sum(layer.width for layer in layers), dtype=self._type)
            grown[:, : x.shape[1]] = x
            at = x.shape[1]
            for layer in layers:
                layer.into(grown[:, at : at + layer.width], grown[:, :at], room)
                at += layer.width
            x = narrow(before.into(grown, grown))
        scale, shift = self._out
        x = torch.addcmul(shift, x, scale).relu_().view(count, frames, -1)
        mean = room.mean(x)
        spread = room.mean((x - mean).square_()).mul_(frames / (frames - 1)).sqrt_()
        return torch.addmm(self._last_bias, torch.cat([mean, spread], dim=2)[:, 0], self._last)


class _Kind:
    """Float32, or bytes: what products and grids there are."""

    def __init__(self, *, in_bytes: bool) -> None:
        self.in_bytes = in_bytes
        self.type = torch.uint8 if in_bytes else torch.float32
        self.product: type[Product] = ByteProduct if in_bytes else FloatProduct
        self.signed = signed_bytes if in_bytes else numbers
        self.rectified = rectified_bytes if in_bytes else numbers


class _Room:
    """Memory that the layers of a batch use one after the other."""

    def __init__(self, count: int, frames: int, dtype: torch.dtype) -> None:
        self.count, self.frames = count, frames
        self._type = dtype
        self._scratch = torch.empty(0, dtype=dtype)
        self._around = torch.empty(0, dtype=dtype)
        self._ones = torch.full((1, 1, frames), 1 / frames).expand(count, 1, frames)

    def like(self, x: torch.Tensor) -> torch.Tensor:
        """Return room for a matrix of that shape."""
        if self._scratch.numel() < x.numel():
            self._scratch = torch.empty(x.numel(), dtype=self._type)
        return self._scratch[: x.numel()].view(x.shape)

    def around(self, x: torch.Tensor, step: int) -> torch.Tensor:
        """Return ``[n, 3 * width]``: each frame of ``[n, width]`` between those ``step`` away."""
        width = x.shape[1]
        if not self._around.numel():
            self._around = torch.zeros(self.count, self.frames + 2 * _MOST_DILATION, width, dtype=self._type)
        padded = self._around
        padded[:, _MOST_DILATION : _MOST_DILATION + self.frames] = x.view(self.count, self.frames, width)
        views = padded[:, _MOST_DILATION - step :].as_strided(
            (self.count, self.frames, 3, width), (padded.stride(0), width, step * width, 1)
        )
        return views.reshape(len(x), 3 * width)

    def mean(self, x: torch.Tensor) -> torch.Tensor:
        """Return the means over frames, ``float32 [n_windows, 1, width]``, of as many frames."""
        return torch.bmm(self._ones, x.view(self.count, self.frames, -1).float())


class _Layer:
    """One densely connected layer (``CAMDenseTDNNLayer``): adds ``width`` numbers to each frame."""

    def __init__(self, layer: Any, grid: Grid, expected: Expected, kind: _Kind) -> None:
        """``grid`` and ``expected`` are of all channels of the block."""
        cam = layer.cam_layer
        self.width = cam.linear_local.out_channels
        (self._dilation,) = cam.linear_local.dilation
        if self._dilation > _MOST_DILATION:
            raise ValueError(f"a layer looks {self._dilation} frames back, not {_MOST_DILATION} at most")
        before = layer.linear1.in_channels
        self._before = Rectified(layer.nonlinear1.batchnorm, grid[:before], expected[:before], kind.type)
        said = said_by(layer.nonlinear2.batchnorm)
        narrow = Given(kind.rectified(said), torch.zeros_like(said.mean))
        if kind.in_bytes:
            narrow = Given(narrow.grid, said.rectified() / narrow.grid.step)
        self._narrow = _behind(self._before, layer.linear1, layer.nonlinear2.batchnorm, narrow.grid, kind)
        # What a layer adds is its product times the context's mask: the zero comes in behind that.
        left = grid[before : before + self.width]
        self._zero = left.zero + 0.5 if kind.in_bytes else None
        left = Grid(left.step, torch.zeros_like(left.zero))
        local = _frames_in_row(cam.linear_local)
        self._local = kind.product(
            local / left.step[:, None], _bias(cam.linear_local), narrow.repeated(3), None, rectified=False
        )
        # The mean of all frames, and that of the segment, which are all frames.
        self._context1 = (2 * cam.linear1.weight.detach()[:, :, 0] * narrow.grid.step).t().contiguous()
        self._context2 = cam.linear2.weight.detach()[:, :, 0].t().contiguous()
        self._biases = _bias(cam.linear1), _bias(cam.linear2)

    def into(self, out: torch.Tensor, x: torch.Tensor, room: _Room) -> None:
        """Write ``[n_windows * n_frames, width]`` of ``[n_windows * n_frames, n]``."""
        narrow = self._narrow(self._before.into(room.like(x), x))
        context = torch.addmm(self._biases[0], room.mean(narrow)[:, 0], self._context1).relu_()
        mask = torch.addmm(self._biases[1], context, self._context2).sigmoid_()[:, None]
        local = self._local(room.around(narrow, self._dilation)).view(room.count, room.frames, -1)
        out = out.view(local.shape)
        if self._zero is None:
            torch.mul(local, mask, out=out)
        else:  # the half makes cutting off the fraction a rounding
            out.copy_(torch.addcmul(self._zero, local, mask).clamp_(0, HIGHEST))


def _behind(before: Rectified, linear: Any, norm: Any, left: Grid | None, kind: _Kind) -> Product:
    """Return the product behind a rectified normalisation; ``norm``: another one, rectified, behind it."""
    weight, bias = linear.weight.detach()[:, :, 0], _bias(linear)
    if norm is not None:
        scale, shift = scale_and_shift(norm)
        weight, bias = weight * scale[:, None], bias * scale + shift
    given = Given(before.grid, before.mean)
    return kind.product(weight * before.scale, bias, given, left, rectified=norm is not None)


def _with_norm(weight: torch.Tensor, norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight and bias of a layer without bias, the normalisation behind it among them."""
    scale, shift = scale_and_shift(norm)
    return weight.detach() * scale[:, None], shift


def _bias(linear: Any) -> torch.Tensor:
    return torch.zeros(linear.out_channels) if linear.bias is None else linear.bias.detach()


def _frames_in_row(linear: Any) -> torch.Tensor:
    """Return a convolution's weights for rows of the frames that it looks at, ``[out, n]``."""
    weight: torch.Tensor = linear.weight.detach().permute(0, 2, 1).flatten(1)
    return weight


def _first_rows(linear: Any) -> torch.Tensor:
    """Return the same of the first layer, to which a band's channels lie together, not a channel's bands."""
    out, width, taps = linear.weight.shape
    weight: torch.Tensor = linear.weight.detach().view(out, CHANNELS, width // CHANNELS, taps)
    return weight.permute(0, 3, 2, 1).flatten(1)


def _joined(one: Grid, other: Grid) -> Grid:
    return Grid(torch.cat([one.step, other.step]), torch.cat([one.zero, other.zero]))
