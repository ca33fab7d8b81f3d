"""What a processor says of itself decides what is tried on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr_daemon.models.processor import read_processor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        ("fpu avx2 fma", ()),  # int8 would saturate, bfloat16 would be emulated
        ("avx2 avx_vnni", ("int8",)),  # small ones for network storage
        ("avx512f avx512_vnni", ("int8",)),
        ("avx512_vnni avx512_bf16", ("bfloat16", "int8")),
        ("amx_bf16 amx_int8", ("bfloat16", "int8")),
    ],
)
def test_only_what_has_instructions_is_native(tmp_path: Path, flags: str, native: tuple[str, ...]) -> None:
    """By the flags that Linux shows."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nmodel name\t: Some CPU @ 2.50GHz\nflags\t\t: {flags}\n")
    processor = read_processor(cpuinfo)
    assert processor.native == native
    assert processor.name == "Some CPU @ 2.50GHz"


def test_processor_that_says_nothing_computes_in_float32(tmp_path: Path) -> None:
    """Neither a missing file nor one of another architecture is an error."""
    assert read_processor(tmp_path / "missing").native == ()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n")
    assert read_processor(tmp_path / "cpuinfo").native == ()
