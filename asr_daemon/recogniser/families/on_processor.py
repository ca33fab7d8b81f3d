"""What the families of FunASR's SAN-M models share on a processor: faster layers, and other precisions.

A family that is a :class:`Processed` is made faster when it is loaded onto "cpu" (sanm.py), and may be told
to compute in bfloat16 or int8. On cards its layers are FunASR's, and its weights half where it computes so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr_daemon.recogniser.families import cif, funasr_model, sanm, weights
from asr_daemon.recogniser.families.int8 import Exchange
from asr_daemon.recogniser.families.precision import FLOAT32, keep_half

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.recogniser.families.precision import Precision

_CALLED_IN_HALF = ("encoder", "decoder", "seaco_decoder")


class Processed:
    """A loaded model, and the precision that it is called in."""

    def __init__(self, folder: Path, device: str, threads: int, precision: Precision) -> None:
        self.loaded = funasr_model.load_lean(str(folder), device, threads, mapped=precision.is_int8)
        self.network: Any = self.loaded.model
        self._precision = FLOAT32
        predictor = getattr(self.network, "predictor", None)
        self.is_padding_kept_out = predictor is None or cif.install(predictor)
        if device == "cpu":
            sanm.install(self.network)
        parts = [
            getattr(self.network, name) for name in ("encoder", "decoder") if hasattr(self.network, name)
        ]
        self._exchange = Exchange(parts, getattr(predictor, "lstm_in_lengths", None))
        if precision.is_int8:
            self._exchange.to_int8(keep=False)
            weights.hold(self.network)
        if device != "cpu" and precision.half is not None:
            named = {name: getattr(self.network, name, None) for name in _CALLED_IN_HALF}
            keep_half([part for part in named.values() if part is not None], precision.half)
        self._precision = precision

    @property
    def device(self) -> str:
        """The device really used."""
        return str(self.loaded.kwargs["device"])

    @property
    def precision(self) -> Precision:
        """The context in which the model is called."""
        return self._precision

    def compute_in(self, precision: Precision) -> None:
        """See :class:`~asr_daemon.recogniser.families.family.Exchangeable`."""
        if self._precision.is_int8 and not precision.is_int8:
            self._exchange.back()
        elif precision.is_int8 and not self._precision.is_int8:
            self._exchange.to_int8()
        self._precision = precision

    def settle(self) -> None:
        """See :class:`~asr_daemon.recogniser.families.family.Exchangeable`."""
        self._exchange.forget()
