"""What lies in the archive says what is in force, too: corrected, renamed, forgotten there as beside it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from doored import EditedDaemon

from asr_daemon.control import corrections_messages as c
from asr_daemon.control import messages as m

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Archived(EditedDaemon):
    """A recording in the archive, and who may edit it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.archive = folder / "archive"
        self.archive.mkdir()
        super().__init__(folder, monkeypatch, archive=self.archive)
        self.recording = self.transcribed("a.wav", "你好", "再见")
        assert self.parts.archiver.archive_all() == 1
        self.secret = self.token("秘书", "inbox")

    @property
    def month(self) -> Path:
        """Where it lies."""
        (place,) = self.archive.rglob("a.wav")
        return place.parent

    def correct(self, text: str) -> None:
        """Give its first segment another text."""
        detail = self.client.ask(m.RecordingDetail, m.GetRecording(self.recording), self.secret)
        self.client.ask(c.Corrected, c.Correct(self.recording, detail.version, 0, text), self.secret)

    def says(self, kind: str) -> str:
        """Return what a transcript says."""
        return (self.month / f"a.{kind}").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archived]:
    """Return it."""
    site = Archived(tmp_path, monkeypatch)
    yield site
    site.shut()


def test_corrected_text_is_written_into_the_archive(site: Archived) -> None:
    """Every format, again and again, and nothing lies in the inbox."""
    for text in ("您好", "诸位好"):
        site.correct(text)
        assert site.rewritten() == 1
        for kind in ("txt", "srt", "json"):
            assert text in site.says(kind)
    assert site.rewritten() == 0
    assert list(site.inbox.iterdir()) == []
    assert {path.name for path in site.month.iterdir()} == {"a.wav", "a.txt", "a.srt", "a.json"}


def test_command_that_renames_a_speaker_writes_into_the_archive(site: Archived) -> None:
    """It names what it wrote."""
    job = site.history.one("get_recording", recording=site.recording)["job_id"]  # type: ignore[index]
    done = site.parts.deliverer.rewriter.rewrite(job, "inbox")
    assert set(done.written) == {"a.txt", "a.srt", "a.json"}


def test_what_a_person_edited_or_took_away_there_stays_so(site: Archived) -> None:
    """The others are written."""
    (site.month / "a.txt").write_text("会后补记", encoding="utf-8")
    (site.month / "a.srt").unlink()
    site.correct("您好")
    assert site.rewritten() == 1
    assert site.says("txt") == "会后补记"
    assert not (site.month / "a.srt").exists()
    assert "您好" in site.says("json")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_link_below_the_archive_is_followed(site: Archived, tmp_path: Path, depth: int) -> None:
    """A department's, a year's or a month's folder that leads elsewhere, with the very same file there."""
    folder = site.month
    inside = folder.relative_to(site.archive)
    swapped = site.archive.joinpath(*inside.parts[:depth])
    elsewhere = tmp_path / "hr" / "theirs"
    shutil.move(swapped, elsewhere)
    swapped.symlink_to(elsewhere)
    before = (folder / "a.txt").read_bytes()
    site.correct("您好")
    site.rewritten()
    assert (folder / "a.txt").read_bytes() == before
    told = site.client.ask(c.Forgotten, c.Forget(site.recording), site.secret)
    assert told.removed == ()
    assert (folder / "a.txt").read_bytes() == before


def test_archive_that_is_not_mounted_is_waited_for(site: Archived) -> None:
    """An empty folder in its place is no archive; those of the inbox are written meanwhile."""
    other = site.transcribed("b.wav", "早上好")
    site.correct("您好")
    away = site.archive.rename(site.archive.with_name("away"))
    site.archive.mkdir()
    detail = site.client.ask(m.RecordingDetail, m.GetRecording(other), site.secret)
    site.client.ask(c.Corrected, c.Correct(other, detail.version, 0, "晚上好"), site.secret)
    assert site.rewritten() == 1
    assert "晚上好" in (site.inbox / "b.txt").read_text(encoding="utf-8")
    site.archive.rmdir()
    away.rename(site.archive)
    assert site.rewritten() == 1
    assert "您好" in site.says("txt")


def test_what_is_due_to_be_written_is_written_before_it_is_archived(site: Archived) -> None:
    """Nobody moves a file away that is being replaced."""
    other = site.transcribed("b.wav", "早上好")
    detail = site.client.ask(m.RecordingDetail, m.GetRecording(other), site.secret)
    site.client.ask(c.Corrected, c.Correct(other, detail.version, 0, "晚上好"), site.secret)
    assert site.parts.archiver.archive_all() == 0
    assert site.rewritten() == 1
    assert site.parts.archiver.archive_all() == 1
    assert "晚上好" in (site.month / "b.txt").read_text(encoding="utf-8")


def test_name_that_is_used_again_is_written_for_the_recording_that_has_it(site: Archived) -> None:
    """The first was taken away from the archive: its row does not stand in the second one's way."""
    month = site.month
    for path in list(month.iterdir()):
        path.unlink()
    second = site.transcribed("a.wav", "第二个", content=b"another")
    assert site.parts.archiver.archive_all() == 1
    assert site.month == month
    site.correct("您好")  # the first one's, which has no files any more
    detail = site.client.ask(m.RecordingDetail, m.GetRecording(second), site.secret)
    site.client.ask(c.Corrected, c.Correct(second, detail.version, 0, "改过的"), site.secret)
    site.rewritten()
    assert "改过的" in site.says("txt")
    assert "您好" not in site.says("txt")


def test_text_that_is_forgotten_goes_from_the_archive_too(site: Archived) -> None:
    """The sound stays."""
    (site.month / "a.json").write_text("{}", encoding="utf-8")
    told = site.client.ask(c.Forgotten, c.Forget(site.recording), site.secret)
    assert set(told.removed) == {"a.txt", "a.srt"}
    assert told.kept == ("a.json",)
    assert {path.name for path in site.month.iterdir()} == {"a.wav", "a.json"}
