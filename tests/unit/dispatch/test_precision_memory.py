"""A self-check is made once for a model on a processor, and made again where anything of that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr_daemon.dispatch import precision_memory
from asr_daemon.dispatch.precision_memory import FILE_NAME, MOST_KEPT, PrecisionMemory
from asr_daemon.models.processor import Processor

if TYPE_CHECKING:
    from pathlib import Path

HERE = Processor("A", ("int8",))


def test_what_was_taken_is_known_after_a_restart(tmp_path: Path) -> None:
    """Another process reads what one wrote, for that model alone."""
    assert PrecisionMemory(tmp_path, HERE).recall("m") is None
    PrecisionMemory(tmp_path, HERE).remember("m", "int8")
    assert PrecisionMemory(tmp_path, HERE).recall("m") == "int8"
    assert PrecisionMemory(tmp_path, HERE).recall("other") is None


def test_another_processor_or_torch_is_checked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder that moved to another machine, or an update, does not bring the old answer along."""
    PrecisionMemory(tmp_path, HERE).remember("m", "int8")
    assert PrecisionMemory(tmp_path, Processor("B", ("int8",))).recall("m") is None
    monkeypatch.setattr(precision_memory.metadata, "version", lambda _name: "99")
    assert PrecisionMemory(tmp_path, HERE).recall("m") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"x": "float8"}', b"\xff\xfe"])
def test_damaged_file_costs_a_check_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    """What cannot be understood counts as nothing, and is replaced."""
    (tmp_path / FILE_NAME).write_bytes(content)
    memory = PrecisionMemory(tmp_path, HERE)
    assert memory.recall("m") is None
    memory.remember("m", "float32")
    assert memory.recall("m") == "float32"


def test_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """A full disk, or none: checked again next time."""
    memory = PrecisionMemory(tmp_path / "missing", HERE)
    memory.remember("m", "int8")
    assert memory.recall("m") is None


def test_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    """The oldest go."""
    memory = PrecisionMemory(tmp_path, HERE)
    for number in range(MOST_KEPT + 3):
        memory.remember(f"model {number}", "int8")
    assert memory.recall("model 0") is None
    assert memory.recall(f"model {MOST_KEPT + 2}") == "int8"
