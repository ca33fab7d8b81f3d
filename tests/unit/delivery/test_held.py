"""Folders that may not be written: where transcripts lie meanwhile, who hears of it, how they come back."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from test_deliver import FAILED, Desk
from way import RECOGNISER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write below the folder, as systemd does that opened it to no service."""
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with a sub-folder in its inbox."""
    desk = Desk(tmp_path)
    (desk.way.inbox / "sub").mkdir()
    return desk


def fallback(desk: Desk) -> set[str]:
    """Return what lies in the fall-back folder."""
    root = desk.way.config.fallback_dir
    return {str(path.relative_to(root)) for path in root.rglob("*")} if root.exists() else set()


def test_a_transcript_waits_elsewhere_until_its_folder_may_be_written(desk: Desk) -> None:
    """It is told where it lies and what helps; with the rights back it lies beside its recording alone."""
    recording = desk.finished("sub/a.wav")
    folder = desk.way.config.fallback_dir / "inbox" / "sub"
    with read_only(desk.way.inbox):
        assert not desk.deliverer.deliver(recording)
        text = (folder / "a.txt").read_text(encoding="utf-8")
        assert desk.state(recording) == "waiting"
        assert str(folder) in str(desk.way.recording(recording)["problem"])
        assert "asr-daemon install" in desk.deliverer.held.problem("inbox")
    assert desk.deliverer.deliver_all() == 1
    assert (desk.way.inbox / "sub" / "a.txt").read_text(encoding="utf-8") == text
    assert desk.state(recording) == "done"
    assert (desk.deliverer.held.problem("inbox"), fallback(desk)) == ("", set())


def test_what_waits_elsewhere_is_not_written_again_and_again(desk: Desk) -> None:
    """Neither in the next round, nor after a restart; an inbox that is read-only for good costs nothing."""
    desk.finished("sub/a.wav")
    desk.finished("b.wav")
    with read_only(desk.way.inbox):
        desk.deliverer.deliver_all()
        written = {path: path.stat().st_ino for path in desk.way.config.fallback_dir.rglob("*.txt")}
        assert len(written) == 2
        assert desk.deliverer.deliver_all() == 0
        desk.again()
        assert desk.deliverer.deliver_all() == 0
        assert {path: path.stat().st_ino for path in written} == written
        assert desk.deliverer.held.problem("inbox")


def test_an_edited_stand_in_stays(desk: Desk) -> None:
    """What a person wrote into the transcript in the fall-back folder is not taken away."""
    recording = desk.finished("a.wav")
    with read_only(desk.way.inbox):
        desk.deliverer.deliver(recording)
        stand_in = desk.way.config.fallback_dir / "inbox" / "a.txt"
        stand_in.write_text("会后补记", encoding="utf-8")
    assert desk.deliverer.deliver_all() == 1
    assert "a.txt" in desk.files()
    assert stand_in.read_text(encoding="utf-8") == "会后补记"


def test_a_failure_file_comes_back_too(desk: Desk) -> None:
    """Why there is no transcript is told beside the recording as soon as it can be."""
    recording = desk.failed("a.wav")
    with read_only(desk.way.inbox):
        assert not desk.deliverer.deliver(recording)
        assert f"inbox/a{FAILED}" in fallback(desk)
    assert desk.deliverer.deliver_all() == 1
    assert f"a{FAILED}" in desk.files()
    assert (desk.state(recording), fallback(desk)) == ("failed", set())


def test_what_an_older_release_left_elsewhere_comes_back(desk: Desk) -> None:
    """It called such a recording done, with the reason in its row."""
    recording = desk.finished("a.wav")
    with read_only(desk.way.inbox):
        desk.deliverer.deliver(recording)
    desk.way.history.db.execute("UPDATE recordings SET state = 'done'")
    desk.again()
    assert desk.deliverer.deliver_all() == 1
    assert "a.txt" in desk.files()


def test_transcribed_again_meanwhile_the_new_text_is_the_one(desk: Desk) -> None:
    """A retry while the folder is closed replaces what lies elsewhere; that is what comes back."""
    recording = desk.finished("a.wav")
    with read_only(desk.way.inbox):
        desk.deliverer.deliver_all()
        desk.way.arrivals.retry(recording)
        job = desk.way.jobs.claim(RECOGNISER, fresh_only=False)
        assert job is not None
        desk.way.finish(job.id, "新的内容")
        desk.deliverer.deliver_all()
        stand_in = desk.way.config.fallback_dir / "inbox" / "a.txt"
        assert "新的内容" in stand_in.read_text(encoding="utf-8")
    desk.deliverer.deliver_all()
    assert "新的内容" in (desk.way.inbox / "a.txt").read_text(encoding="utf-8")
    assert fallback(desk) == set()


def test_an_edited_stand_in_is_no_stumbling_block(desk: Desk) -> None:
    """It lies below no inbox: withdrawing the recording's files passes it over, and says so."""
    recording = desk.finished("sub/a.wav")
    stand_in = desk.way.config.fallback_dir / "inbox" / "sub" / "a.txt"
    with read_only(desk.way.inbox):
        desk.deliverer.deliver(recording)
        stand_in.write_text("改过的", encoding="utf-8")
        desk.deliverer._outputs.withdraw(recording, ["txt"], desk.way.inbox)
    assert stand_in.read_text(encoding="utf-8") == "改过的"
