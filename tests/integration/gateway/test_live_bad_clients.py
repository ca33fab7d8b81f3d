"""Live captions before clients that may not, make no sense, come in crowds, or do not read."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from live_gateway import WITHIN_S, Gateway, Speaker, spooled
from live_standin import NO_SOUND
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State
from websockets.uri import parse_uri

from asr_daemon.gateway import connection
from asr_daemon.gateway.live.captions import Caption
from asr_daemon.gateway.live.spool import HEADER_BYTES
from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from live_standin import StandIn
    from websockets.sync.client import ClientConnection

LONG_CAPTIONS = 300


@pytest.mark.parametrize(
    ("token", "inbox", "code"),
    [("hr", "inbox", "not_found"), ("reader", "inbox", "not_found"), ("nobody", "inbox", "log_in")],
)
def test_who_may_not_upload_there_may_not_speak_there(
    gateway: Gateway, daemon: StandIn, token: str, inbox: str, code: str
) -> None:
    """They are told so, and nothing is kept."""
    with gateway.socket(token) as end:
        end.send(json.dumps({"type": "start", "inbox": inbox, "name": "x"}))
        told = json.loads(end.recv(WITHIN_S))
        assert (told["type"], told["code"]) == ("refused", code)
        with pytest.raises(ConnectionClosed):
            end.recv(WITHIN_S)
    assert daemon.opened == []


def test_page_of_another_site_cannot_speak_with_ones_cookie(gateway: Gateway, daemon: StandIn) -> None:
    """A browser would send it along."""
    strange = {"Cookie": "asr_session=speaker", "Origin": "https://evil.example"}
    with gateway.socket("", **strange) as end:
        told = json.loads(end.recv(WITHIN_S))
        assert told["code"] == "forbidden"
    own = {"Cookie": "asr_session=speaker", "Origin": f"http://127.0.0.1:{gateway.port}"}
    with gateway.socket("", **own) as end:
        end.send(json.dumps({"type": "start", "inbox": "inbox", "name": "x"}))
        assert json.loads(end.recv(WITHIN_S))["type"] == "ready"
        end.send(json.dumps({"type": "end", "keep": False}))


@pytest.mark.parametrize(
    "first", ["", "今天", "[]", '{"type":"start"}', b"\x00\x01", '{"type":"end","keep":true}']
)
def test_first_message_that_is_none_is_refused(gateway: Gateway, daemon: StandIn, first: str | bytes) -> None:
    """With its reason, and nothing began."""
    with gateway.socket() as end:
        end.send(first)
        assert json.loads(end.recv(WITHIN_S))["code"] == "refused"
        with pytest.raises(ConnectionClosed):
            end.recv(WITHIN_S)
    assert daemon.opened == []


def test_text_where_sound_belongs_is_refused_and_the_session_stays(gateway: Gateway, daemon: StandIn) -> None:
    """Its speaker comes back and loses nothing."""
    speaker = Speaker(gateway).begin()
    speaker.say("今天开会")
    speaker.hear("今天开会。")
    speaker.socket.send("你好")
    with pytest.raises(AssertionError, match="refused"):
        speaker.until("never")
    speaker.begin()
    speaker.say("散会")
    speaker.end()
    assert speaker.texts == ["今天开会。", "散会。"]


def test_what_is_no_sound_ends_the_session_with_its_reason(gateway: Gateway, daemon: StandIn) -> None:
    """In both languages; nothing is put into the inbox."""
    speaker = Speaker(gateway).begin()
    speaker.socket.send(NO_SOUND * 1000)
    over = speaker.until("state", mood="over")
    assert (over["reason"], over["path"]) == ("This is text.", "")
    assert "PCM" in over["chinese"]
    assert daemon.put == []


def test_seventeenth_is_refused_with_its_reason(gateway: Gateway, daemon: StandIn, tmp_path: Path) -> None:
    """In the daemon's words; nothing of it is kept, and the others go on."""
    daemon.most = 2
    speakers = [Speaker(gateway).begin() for _ in range(2)]
    with gateway.socket() as end:
        end.send(json.dumps({"type": "start", "inbox": "inbox", "name": "x"}))
        told = json.loads(end.recv(WITHIN_S))
        assert (told["code"], told["message"]) == ("unavailable", "sixteen live sessions are open")
        assert told["message_zh"]
    eventually(lambda: len(spooled(tmp_path)) == 2, what="nothing kept of the third")
    for speaker in speakers:
        speaker.say("散会")
        speaker.end()
        assert speaker.texts == ["散会。"]


