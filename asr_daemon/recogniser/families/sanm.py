"""FunASR's SAN-M encoder and decoder on a processor: the same layers, with less moved about in memory.

FunASR's modules copy every layer's values into another layout for the memory block's convolution and back,
write the attention scores out, and mask twice. Here the convolution runs along time in the layout that the
values have (its residual is one more weight of its middle tap), attention is torch's fused one, masks are
left out where a batch has no padding, and sums go in place. Linear layers are called as modules, so that
others may stand in their place (:mod:`asr_daemon.recogniser.families.int8`).

Enters: a loaded model whose ``encoder`` and ``decoder`` (funasr 1.4.16: models/sanm, models/sense_voice,
models/paraformer/decoder.py) are replaced in place where they are built as the published ones are, and left
alone otherwise. Numbers are FunASR's within float32 rounding; what lies in the padding has no meaning. Safe
from several threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_INFINITE = -float("inf")


def install(model: Any) -> tuple[str, ...]:
    """Replace what can be replaced in place; return the names of those parts: "encoder", "decoder" ..."""
    done = []
    for name in ("encoder", "decoder", "seaco_decoder"):
        part: Any = getattr(model, name, None)
        make = _MAKERS.get(type(part).__name__)
        if make is not None and (made := make(part)) is not None:
            part.forward = made
            done.append(name)
    return tuple(done)


@dataclass(frozen=True, slots=True)
class _Padding:
    """Which steps of a batch are real; both None where all are."""

    keep: torch.Tensor | None  # float32 [batch, time, 1]: 1 where real
    scores: torch.Tensor | None  # float32 [batch, 1, 1, time]: -inf where not

    @classmethod
    def of(cls, lengths: torch.Tensor, longest: int) -> _Padding:
        if int(lengths.min()) >= longest:
            return cls(None, None)
        real = torch.arange(longest, device=lengths.device)[None] < lengths[:, None]
        scores = torch.zeros(real.shape, device=lengths.device).masked_fill_(~real, _INFINITE)
        return cls(real[..., None].float(), scores[:, None, None])


class _Memory:
    """The memory block of a layer: a convolution along time of each channel, and its input added."""

    def __init__(self, attention: Any) -> None:
        taps = attention.fsmn_block.weight.detach().clone()  # [channels, 1, taps]
        self._before, after = attention.pad_fn.padding
        self._is_even = self._before == after
        self._after = after
        taps[:, 0, self._before] += 1
        self._taps = taps[:, :, None]
        self._channels = len(taps)

    def __call__(self, values: torch.Tensor, padding: _Padding) -> torch.Tensor:
        """Return ``[batch, time, channels]``."""
        values = values.contiguous() if padding.keep is None else values * padding.keep
        seen = values.transpose(1, 2)[:, :, None]  # channels last: no copy
        if self._is_even:
            wide = (0, self._before)
        else:
            seen, wide = functional.pad(seen, (self._before, self._after)), (0, 0)
        out = functional.conv2d(seen, self._taps, padding=wide, groups=self._channels)
        return out[:, :, 0].transpose(1, 2)


class _EncoderLayer:
    """One layer: attention with its memory block, then feed-forward."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._heads = layer.self_attn.h
        self._memory = _Memory(layer.self_attn)
        self._is_residual = layer.in_size == layer.size

    def __call__(self, x: torch.Tensor, padding: _Padding) -> torch.Tensor:
        layer, attention = self._layer, self._layer.self_attn
        query, key, values = attention.linear_q_k_v(layer.norm1(x)).chunk(3, dim=-1)
        out: torch.Tensor = self._memory(values, padding)
        out += attention.linear_out(attend(query, key, values, self._heads, padding.scores))
        if self._is_residual:
            out += x
        forward = layer.feed_forward
        out += forward.w_2(forward.w_1(layer.norm2(out)).relu_())
        return out


def attend(
    query: torch.Tensor, key: torch.Tensor, values: torch.Tensor, heads: int, scores: torch.Tensor | None
) -> torch.Tensor:
    """Return attention's ``[batch, time, width]`` of projected ``[batch, time, width]``."""
    query, key, values = (
        each.view(*each.shape[:2], heads, -1).transpose(1, 2) for each in (query, key, values)
    )
    attended = functional.scaled_dot_product_attention(query, key, values, attn_mask=scores)
    return attended.transpose(1, 2).flatten(2)


