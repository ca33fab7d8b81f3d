"""What this machine's processor is and which precisions it computes in natively. Imports no torch.

bfloat16 without AVX512_BF16 or AMX is emulated, several times slower than float32; int8 without VNNI or AMX
saturates (two products of 8 by 8 bits are added in 16). Either is not even tried there.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.models.abilities import Computed

CPUINFO = Path("/proc/cpuinfo")
_FLAGS: dict[Computed, frozenset[str]] = {  # as Linux names them on x86; one of them suffices
    "bfloat16": frozenset({"avx512_bf16", "amx_bf16"}),
    "int8": frozenset({"avx512_vnni", "avx_vnni", "amx_int8"}),
}


@dataclass(frozen=True, slots=True)
class Processor:
    """One kind of processor."""

    name: str
    native: tuple[Computed, ...]  # beside float32: "bfloat16", "int8"

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(('float32', *self.native))})"


def read_processor(cpuinfo: Path = CPUINFO) -> Processor:
    """Return this machine's processor; one that says nothing of itself computes in float32 alone."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    said: dict[str, str] = {}
    for line in lines:  # of the first core; the others are alike
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    flags = set(said.get("flags", "").split())
    native = tuple(precision for precision, any_of in _FLAGS.items() if flags & any_of)
    return Processor(said.get("model name") or platform.machine(), native)