def test_flood_of_connections_is_bounded(gateway: Gateway, daemon: StandIn) -> None:
    """Those beyond the bound are turned away at once; those who speak do not notice."""
    speaker = Speaker(gateway).begin()
    held: list[ClientConnection] = []
    refused: list[int] = []
    for _ in range(200):
        try:
            held.append(gateway.socket())
        except InvalidStatus as error:
            refused.append(error.response.status_code)
    assert len(refused) >= 70
    assert set(refused) == {503}
    speaker.say("散会")
    speaker.hear("散会。")
    for end in held:
        end.close()
    eventually(lambda: Speaker(gateway).begin().end(keep=False), what="room again")
    speaker.end(keep=False)


def flooded(gateway: Gateway, speaker: Speaker) -> None:
    """Let more be said at once than buffers hold between here and a client that does not read."""
    session = gateway.app.state.live.find(speaker.session, "speaker")

    def say() -> None:
        for number in range(session.captions.count + 1, LONG_CAPTIONS + 1):
            session.captions.add(Caption(number, 0, 0, "长" * 30_000), (), 0)

    session.opened.get_loop().call_soon_threadsafe(say)


def deaf(gateway: Gateway, text: str) -> socket.socket:
    """Open a WebSocket that sends one message, and reads nothing from then on."""
    protocol = ClientProtocol(parse_uri(f"{gateway.url}/api/v1/live"))
    request = protocol.connect()
    request.headers["Authorization"] = "Bearer speaker"
    protocol.send_request(request)
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end.connect(("127.0.0.1", gateway.port))
    end.sendall(b"".join(protocol.data_to_send()))
    while protocol.state is State.CONNECTING:
        protocol.receive_data(end.recv(4096))
    protocol.send_text(text.encode())
    end.sendall(b"".join(protocol.data_to_send()))
    return end


def test_reader_that_does_not_read_is_dropped(
    gateway: Gateway, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is held for it, and the session goes on."""
    monkeypatch.setattr(connection, "READ_WITHIN_S", 0.3)
    speaker = Speaker(gateway).begin()
    speaker.socket.close()
    flooded(gateway, speaker)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", gateway.port))
        reader.sendall(f"GET {speaker.ready['link']}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        eventually(lambda: gateway.app.state.readers.count == 1, what="a reader")
        eventually(lambda: gateway.app.state.readers.count == 0, what="its end")
    monkeypatch.undo()
    speaker.begin()
    speaker.until("final", number=LONG_CAPTIONS)
    speaker.say("散会")
    speaker.hear("散会。")
    speaker.end(keep=False)


def test_speaker_that_does_not_read_is_dropped_and_may_come_back(
    gateway: Gateway, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sound is kept, and its session waits."""
    monkeypatch.setattr(connection, "READ_WITHIN_S", 0.3)
    speaker = Speaker(gateway).begin()
    session = gateway.app.state.live.find(speaker.session, "speaker")
    speaker.say("今天开会")
    speaker.hear("今天开会。")
    speaker.socket.close()
    eventually(lambda: not session.is_spoken, what="the end of the connection")
    flooded(gateway, speaker)
    with deaf(gateway, json.dumps({"type": "resume", "session": speaker.session})):
        eventually(lambda: session.is_spoken, what="a client that does not read")
        eventually(lambda: not session.is_spoken, what="its end")
    monkeypatch.undo()
    speaker.begin()
    speaker.say("散会")
    speaker.hear("散会。")
    speaker.end()
    assert daemon.put[0][2][HEADER_BYTES:] == speaker.said


def test_silence_keeps_the_session(gateway: Gateway, daemon: StandIn) -> None:
    """Ten minutes of it, told at once: no caption, nothing lost, and the next sentence is there."""
    speaker = Speaker(gateway).begin()
    speaker.speak(bytes(600 * 32_000))
    speaker.say("散会")
    speaker.hear("散会。")
    speaker.end()
    assert [(each["text"], each["start_ms"]) for each in speaker.finals] == [("散会。", 600_000)]
    assert len(daemon.put[0][2]) == HEADER_BYTES + len(speaker.said)
