"""What self-checks took: in which precision a model is computed on this machine, kept in the state folder.

The recogniser's child reports (``Ready.precision`` where ``Ready.was_checked``), the daemon remembers, and
later children are told (``Setup.remembered``). One small file, ``precisions.json``; one that is damaged or
that cannot be written costs a self-check of a few seconds, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
from importlib import metadata
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from asr_daemon.models.abilities import Computed
from asr_daemon.models.processor import read_processor

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.models.processor import Processor

FILE_NAME = "precisions.json"
MOST_KEPT = 32  # models, processors and releases come and go
_LIBRARIES = ("torch", "funasr", "asr-daemon")
_ADAPTER: TypeAdapter[dict[str, Computed]] = TypeAdapter(dict[str, Computed])


class PrecisionMemory:
    """The file; used by one thread."""

    def __init__(self, state_dir: Path, processor: Processor | None = None) -> None:
        self._path = state_dir / FILE_NAME
        self._processor = processor or read_processor()

    def recall(self, model_identity: str) -> Computed | None:
        """Return what was taken for that model here; None where it is to be checked."""
        return self._read().get(self._key(model_identity))

    def remember(self, model_identity: str, precision: Computed) -> None:
        """Keep what was taken."""
        known = self._read()
        known.pop(self._key(model_identity), None)
        known[self._key(model_identity)] = precision
        kept = dict(list(known.items())[-MOST_KEPT:])
        beside = self._path.with_suffix(".tmp")
        with contextlib.suppress(OSError):  # a full disk: it is checked again
            beside.write_bytes(_ADAPTER.dump_json(kept, indent=2))
            beside.replace(self._path)

    def _read(self) -> dict[str, Computed]:
        try:
            return _ADAPTER.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return {}

    def _key(self, model_identity: str) -> str:
        """Return what a self-check holds for: the model, the processor and the libraries."""
        versions = [f"{name} {_version(name)}" for name in _LIBRARIES]
        parts = "\n".join((model_identity, str(self._processor), *versions))
        return hashlib.sha256(parts.encode()).hexdigest()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
