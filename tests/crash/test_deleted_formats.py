"""A real daemon writes four formats; somebody deletes some, says `retry`, and has them all back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop, recording

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("txt", "srt", "vtt", "json")
PAIRS = (("txt", "srt"), ("vtt", "json"), KINDS)  # all of them: tests/hostile/test_attacks_by_deletion.py


def names(folder: Path) -> set[str]:
    """Return what lies there."""
    return {path.name for path in folder.iterdir()}


def retried(daemon: AttackedDaemon, number: int) -> None:
    """Say `retry`, as on the command line, and wait until it is done."""

    def written_at() -> list[str]:
        rows = daemon.query("SELECT id, written_at FROM recordings WHERE state = 'done'")
        return [at for recording, at in rows if recording == number]

    before = written_at()
    said = daemon.command("retry", str(number))
    assert said.returncode == 0, said.stderr
    eventually(lambda: written_at() not in ([], before), what="its being written again")


@pytest.mark.slow
def test_retry_brings_two_of_four_deleted_formats_back(tmp_path: Path) -> None:
    """Whichever two, however often; beside one that a person edited; in the archive it is said what to do."""
    (tmp_path / "archive").mkdir()
    four = f"formats = {json.dumps(KINDS)}"
    inboxes = {"inbox": four, "kept": f'{four}\narchive = "archive"'}
    with AttackedDaemon(tmp_path, inboxes=inboxes) as daemon:
        daemon.start()
        drop(daemon.inbox / "a.wav", recording("a", segments=2))
        daemon.wait_until_done(1)
        ((number,),) = daemon.query("SELECT id FROM recordings")
        whole = {"a.wav", *(f"a.{kind}" for kind in KINDS)}
        for gone in PAIRS:
            for kind in gone:
                (daemon.inbox / f"a.{kind}").unlink()
            retried(daemon, number)
            assert names(daemon.inbox) == whole, gone

        (daemon.inbox / "a.txt").write_text("会后补记", encoding="utf-8")
        for again in (("a.srt", "a.vtt"), ("a.wav.srt", "a.wav.vtt")):
            for name in again:
                (daemon.inbox / name).unlink()
            retried(daemon, number)
            assert (daemon.inbox / "a.txt").read_text(encoding="utf-8") == "会后补记"
            assert names(daemon.inbox) == {"a.wav", "a.txt", *(f"a.wav.{kind}" for kind in KINDS)}
        for name in names(daemon.inbox) - {"a.wav", "a.txt"}:
            (daemon.inbox / name).unlink()
        daemon.stop()
        daemon.start()  # what was deleted while nobody looked comes back in the same way
        retried(daemon, number)
        assert names(daemon.inbox) == {"a.wav", "a.txt", *(f"a.wav.{kind}" for kind in KINDS)}

        drop(tmp_path / "kept" / "b.wav", recording("b"))
        (place,) = eventually(lambda: list((tmp_path / "archive").rglob("b.wav")), what="the archive")
        for kind in ("srt", "json"):
            (place.parent / f"b.{kind}").unlink()
        ((archived,),) = daemon.query("SELECT id FROM recordings WHERE name = 'b.wav'")
        said = daemon.command("retry", str(archived))
        assert said.returncode == 1
        assert "copy it back into its inbox" in said.stderr
        drop(tmp_path / "kept" / "b.wav", place.read_bytes())
        eventually(lambda: len(list(place.parent.glob("b*.json"))) == 1, what="what was missing")
        eventually(lambda: not list((tmp_path / "kept").glob("*.wav")), what="the second copy in the archive")
