"""Files written anew because somebody asks for it: which, where, and what stays as it is."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from doored import EditedDaemon
from way import RECOGNISER, Way, make_config

from asr_daemon.control import corrections_messages as c
from asr_daemon.control import messages as m
from asr_daemon.delivery.anew import NOT_CONFIGURED
from asr_daemon.delivery.archiver import Archiver
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.errors import NotDecodableError
from asr_daemon.sentence import UNTOLD, chinese_of

if TYPE_CHECKING:
    from pathlib import Path

EVERY = ("txt", "srt", "vtt", "json", "md", "docx")


class Site:
    """An inbox whose recordings are finished by hand."""

    def __init__(self, folder: Path, **inbox: object) -> None:
        (folder / "archive").mkdir(exist_ok=True)
        self.way = way = Way(folder, **inbox)
        way.time.wall = datetime.now(timezone.utc)
        self.deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
        self.archiver = Archiver(
            way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None
        )

    def written(self, name: str) -> int:
        """Bring a recording to its transcript."""
        recording = self.way.put(name, name.encode())
        self.way.finish(self.way.claim().id, f"内容{name}")
        assert self.deliverer.deliver(recording)
        return recording

    def asks_for(self, **inbox: object) -> None:
        """Change the inbox's section."""
        self.way.config = make_config(self.way.folder, **inbox)
        self.deliverer.reload(self.way.config)
        self.archiver.reload(self.way.config)

    def names(self) -> set[str]:
        """Return what lies in the inbox."""
        return {path.name for path in self.way.inbox.iterdir()}


def test_formats_that_an_inbox_asks_for_now_are_written(tmp_path: Path) -> None:
    """Under the same stem as the others, though that is not the first choice; nothing is recognised."""
    site = Site(tmp_path)
    site.written("a.mp3")
    recording = site.written("a.wav")
    assert site.names() == {"a.mp3", "a.txt", "a.wav", "a.wav.txt"}
    site.asks_for(formats=EVERY)
    done = site.deliverer.anew.write(recording)
    assert set(done.written) == {f"a.wav.{kind}" for kind in EVERY}
    assert (done.kept, done.problem) == ((), "")
    assert site.names() == {"a.mp3", "a.txt", "a.wav", *done.written}
    assert (site.way.inbox / "a.wav.docx").read_bytes().startswith(b"PK")
    assert site.way.jobs.claim(RECOGNISER, fresh_only=False) is None


def test_what_was_taken_away_is_there_again_and_what_was_edited_stays(tmp_path: Path) -> None:
    """An edited file gets no second beside it; the answer names it."""
    site = Site(tmp_path, formats=("txt", "srt"))
    recording = site.written("a.wav")
    (site.way.inbox / "a.srt").unlink()
    (site.way.inbox / "a.txt").write_text("人改过的", encoding="utf-8")
    done = site.deliverer.anew.write(recording)
    assert (done.written, done.kept) == (("a.srt",), ("a.txt",))
    assert (site.way.inbox / "a.txt").read_text(encoding="utf-8") == "人改过的"
    assert site.names() == {"a.wav", "a.txt", "a.srt"}
    assert site.deliverer.anew.write(recording) == done


def test_every_format_goes_along_to_the_archive_and_is_written_anew_there(tmp_path: Path) -> None:
    """Also where a recording of that name lies there: each keeps its own files."""
    site = Site(tmp_path, formats=EVERY, archive=tmp_path / "archive")
    for content in (b"one", b"two"):
        recording = site.way.put("a.wav", content)
        site.way.finish(site.way.claim().id, content.decode())
        assert site.deliverer.deliver(recording)
        assert site.archiver.archive_all() == 1
    assert site.names() == set()
    (folder,) = {path.parent for path in (tmp_path / "archive").rglob("*.wav")}
    of_both = {f"{stem}.{kind}" for stem in ("a", "a (2)") for kind in ("wav", *EVERY)}
    assert {path.name for path in folder.iterdir()} == of_both
    (folder / "a (2).docx").unlink()
    done = site.deliverer.anew.write(recording)
    assert set(done.written) == {f"a (2).{kind}" for kind in EVERY}
    assert {path.name for path in folder.iterdir()} == of_both
    assert "two" in (folder / "a (2).md").read_text(encoding="utf-8")
    assert "one" in (folder / "a.md").read_text(encoding="utf-8")


def test_what_lies_in_an_archive_that_is_configured_no_more_is_left_alone(tmp_path: Path) -> None:
    """Its files are not written into the inbox instead, neither on request nor after a correction."""
    site = Site(tmp_path, archive=tmp_path / "archive")
    recording = site.written("a.wav")
    assert site.archiver.archive_all() == 1
    before = {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()}
    site.asks_for(archive=None)
    assert site.deliverer.anew.write(recording).problem == NOT_CONFIGURED
    assert site.deliverer.rewriter.rewrite(1).written == ()
    assert site.names() == set()
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("what", ["unknown", "waits", "failed", "cancelled", "no inbox", "share gone"])
def test_what_cannot_be_done_is_said_in_both_languages(tmp_path: Path, what: str) -> None:
    """Nothing is written, and nothing raises."""
    site = Site(tmp_path)
    recording = 99 if what == "unknown" else site.way.put("a.wav")
    if what == "failed":
        site.way.jobs.fail(site.way.claim().id, NotDecodableError())
        assert site.deliverer.deliver(recording)
    elif what == "cancelled":
        site.way.arrivals.cancel(recording)
    elif what in ("no inbox", "share gone"):
        site.way.finish(site.way.claim().id, "你好")
        assert site.deliverer.deliver(recording)
        if what == "no inbox":
            site.asks_for(name="another")
        else:
            site.way.inbox.rename(tmp_path / "away")
    done = site.deliverer.anew.write(recording)
    assert (done.written, done.kept) == ((), ())
    assert done.problem
    assert chinese_of(done.problem) not in ("", UNTOLD)


def test_who_may_edit_asks_for_it_in_the_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others do not; that nothing was written is said in Chinese."""
    site = EditedDaemon(tmp_path, monkeypatch)
    try:
        recording = site.transcribed("a.wav", "你好")
        (tmp_path / "inbox" / "a.srt").unlink()
        secret = site.token("秘书", "inbox")
        assert site.client.ask(m.Done, c.WriteFiles(recording), secret).count == 3
        assert (tmp_path / "inbox" / "a.srt").exists()
        assert (
            site.refused(c.WriteFiles(recording), site.token("读者", "inbox", may="read")).code == "forbidden"
        )
        for name in ("a.txt", "a.srt", "a.json"):
            (tmp_path / "inbox" / name).write_text("改过", encoding="utf-8")
        refusal = site.refused(c.WriteFiles(recording), secret)
        assert (refusal.code, refusal.chinese[:7]) == ("conflict", "文件被人修改过")
        waiting = site.put("b.wav")
        assert "还没有转写好" in site.refused(c.WriteFiles(waiting), secret).chinese
    finally:
        site.shut()
