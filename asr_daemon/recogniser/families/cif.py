"""Continuous integrate-and-fire without padding leaks and without Python loops along time.

Enters: a loaded Paraformer's predictor (funasr 1.4.16: ``CifPredictorV2`` in models/paraformer,
``CifPredictorV3`` in models/bicif_paraformer). Two things are replaced in place:

- FunASR lets padding into a segment's text and times: the predictor's convolution sees the padded frame
  behind the last real one, and the time head's backward LSTM starts in the padding. Here a segment reads the
  same in any batch.
- FunASR integrates frame by frame in Python (and runs the time head twice). Here a token's embedding is
  one product: frame t gives token j the overlap of [c(t-1), c(t)] with [j, j+1], c being the running sum.

Both compute in float32 under any autocast. Other predictors are left as they are.
"""

from __future__ import annotations

from typing import Any

import torch

from asr_daemon.recogniser.families.precision import full

_TIME_THRESHOLD = 1.0 - 1e-4  # FunASR's, of the time head


def install(predictor: Any) -> bool:
    """Replace a CIF predictor's ways in place; others are left alone, and False is returned."""
    kind = type(predictor).__name__
    if kind not in ("CifPredictorV2", "CifPredictorV3") or predictor.tail_threshold <= 0:
        return False
    results = 5 if kind == "CifPredictorV3" else 4  # as FunASR's own

    def predict(hidden: torch.Tensor, *inputs: Any, **more: Any) -> tuple[Any, ...]:
        with full(hidden):  # in half, the sum along time drifts by whole tokens
            return _predict(predictor, hidden.float(), *inputs, **more)[:results]

    predictor.forward = predict
    if kind == "CifPredictorV3":
        loop = predictor.get_upsample_timestamp
        lstm = LstmInLengths(predictor.blstm) if predictor.upsample_type == "cnn_blstm" else None

        def times(hidden: torch.Tensor, mask: Any = None, token_num: Any = None) -> tuple[Any, ...]:
            with full(hidden):
                return _times(predictor, lstm, loop, hidden.float(), mask, token_num)

        predictor.get_upsample_timestamp = times
        predictor.lstm_in_lengths = lstm
    return True


def _predict(
    predictor: Any,
    hidden: torch.Tensor,
    _label: Any = None,
    mask: torch.Tensor | None = None,
    **_more: Any,
) -> tuple[Any, ...]:
    """Return FunASR's (embeddings [b, n, d], token counts [b], weights, peaks, token counts)."""
    if mask is None:
        mask = hidden.new_ones(hidden.shape[0], 1, hidden.shape[1])
    keep = mask.transpose(1, 2).to(hidden.dtype)  # [b, t, 1]
    hidden = hidden * keep
    convolved = predictor.cif_conv1d(predictor.pad(hidden.transpose(1, 2)))
    scores = predictor.cif_output(torch.relu(convolved).transpose(1, 2))
    weights = torch.relu(torch.sigmoid(scores) * predictor.smooth_factor - predictor.noise_threshold)
    weights = (weights * keep).squeeze(-1)
    weights = torch.nn.functional.pad(weights, (0, 1))
    hidden = torch.nn.functional.pad(hidden, (0, 0, 0, 1))
    lengths = mask.sum(dim=(1, 2)).long()
    weights.scatter_add_(
        1, lengths[:, None], weights.new_full((len(lengths), 1), float(predictor.tail_threshold))
    )
    embeddings, counts = integrate(hidden, weights)
    return embeddings, counts.to(hidden.dtype), weights, weights, counts.to(hidden.dtype)


def integrate(hidden: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Integrate ``hidden [b, t, d]`` by ``weights [b, t]``: embeddings ``[b, n, d]`` and counts ``[b]``.

    A token is complete when the weights since the last one reach 1; a started one at the end is dropped.
    """
    reached = running_sum(weights)
    before = reached - weights.to(reached.device)
    counts = reached[:, -1].floor().long()
    tokens = torch.arange(int(counts.max()), device=reached.device, dtype=reached.dtype)[None, :, None]
    shares = (torch.minimum(reached[:, None], tokens + 1) - torch.maximum(before[:, None], tokens)).relu()
    shares = shares * (tokens < counts[:, None, None])
    return shares.to(hidden) @ hidden, counts.to(hidden.device)


def running_sum(weights: torch.Tensor) -> torch.Tensor:
    """Return the running sum of ``weights [b, t]`` in float64; on the CPU where the device has none (MPS)."""
    exact = weights.cpu() if weights.device.type == "mps" else weights
    return exact.double().cumsum(1)


def _times(
    predictor: Any, lstm: LstmInLengths | None, loop: Any, hidden: torch.Tensor, mask: Any, token_num: Any
) -> tuple[Any, ...]:
    """Return what FunASR's ``get_upsample_timestamp`` does: (unused, unused, weights, peaks), finer by 3."""
    if lstm is None or mask is None or token_num is None:
        return tuple(loop(hidden, mask, token_num))
    times = predictor.upsample_times
    finer = predictor.upsample_cnn(hidden.transpose(1, 2)).transpose(1, 2)
    lengths = mask.sum(dim=(1, 2)).long() * times
    scores = torch.sigmoid(predictor.cif_output2(lstm(finer, lengths)))
    weights = torch.relu(scores * predictor.smooth_factor2 - predictor.noise_threshold2).squeeze(-1)
    inside = torch.arange(weights.shape[1], device=weights.device)[None] < lengths[:, None]
    weights = weights * inside
    weights = weights * (token_num / weights.sum(-1).clamp(min=1e-9))[:, None]
    return None, None, weights, peaks(weights, _TIME_THRESHOLD)


def peaks(weights: torch.Tensor, threshold: float) -> torch.Tensor:
    """Return what has gathered at each step since the last token, at least ``threshold`` where one fires."""
    reached = running_sum(weights)
    fired = (reached / threshold).floor()
    fired_before = torch.nn.functional.pad(fired[:, :-1], (1, 0))
    gathered = (reached - fired_before * threshold).to(weights)
    fires = (fired > fired_before).to(weights.device)
    return torch.where(fires, gathered.clamp(min=threshold), gathered.clamp(max=threshold * 0.9999))


class LstmInLengths:
    """A bidirectional LSTM of one layer whose backward half starts at each sequence's own end."""

    halves = ("ahead", "back")  # its attributes; others may stand in their place

    def __init__(self, lstm: torch.nn.LSTM) -> None:
        self.ahead = _half(lstm, "")
        self.back = _half(lstm, "_reverse")

    def __call__(self, padded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Run on ``[batch, time, width]``; what lies beyond each length is of no meaning."""
        steps = torch.arange(padded.shape[1], device=padded.device)[None]
        turned = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)[..., None]
        ahead, _ = self.ahead(padded)
        back, _ = self.back(padded.gather(1, turned.expand(-1, -1, padded.shape[2])))
        back = back.gather(1, turned.expand(-1, -1, back.shape[2]))
        return torch.cat([ahead, back], dim=-1)


def _half(lstm: torch.nn.LSTM, suffix: str) -> torch.nn.LSTM:
    """Return one direction of a bidirectional LSTM, sharing its device."""
    half = torch.nn.LSTM(lstm.input_size, lstm.hidden_size, bias=lstm.bias, batch_first=True).eval()
    half.to(next(lstm.parameters()).device)
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", *(("bias_ih_l0", "bias_hh_l0") if lstm.bias else ())):
            getattr(half, name).copy_(getattr(lstm, f"{name}{suffix}"))
    return half
