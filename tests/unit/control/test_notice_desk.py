"""What the gateway is given to send: all that a message may say, a transcript only where that is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from way import OpenDaemon

from asr_daemon.config import Config
from asr_daemon.control import messages as m
from asr_daemon.control.notice_desk import MOST_TEXT_CHARS, NoticeDesk
from asr_daemon.control.notice_messages import Notices, SettleNotices, TakeNotices
from asr_daemon.errors import SilkError
from asr_daemon.gateway.daemon_client import MOST_TOLD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Site(OpenDaemon):
    """A daemon with one receiver, asked in this process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.desk = NoticeDesk(self.parts)
        self.receive()

    def receive(self, **changes: Any) -> None:
        """Configure the receiver."""
        section = {
            "name": "a",
            "url": "https://a.example/",
            "on": ["done", "failed"],
            "digest_s": 0,
            **changes,
        }
        config = Config.model_validate({**self.config.model_dump(), "notify": [section]})
        self.parts.configuration.now = config
        self.parts.upkeep.reload(config)

    def transcribed(self, name: str, *texts: str) -> int:
        """Have a recording recognised and delivered; return its number."""
        recording = self.put(name, name.encode())
        self.finish(self.claim().id, *texts)
        assert self.parts.deliverer.deliver(recording)
        return recording

    def take(self, *, alone: bool = True) -> Notices:
        """Return what is to be sent, which there must be at once."""
        told = next(self.desk.take(m.Ask(TakeNotices("a", alone)), None))
        assert isinstance(told, Notices), told
        return told


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return the daemon."""
    site = Site(tmp_path)
    yield site
    site.close()


def test_a_transcript_goes_along_only_where_that_is_wanted(site: Site) -> None:
    """And is the text in force, cut where it is long."""
    site.transcribed("a.wav", "我们同意。", "散会。")
    (notice,) = site.take().notices
    assert (notice.text, notice.file, notice.duration_ms) == (None, "a.wav", 2000)
    site.receive(include_text=True)
    assert site.take().notices[0].text == "我们同意。\n散会。"
    batch = site.take()
    list(site.desk.settle(m.Ask(SettleNotices(batch.batch, is_sent=True, said="ok")), None))
    site.transcribed("b.wav", "长" * (MOST_TEXT_CHARS + 5))
    (notice,) = site.take().notices
    assert (len(notice.text or ""), notice.text_is_cut) == (MOST_TEXT_CHARS, True)


def test_a_forgotten_transcript_is_not_sent(site: Site) -> None:
    """Though the message waits."""
    site.receive(include_text=True)
    recording = site.transcribed("a.wav", "我们同意。")
    site.daemon.commands.answer({"command": "forget", "recordings": [recording]})
    assert site.take().notices[0].text is None


def test_a_batch_is_a_line_that_the_gateway_takes(site: Site) -> None:
    """However long texts and names are."""
    site.receive(include_text=True)
    for number in range(12):
        site.transcribed(f"{number} {'很长的名字' * 15}.wav", "长" * MOST_TEXT_CHARS)
    batch = site.take(alone=False)
    assert len(batch.notices) == 12
    assert len(m.encode_told(batch)) < MOST_TOLD_BYTES / 2
    assert m.decode_told(m.encode_told(batch)) == batch


def test_a_failure_is_told_in_both_languages(site: Site) -> None:
    """By its class."""
    recording = site.put("a.wav")
    site.jobs.fail(site.claim().id, SilkError())
    assert site.parts.deliverer.deliver(recording)
    (notice,) = site.take().notices
    assert (notice.event, notice.code) == ("failed", "silk")
    assert "SILK" in notice.problem
    assert "微信语音" in notice.problem_zh


def test_whoever_nobody_configured_gets_nothing(site: Site) -> None:
    """A gateway that read another file waits."""
    site.transcribed("a.wav", "我们同意。")
    answers = site.desk.take(m.Ask(TakeNotices("b", alone=True)), None)
    assert next(answers) == m.Done()
    answers.close()
