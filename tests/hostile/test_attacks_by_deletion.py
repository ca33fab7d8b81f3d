"""Transcripts that somebody deletes: `retry` brings back what is missing, whichever of them it was."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from way import Way

from asr_daemon.delivery.deliver import Deliverer

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("txt", "srt", "vtt", "json")
SETS = [some for count in range(1, 5) for some in itertools.combinations(KINDS, count)]


@pytest.mark.parametrize("gone", SETS, ids="-".join)
@pytest.mark.parametrize("text", ["你好", "另外的内容"])
def test_retry_brings_every_deleted_format_back(tmp_path: Path, gone: tuple[str, ...], text: str) -> None:
    """All four, with what was recognised last, under the names that they had."""
    way = Way(tmp_path, formats=KINDS)
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    recording = way.put("a.wav", b"sound")
    way.finish(way.claim().id, "你好")
    assert deliverer.deliver(recording)
    for kind in gone:
        (way.inbox / f"a.{kind}").unlink()
    way.arrivals.retry(recording)
    way.finish(way.claim().id, text)
    assert deliverer.deliver_all() == 1
    assert {path.name for path in way.inbox.iterdir()} == {"a.wav", *(f"a.{kind}" for kind in KINDS)}
    for kind in KINDS:
        assert text in (way.inbox / f"a.{kind}").read_text(encoding="utf-8")


@pytest.mark.parametrize("edited", KINDS)
def test_retry_brings_them_back_beside_one_that_was_edited(tmp_path: Path, edited: str) -> None:
    """Two were deleted, one was edited: that stays, and all four lie together under the next name."""
    way = Way(tmp_path, formats=KINDS)
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    recording = way.put("a.wav", b"sound")
    way.finish(way.claim().id, "你好")
    assert deliverer.deliver(recording)
    (way.inbox / f"a.{edited}").write_text("会后补记", encoding="utf-8")
    for kind in [kind for kind in KINDS if kind != edited][:2]:
        (way.inbox / f"a.{kind}").unlink()
    for text in ("再来", "又一次"):
        way.arrivals.retry(recording)
        way.finish(way.claim().id, text)
        assert deliverer.deliver_all() == 1
        here = {path.name for path in way.inbox.iterdir()}
        assert here == {"a.wav", f"a.{edited}", *(f"a.wav.{kind}" for kind in KINDS)}
