"""Live captions through processes that are killed in the middle of sentences, with the built-in model."""

from __future__ import annotations

import os
import signal
import wave
from typing import TYPE_CHECKING, Any

import pytest
from browsing import RealSite
from live_gateway import Speaker
from websockets.sync.client import ClientConnection, connect

from support import SAMPLES, DaemonUnderTest, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

BYTES_PER_MS = 32
NEAR_MS = 300  # the VAD begins anew in the middle


class Spoken(RealSite):
    """The processes, and a way to speak to them."""

    token = ""

    def socket(self, who: str) -> ClientConnection:
        """Open the speaker's socket."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"ws://127.0.0.1:{self.port}/api/v1/live"
        return connect(url, additional_headers=headers).__enter__()

    def kill_recogniser(self) -> None:
        """End it as a crash would."""
        os.kill(self.live()["recogniser"]["pid"], signal.SIGKILL)

    def restart_daemon(self) -> None:
        """End the daemon as a power cut would, and start it again."""
        DaemonUnderTest.kill(self)
        DaemonUnderTest.start(self)

    def restart_gateway(self) -> None:
        """End the gateway as a power cut would, and start it again."""
        self.kill_gateway()
        self.start_gateway()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoken]:
    """Return them."""
    with Spoken(tmp_path_factory.mktemp("site")) as site:
        site.start()
        site.token = site.let_in("王老师", "inbox", may="upload")
        yield site
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")


def sound_of(folder: Path) -> bytes:
    """Return two recordings, one after the other."""
    sound = b""
    for name in ("lecture.wav", "finance.m4a"):
        path = convert(SAMPLES / name, folder / f"{name}.wav", "-ar", "16000", "-ac", "1")
        with wave.open(str(path)) as file:
            sound += file.readframes(file.getnframes())
    return sound


def whole(speaker: Speaker) -> list[dict[str, Any]]:
    """End without keeping; return what was said."""
    speaker.end(keep=False)
    return speaker.finals


def test_no_word_is_lost_or_repeated_whoever_is_killed(site: Spoken, tmp_path: Path) -> None:
    """Recogniser, daemon, gateway, each in the middle of a sentence: the captions are those without kills."""
    sound = sound_of(tmp_path)
    speaker = Speaker(site).begin()
    speaker.speak(sound)
    expected = whole(speaker)
    assert len(expected) >= 5
    kills: list[Callable[[], None]] = [site.kill_recogniser, site.restart_daemon, site.restart_gateway]
    speaker = Speaker(site).begin()
    at = 0
    for sentence, before, kill in zip(expected[1:], expected, kills, strict=False):
        middle = (sentence["start_ms"] + sentence["end_ms"]) // 2 * BYTES_PER_MS
        speaker.speak(sound[at:middle])
        at = middle
        while speaker.number < before["number"]:
            speaker.until("final")
        kill()
        if kill == site.restart_gateway:
            speaker.begin()
    speaker.speak(sound[at:])
    found = whole(speaker)
    assert [each["text"] for each in found] == [each["text"] for each in expected]
    assert [each["number"] for each in found] == [each["number"] for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert abs(one["start_ms"] - other["start_ms"]) <= NEAR_MS
        assert abs(one["end_ms"] - other["end_ms"]) <= NEAR_MS
    eventually(lambda: not list((site.folder / "state/gateway/live").iterdir()), what="an empty spool")
