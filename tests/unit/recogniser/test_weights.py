"""Weights that are a file's pages: memory is given back as soon as nobody wants them, and only theirs."""

from __future__ import annotations

from pathlib import Path

import torch

from asr_daemon.recogniser.families.weights import FilePages

NUMBERS = 16 << 20  # 64 MiB


def file_bytes() -> int:
    """Return how much of this process's memory is files' pages."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile:"))


def test_pages_are_given_back_and_can_be_read_again(tmp_path: Path) -> None:
    """Once a layer is quantised, its float weights take no memory, though their file is mapped on."""
    torch.save({"w": torch.ones(NUMBERS), "next": torch.ones(5)}, tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", mmap=True, weights_only=True)
    pages = FilePages()
    assert state["w"].sum() == NUMBERS
    before = file_bytes()
    assert pages.let_go(state["w"])
    assert before - file_bytes() > 0.9 * 4 * NUMBERS
    assert state["w"][-1] == 1.0
    assert state["next"].sum() == 5.0


def test_memory_that_is_no_file_s_is_left_alone(tmp_path: Path) -> None:
    """Nor is any where the system does not say what is mapped."""
    own = torch.ones(NUMBERS)
    assert not FilePages().let_go(own)
    assert not FilePages(tmp_path / "no maps").let_go(own)
    assert own.sum() == NUMBERS