class _Encoder:
    """Stands for the ``forward`` of a ``SANMEncoder`` or a ``SenseVoiceEncoderSmall``."""

    def __init__(
        self, encoder: Any, groups: Sequence[tuple[Iterable[Any], Any]], more: tuple[Any, ...]
    ) -> None:
        self._groups = [([_EncoderLayer(layer) for layer in layers], norm) for layers, norm in groups]
        self._scale = encoder.output_size() ** 0.5
        self._embed = encoder.embed
        self._more = more  # what FunASR returns behind lengths

    def __call__(self, features: torch.Tensor, lengths: torch.Tensor, *_unused: Any) -> tuple[Any, ...]:
        """Return (encoded ``[batch, time, width]``, lengths, ...) of features ``[batch, time, 560]``."""
        x = self._embed(features * self._scale)
        padding = _Padding.of(lengths, x.shape[1])
        for layers, norm in self._groups:
            for layer in layers:
                x = layer(x, padding)
            x = norm(x)
        return x, lengths, *self._more


class _DecoderLayer:
    """One layer: feed-forward, memory block, attention to the encoder; the last two where it has them."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._memory = _Memory(layer.self_attn) if layer.self_attn is not None else None

    def __call__(
        self, x: torch.Tensor, padding: _Padding, encoded: torch.Tensor, of_encoded: _Padding
    ) -> torch.Tensor:
        layer = self._layer
        forward = layer.feed_forward
        out: torch.Tensor = forward.w_2(forward.norm(forward.w_1(layer.norm1(x)).relu_()))
        if self._memory is not None:
            out = self._memory(layer.norm2(out), padding)
            out += x
        if layer.src_attn is not None:
            attention = layer.src_attn
            key, values = attention.linear_k_v(encoded).chunk(2, dim=-1)
            query = attention.linear_q(layer.norm3(out))
            out += attention.linear_out(attend(query, key, values, attention.h, of_encoded.scores))
        return out


class _Decoder:
    """Stands for the ``forward`` of a ``ParaformerSANMDecoder``."""

    def __init__(self, decoder: Any) -> None:
        groups = (decoder.decoders, decoder.decoders2 or (), decoder.decoders3)
        self._layers = [_DecoderLayer(layer) for group in groups for layer in group]
        self._decoder = decoder

    def __call__(
        self,
        encoded: torch.Tensor,
        encoded_lengths: torch.Tensor,
        acoustic: torch.Tensor,
        lengths: torch.Tensor,
        *,
        return_hidden: bool = False,
        return_both: bool = False,
    ) -> tuple[torch.Tensor, ...]:
        """Return what FunASR's does: (scores, lengths), (hidden, lengths) or (scores, hidden, lengths)."""
        padding = _Padding.of(lengths, acoustic.shape[1])
        of_encoded = _Padding.of(encoded_lengths, encoded.shape[1])
        x = acoustic
        for layer in self._layers:
            x = layer(x, padding, encoded, of_encoded)
        hidden = self._decoder.after_norm(x)
        output = self._decoder.output_layer
        if return_both:
            return output(hidden), hidden, lengths
        if output is None or return_hidden:
            return hidden, lengths
        return output(hidden), lengths


def _is_usual(layer: Any) -> bool:
    """Whether a layer is built as the published ones are."""
    return bool(
        layer.normalize_before
        and not layer.concat_after
        and type(layer.feed_forward).__name__
        in ("PositionwiseFeedForward", "PositionwiseFeedForwardDecoderSANM")
        and isinstance(layer.feed_forward.activation, torch.nn.ReLU)
    )


def _sanm(encoder: Any) -> _Encoder | None:
    layers = [*encoder.encoders0, *encoder.encoders]
    is_usual = (
        type(encoder.embed).__name__ == "SinusoidalPositionEncoder"
        and encoder.normalize_before
        and not encoder.interctc_layer_idx
        and all(
            _is_usual(one) and type(one.self_attn).__name__ == "MultiHeadedAttentionSANM" for one in layers
        )
    )
    return _Encoder(encoder, [(layers, encoder.after_norm)], (None,)) if is_usual else None


def _sense_voice(encoder: Any) -> _Encoder | None:
    groups = [
        ([*encoder.encoders0, *encoder.encoders], encoder.after_norm),
        (encoder.tp_encoders, encoder.tp_norm),
    ]
    is_usual = all(_is_usual(layer) for layers, _ in groups for layer in layers)
    return _Encoder(encoder, groups, ()) if is_usual else None


def _paraformer(decoder: Any) -> _Decoder | None:
    layers = [*decoder.decoders, *(decoder.decoders2 or ()), *decoder.decoders3]
    is_usual = decoder.normalize_before and all(_is_usual(layer) for layer in layers)
    return _Decoder(decoder) if is_usual else None


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "SANMEncoder": _sanm,
    "SenseVoiceEncoderSmall": _sense_voice,
    "ParaformerSANMDecoder": _paraformer,
}
