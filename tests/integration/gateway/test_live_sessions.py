"""Live captions through the gateway, before a stand-in whose speech is exact: no word lost, none twice."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from live_gateway import WITHIN_S, Gateway, Speaker, spooled
from websockets.exceptions import ConnectionClosed

from asr_daemon.gateway.live.spool import HEADER_BYTES, Kept, wav_header
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from live_standin import StandIn


SENTENCES = ["今天开会", "讨论预算", "明天再说", "散会"]


def test_what_is_said_is_read_and_put_into_the_inbox(
    tmp_path: Path, gateway: Gateway, daemon: StandIn
) -> None:
    """Provisional text first; the recording has every sample; nothing is left behind."""
    speaker = Speaker(gateway).begin(hotwords=["预算"], itn=False)
    speaker.begin_to_say("今天开会", 2)
    assert speaker.until("interim", text="今天")["stable"] == "今"
    speaker.go_on()
    speaker.hear("今天开会。")
    speaker.until("saved", offset=len(speaker.said))
    speaker.say(*SENTENCES[1:])
    over = speaker.end()
    assert speaker.texts == [f"{each}。" for each in SENTENCES]
    assert [each["number"] for each in speaker.finals] == [1, 2, 3, 4]
    assert (speaker.finals[1]["start_ms"], speaker.finals[1]["end_ms"]) == (800, 1200)
    assert over["path"] == "讲座.wav"
    assert daemon.put == [("inbox", "讲座.wav", wav_header(len(speaker.said)) + speaker.said)]
    assert (daemon.opened[0].hotwords, daemon.opened[0].itn) == (("预算",), False)
    assert spooled(tmp_path) == []


def test_recording_is_thrown_away_where_the_speaker_says_so(
    tmp_path: Path, gateway: Gateway, daemon: StandIn
) -> None:
    """Their captions end all the same."""
    speaker = Speaker(gateway).begin()
    speaker.say("散会")
    assert speaker.end(keep=False)["path"] == ""
    assert speaker.texts == ["散会。"]
    assert daemon.put == []
    assert spooled(tmp_path) == []


def test_connection_that_is_lost_loses_nothing(gateway: Gateway, daemon: StandIn) -> None:
    """In the middle of a sentence and of a sample; the captions meanwhile come with the next connection."""
    speaker = Speaker(gateway).begin()
    speaker.say("今天开会")
    speaker.hear("今天开会。")
    speaker.begin_to_say("讨论预算", 2, odd=1)
    speaker.socket.close()
    speaker.begin()
    assert speaker.ready["offset"] < len(speaker.said)
    speaker.say("散会")
    speaker.end()
    assert speaker.texts == ["今天开会。", "讨论预算。", "散会。"]
    assert daemon.put[0][2][HEADER_BYTES:] == speaker.said


def test_recogniser_that_is_killed_loses_nothing(gateway: Gateway, daemon: StandIn) -> None:
    """Killed after every other character; once with none to be had for a while, which is told."""
    speaker = Speaker(gateway).begin()
    for sentence in SENTENCES:
        speaker.begin_to_say(sentence, 2)
        speaker.until("interim", text=sentence[:2])
        daemon.is_away = sentence == SENTENCES[-1]
        daemon.kill_recognisers()
        speaker.go_on()
        if daemon.is_away:
            assert speaker.until("state", mood="waiting", reason="no model can be loaded")["chinese"]
            daemon.is_away = False
        speaker.hear(f"{sentence}。")
    speaker.end()
    assert speaker.texts == [f"{each}。" for each in SENTENCES]
    assert len(daemon.opened) > len(SENTENCES)


def test_gateway_that_ends_in_the_middle_goes_on_where_it_was(tmp_path: Path, daemon: StandIn) -> None:
    """The next process has sound, captions and numbers; the speaker's page sends the rest."""
    with Gateway(tmp_path) as first:
        speaker = Speaker(first).begin()
        speaker.say("今天开会")
        speaker.hear("今天开会。")
        speaker.begin_to_say("讨论预算", 3)
        speaker.until("interim", text="讨论预")
    with pytest.raises(ConnectionClosed):
        speaker.until("never")
    with Gateway(tmp_path) as second:
        speaker.gateway = second
        speaker.begin()
        speaker.hear("讨论预算。")
        speaker.say("散会")
        speaker.end()
    assert speaker.texts == ["今天开会。", "讨论预算。", "散会。"]
    assert [each["number"] for each in speaker.finals] == [1, 2, 3]
    assert "".join(daemon.heard).count("今天开会") == 1  # what is final is not even heard again
    assert daemon.put[0][2][HEADER_BYTES:] == speaker.said


def test_session_whose_speaker_stays_away_ends_by_itself(tmp_path: Path, daemon: StandIn) -> None:
    """Also where the gateway was started anew meanwhile; its recording is in the inbox."""
    with Gateway(tmp_path) as first:
        speaker = Speaker(first).begin()
        speaker.say("今天开会")
        speaker.hear("今天开会。")
    with Gateway(tmp_path, live_left_m=0):
        eventually(lambda: daemon.put, what="the recording in the inbox")
        eventually(lambda: not spooled(tmp_path), what="an empty spool")
    assert daemon.put[0][2][HEADER_BYTES:] == speaker.said


def test_inbox_that_is_away_at_the_end_gets_the_recording_later(
    tmp_path: Path, gateway: Gateway, daemon: StandIn
) -> None:
    """It waits in the spool, and is told of."""
    daemon.puts_nothing = True
    speaker = Speaker(gateway).begin()
    speaker.say("散会")
    speaker.command("end", keep=True)
    assert speaker.until("state", mood="ending", reason="the share is away")
    (kept,) = gateway.ask("GET", "/api/v1/live").json()
    assert (kept["mood"], kept["reason_zh"]) == ("ending", "共享文件夹不可用。")
    daemon.puts_nothing = False
    assert gateway.ask("POST", f"/api/v1/live/{kept['session']}/end", json={"keep": True}).status_code == 200
    assert speaker.until("state", mood="over")["path"] == "讲座.wav"
    assert len(daemon.put) == 1


