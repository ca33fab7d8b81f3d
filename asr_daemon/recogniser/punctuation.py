"""ct-punc: where punctuation belongs in spoken text; the words themselves are never touched.

Enters: text as it was spoken. Leaves: (offset, mark) pairs. Fails with what FunASR raises; the
postprocessor then leaves the segment without punctuation.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from asr_daemon.recogniser.families import funasr_model

if TYPE_CHECKING:
    from pathlib import Path


class CtPunctuator:
    """A loaded punctuation model on the CPU; one thread at a time."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._model = funasr_model.load(str(folder), "cpu", threads)
        self._lock = threading.Lock()  # FunASR's models are not made for several threads

    def marks(self, text: str) -> list[tuple[int, str]]:
        """Return (offset in ``text``, mark to insert there), in order."""
        # FunASR's own pairing of its answer with the text; it gives None where the two do not fit.
        from funasr.auto import auto_model as own  # noqa: PLC0415 (seconds)

        with self._lock:
            (answer,) = self._model.generate(input=text)
        numbers: Any = answer.get("punc_array")
        if numbers is None:
            return []
        tokens = own._get_punc_tokens(text, numbers, self._model.model)  # noqa: SLF001
        spans = own._surface_token_spans(text, tokens) if tokens else None  # noqa: SLF001
        if spans is None:
            raise ValueError(f"{len(numbers)} marks do not fit the text")
        marks = (
            (end, own._punc_symbol(number, token, self._model.model))  # noqa: SLF001
            for number, token, (_, end) in zip(numbers, tokens, spans, strict=True)
        )
        return [(end, mark) for end, mark in marks if mark]
