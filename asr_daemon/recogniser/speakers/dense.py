"""CAM++'s densely connected layers on a processor: the same numbers as FunASR's, in half the time.

The layers are many and small. Here a frame is a row: each layer is a product of matrices, the growing input
lies in one buffer in place of being copied for each layer, and every batch normalisation behind a layer is
part of its weights. (In int8, quantising the inputs costs what the products save: measured with VNNI.)
Enters: what the front part (two-dimensional convolutions) says of windows of one length, at most 2 s. Leaves:
embeddings. Reads the modules of ``funasr/models/campplus/components.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    Product = Callable[[torch.Tensor], torch.Tensor]

MOST_FRAMES = 100  # behind the stride of 2: of so many the context is one mean (``CAMLayer.seg_pooling``)
_STRIDE, _WIDTH = 2, 5  # of the first layer


class DenseLayers:
    """``model.xvector`` as matrices; used by any thread."""

    def __init__(self, xvector: Any) -> None:
        self._first = _product(xvector.tdnn.linear, xvector.tdnn.nonlinear.batchnorm)
        self._blocks = [
            (
                [_Layer(layer) for layer in getattr(xvector, f"block{number}")],
                _Affine(getattr(xvector, f"transit{number}").nonlinear.batchnorm),
                _product(getattr(xvector, f"transit{number}").linear),
            )
            for number in (1, 2, 3)
        ]
        self._out = _Affine(xvector.out_nonlinear.batchnorm)
        self._last = _product(xvector.dense.linear, xvector.dense.nonlinear.batchnorm)

    def __call__(self, seen: torch.Tensor) -> torch.Tensor:
        """Return ``float32 [n, 192]`` of the front part's ``float32 [n, 320, n_frames]``."""
        count, width, length = seen.shape
        padded = torch.nn.functional.pad(seen.transpose(1, 2), (0, 0, _WIDTH // 2, _WIDTH // 2)).contiguous()
        frames = (length - 1) // _STRIDE + 1
        if frames > MOST_FRAMES:
            raise ValueError(f"a window has at most {MOST_FRAMES} frames, not {frames}")
        views = padded.as_strided(
            (count, frames, _WIDTH * width), (padded.stride(0), _STRIDE * width, 1)
        )  # neighbouring frames lie one behind the other
        x = self._first(views.reshape(count * frames, -1)).relu_()
        for layers, affine, narrow in self._blocks:
            grown = torch.empty(len(x), x.shape[1] + sum(layer.width for layer in layers))
            grown[:, : x.shape[1]] = x
            at = x.shape[1]
            for layer in layers:
                layer.into(grown[:, at : at + layer.width], grown[:, :at], count)
                at += layer.width
            x = narrow(affine.rectified(grown))
        x = self._out.rectified(x).view(count, frames, -1)
        return self._last(torch.cat([x.mean(dim=1), x.std(dim=1)], dim=1))


class _Affine:
    """A batch normalisation before a layer."""

    def __init__(self, norm: torch.nn.BatchNorm1d) -> None:
        self.scale, self.shift = _scale_and_shift(norm)

    def rectified(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(self.shift, x, self.scale).relu_()


class _Layer:
    """One densely connected layer (``CAMDenseTDNNLayer``): adds ``width`` numbers to each frame."""

    def __init__(self, layer: Any) -> None:
        cam = layer.cam_layer
        self.width = cam.linear_local.out_channels
        (self._dilation,) = cam.linear_local.dilation
        self._before = _Affine(layer.nonlinear1.batchnorm)
        self._narrow = _product(layer.linear1, layer.nonlinear2.batchnorm)
        self._local = _product(cam.linear_local)
        self._context1, self._context2 = _product(cam.linear1), _product(cam.linear2)

    def into(self, out: torch.Tensor, x: torch.Tensor, count: int) -> None:
        """Write ``[n_windows * n_frames, width]`` of ``[n_windows * n_frames, n]``."""
        narrow = self._narrow(self._before.rectified(x)).relu_()
        frames, width = len(narrow) // count, narrow.shape[1]
        narrow = narrow.view(count, frames, width)
        step = self._dilation
        padded = torch.nn.functional.pad(narrow, (0, 0, step, step))
        around = padded.as_strided(
            (count, frames, 3, width), (padded.stride(0), width, step * width, 1)
        ).reshape(count * frames, 3 * width)
        # The mean of all frames, and that of the segment, which are all frames.
        mask = self._context2(self._context1(2 * narrow.mean(dim=1)).relu_()).sigmoid_()
        local = self._local(around).view(count, frames, -1)
        torch.mul(local, mask[:, None], out=out.view(count, frames, -1))


def _scale_and_shift(norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    scale = torch.rsqrt(norm.running_var + norm.eps)
    shift = -norm.running_mean * scale
    if norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    return scale.detach(), shift.detach()


def _product(linear: Any, norm: Any = None) -> Product:
    """Return a one-dimensional convolution over rows, the normalisation behind it within its weights.

    A row holds the frames that the convolution looks at, one behind the other.
    """
    weight = linear.weight.detach().permute(2, 1, 0).flatten(0, 1)  # [width * in, out]
    bias = torch.zeros(weight.shape[1]) if linear.bias is None else linear.bias.detach()
    if norm is not None:
        scale, shift = _scale_and_shift(norm)
        weight, bias = weight * scale, bias * scale + shift
    weight = weight.contiguous()
    return lambda rows: torch.addmm(bias, rows, weight)