def events(gateway: Gateway, link: str, after: str = "", who: str = "") -> Iterator[dict[str, Any]]:
    """Yield what a reader is told."""
    headers = {"Last-Event-ID": after} if after else {}
    headers |= {"Authorization": f"Bearer {who}"} if who else {}
    url = f"http://127.0.0.1:{gateway.port}{link}/events"
    with httpx.stream("GET", url, headers=headers, timeout=WITHIN_S) as answer:
        assert answer.status_code == 200, answer.read()
        event: dict[str, Any] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("event", "id"):
                event[name] = value
            elif name == "data":
                yield {**event, **json.loads(value)}
                event = {}


def test_readers_follow_without_a_token_and_resume_by_number(gateway: Gateway, daemon: StandIn) -> None:
    """Whoever comes late has all of it, whoever lost the connection what came since; in time all are told."""
    speaker = Speaker(gateway).begin()
    link = speaker.ready["link"]
    page = gateway.ask("GET", link, who="")
    assert page.status_code == 200
    assert "讲座" in page.text
    speaker.say(*SENTENCES[:2])
    speaker.hear("讨论预算。")
    with contextlib.closing(events(gateway, link)) as reader:
        assert [next(reader)["text"] for _ in range(2)] == ["今天开会。", "讨论预算。"]
        speaker.begin_to_say("散会", 1)
        assert next(each["text"] for each in reader if each["event"] == "interim") == "散"
        speaker.go_on()
        assert next(each["text"] for each in reader if each["event"] == "final") == "散会。"
    speaker.end()
    later = list(events(gateway, link, after="2"))
    assert [(each["id"], each["text"]) for each in later if each["event"] == "final"] == [("3", "散会。")]
    assert later[-1] == {"event": "state", "mood": "over"}


def test_readers_log_in_where_the_speaker_wishes(gateway: Gateway, daemon: StandIn) -> None:
    """And then may read what they may read of the inbox."""
    speaker = Speaker(gateway).begin(readers_log_in=True)
    link = speaker.ready["link"]
    assert gateway.ask("GET", link, who="").status_code == 303
    assert gateway.ask("GET", f"{link}/events", who="").status_code == 401
    assert gateway.ask("GET", f"{link}/events", who="hr").status_code == 404
    assert gateway.ask("GET", link, who="reader").status_code == 200
    speaker.say("散会")
    assert (
        next(each for each in events(gateway, link, who="reader") if each.get("number"))["text"] == "散会。"
    )
    speaker.end()


def test_code_to_the_link_is_a_picture_for_its_speaker_alone(gateway: Gateway, daemon: StandIn) -> None:
    """Made here, of the address that the page was opened at."""
    speaker = Speaker(gateway).begin()
    path = f"/api/v1/live/{speaker.session}/qr.svg"
    answer = gateway.ask("GET", path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert b"<svg" in answer.content
    assert gateway.ask("GET", path, who="hr").status_code == 404
    assert gateway.ask("GET", path, who="").status_code == 401
    speaker.end(keep=False)


def test_second_connection_of_a_speaker_takes_over(gateway: Gateway, daemon: StandIn) -> None:
    """The first one may be dead and not know it."""
    speaker = Speaker(gateway).begin()
    speaker.say("今天开会")
    speaker.hear("今天开会。")
    old = speaker.socket
    speaker.begin()
    with pytest.raises(ConnectionClosed, match=r"4001.*spoken in from elsewhere"):
        list(old)
    speaker.say("散会")
    speaker.end()
    assert speaker.texts == ["今天开会。", "散会。"]


def test_sound_that_is_being_written_when_another_connection_takes_over_is_there_once(
    gateway: Gateway, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the next one is to go on is said when the last one's sound is written."""
    speaker = Speaker(gateway).begin()
    begun, go_on, append = threading.Event(), threading.Event(), Kept.append

    def slowly(kept: Kept, sound: bytes) -> None:
        if sound:
            begun.set()
            go_on.wait(WITHIN_S)
        append(kept, sound)

    monkeypatch.setattr(Kept, "append", slowly)
    speaker.say("今天开会")
    assert begun.wait(WITHIN_S)
    threading.Timer(0.3, go_on.set).start()
    speaker.begin()
    assert speaker.ready["offset"] == len(speaker.said)
    speaker.end()
    assert speaker.texts == ["今天开会。"]
    assert daemon.put[0][2][HEADER_BYTES:] == speaker.said


def test_pause_is_told_to_readers(gateway: Gateway, daemon: StandIn) -> None:
    """And going on as well."""
    speaker = Speaker(gateway).begin()
    speaker.command("pause")
    speaker.until("state", mood="paused")
    speaker.command("go_on")
    speaker.until("state", mood="live")
    speaker.end(keep=False)


def test_session_is_its_speakers_alone(gateway: Gateway, daemon: StandIn) -> None:
    """Another department neither sees, resumes nor ends it."""
    speaker = Speaker(gateway).begin()
    assert gateway.ask("GET", "/api/v1/live", who="hr").json() == []
    ended = gateway.ask("POST", f"/api/v1/live/{speaker.session}/end", who="hr", json={"keep": False})
    assert ended.status_code == 404
    with gateway.socket("hr") as socket:
        socket.send(json.dumps({"type": "resume", "session": speaker.session}))
        assert json.loads(socket.recv(WITHIN_S))["code"] == "not_found"
    speaker.end(keep=False)
