"""FunASR's WebSocket protocol, spoken as its Python, C++ and html5 clients do, before a stand-in."""

from __future__ import annotations

import contextlib
import json
import struct
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from live_gateway import WITHIN_S, Gateway
from live_standin import BLOCK_BYTES, FIRST, NO_SOUND, StandIn, speech
from websockets.exceptions import ConnectionClosed

from asr_daemon.config import Config
from asr_daemon.gateway.live.spool import HEADER_BYTES, wav_header
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

CHUNK_BYTES = 1920  # 60 ms, as its clients send
CLOSES_AFTER_S = 3.0  # the html5 client, when it stopped
FIRST_MESSAGE = {
    "mode": "2pass",
    "chunk_size": [5, 10, 5],
    "chunk_interval": 10,
    "encoder_chunk_look_back": 4,
    "decoder_chunk_look_back": 0,
    "audio_fs": 16000,
    "wav_name": "m1",
    "wav_format": "pcm",
    "is_speaking": True,
    "hotwords": '{"预算会议": 20}',
    "itn": True,
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Return a stand-in."""
    folder = tmp_path_factory.mktemp("state")
    path = Config.model_validate({"daemon": {"state_dir": folder}, "gateway": {}}).gateway_socket_path
    with StandIn(path) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def gateway(daemon: StandIn) -> Iterator[Gateway]:
    """Return a gateway before it."""
    with Gateway(daemon.path.parent) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def _fresh(daemon: StandIn) -> None:
    daemon.put.clear()
    daemon.opened.clear()
    daemon.sent.clear()


def opened(gateway: Gateway, query: str = "token=speaker", **first: Any) -> ClientConnection:
    """Connect as its clients do, and send the first message."""
    socket = gateway.socket("", f"/?{query}", subprotocols=["binary"])
    assert socket.subprotocol == "binary"
    with contextlib.suppress(ConnectionClosed):  # refused already
        socket.send(json.dumps({**FIRST_MESSAGE, **first}))
    return socket


def spoken(socket: ClientConnection, sound: bytes, size: int = CHUNK_BYTES) -> None:
    """Send sound."""
    for at in range(0, len(sound), size):
        socket.send(sound[at : at + size])


def told(socket: ClientConnection) -> dict[str, Any]:
    """Return the next answer."""
    return dict(json.loads(socket.recv(WITHIN_S)))


def all_told(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return the answers up to the last one, which has to come before the html5 client closes."""
    answers, began_s = [], time.monotonic()
    while not answers or not answers[-1]["is_final"]:
        answers.append(told(socket))
    assert time.monotonic() - began_s < CLOSES_AFTER_S
    return answers


def on_screen(answers: list[dict[str, Any]]) -> str:
    """Return what a client shows: online text is appended until offline text replaces it."""
    stands = pending = ""
    for each in answers:
        if each["mode"] == "2pass-offline":
            stands, pending = stands + each["text"], ""
        else:
            pending += each["text"]
    return stands + pending


def test_two_passes_as_the_html5_client_speaks(gateway: Gateway, daemon: StandIn) -> None:
    """Increments of what is stable, each sentence in its place, the last answer final and in time."""
    socket = opened(gateway, chunk_size="5,10,5")
    spoken(socket, speech("今天开会")[: 3 * BLOCK_BYTES])
    first = told(socket)
    assert first == {"mode": "2pass-online", "wav_name": "m1", "text": first["text"], "is_final": False}
    assert "今天".startswith(first["text"])
    spoken(socket, speech("今天开会")[3 * BLOCK_BYTES :] + speech("预算")[:BLOCK_BYTES])
    spoken(socket, speech("预算", 0)[BLOCK_BYTES:])
    socket.send(json.dumps({"is_speaking": False}))
    answers = [first, *all_told(socket)]
    assert on_screen(answers) == "今天开会。预算。"
    standing = [each for each in answers if each["mode"] == "2pass-offline"]
    assert [each["is_final"] for each in standing] == [False, True]
    assert json.loads(standing[0]["timestamp"]) == [[0, 100], [100, 200], [200, 300], [300, 400]]
    assert standing[0]["stamp_sents"] == [
        {
            "text_seg": "今 天 开 会",
            "punc": "。",
            "start": 0,
            "end": 400,
            "ts_list": [[0, 100], [100, 200], [200, 300], [300, 400]],
        }
    ]
    assert (daemon.opened[0].hotwords, daemon.opened[0].itn) == (("预算会议",), True)
    assert daemon.put == []


def test_last_answer_is_final_where_all_was_said_before(gateway: Gateway) -> None:
    """A client that waits for it would hang."""
    socket = opened(gateway)
    spoken(socket, speech("散会"))
    answers = [told(socket)]
    while answers[-1]["mode"] != "2pass-offline":
        answers.append(told(socket))
    assert not answers[-1]["is_final"]
    socket.send(json.dumps({"is_finished": True}))
    answers += all_told(socket)
    assert on_screen(answers) == "散会。"


def test_online_is_what_was_said_and_nothing_twice(gateway: Gateway) -> None:
    """Such clients only append."""
    socket = opened(gateway, mode="online")
    spoken(socket, speech("今天开会") + speech("散会"), 777)
    socket.send(json.dumps({"is_speaking": False}))
    answers = all_told(socket)
    assert {each["mode"] for each in answers} == {"online"}
    assert "".join(each["text"] for each in answers) == "今天开会散会"


def test_newest_python_client_gets_its_acknowledgement_and_sends_the_next(gateway: Gateway) -> None:
    """Two recordings on one connection."""
    socket = opened(gateway)
    for name, sentence in (("a", "今天"), ("b", "散会")):
        if name == "b":
            socket.send(json.dumps({**FIRST_MESSAGE, "wav_name": "b", "hotwords": "预算 会议"}))
        spoken(socket, speech(sentence))
        socket.send(json.dumps({"is_speaking": False, "is_end": True}))
        answers = all_told(socket)
        assert on_screen(answers) == f"{sentence}。"
        ended = told(socket)
        assert ended == {"mode": "2pass", "wav_name": ended["wav_name"], "is_final": True, "is_end": True}


def test_sound_of_a_telephone_is_brought_to_our_rate(gateway: Gateway, daemon: StandIn) -> None:
    """Every sentence of 8 kHz is there, as long as it was, with the odd bytes in between."""
    socket = opened(gateway, "token=speaker&keep=1", audio_fs=8000)
    sound = speech("今天开会")
    half = b"".join(sound[at : at + 2] for at in range(0, len(sound), 4))
    spoken(socket, half, 333)
    socket.send(json.dumps({"is_speaking": False}))
    texts = [each["text"] for each in all_told(socket) if each["mode"] == "2pass-offline"]
    assert [len(text) for text in texts] in ([5, 0], [6, 0], [5], [6])
    eventually(lambda: daemon.put, what="the recording")
    assert abs(len(daemon.put[0][2]) - HEADER_BYTES - len(sound)) < BLOCK_BYTES


def test_recording_is_kept_where_that_is_asked_for(gateway: Gateway, daemon: StandIn) -> None:
    """In the inbox, under its name; also where the client just went."""
    socket = opened(gateway, "token=speaker&keep=1", wav_name="例会.wav")
    spoken(socket, speech("散会"))
    while told(socket)["mode"] != "2pass-offline":
        pass
    socket.close()
    expected = ("inbox", "例会.wav", wav_header(len(speech("散会"))) + speech("散会"))
    eventually(lambda: expected in daemon.put, what="the recording")


@pytest.mark.parametrize("sound", [b"\xff\xfbmp3" * 999, speech("散会")], ids=["others", "pcm"])
def test_offline_takes_whole_files(gateway: Gateway, daemon: StandIn, sound: bytes) -> None:
    """Of any format as they are; bare samples with a head before them."""
    is_raw = sound == speech("散会")
    kind, rate = ("pcm", 8000) if is_raw else ("others", 16000)
    socket = opened(gateway, mode="offline", wav_format=kind, audio_fs=rate, wav_name="a.mp3")
    spoken(socket, sound)
    socket.send(json.dumps({"is_speaking": False, "is_end": True}))
    answer = told(socket)
    assert (answer["mode"], answer["text"], answer["is_final"]) == ("offline", "今天开会。", True)
    assert json.loads(answer["timestamp"]) == [[0, 100], [100, 200], [200, 300], [300, 400]]
    assert told(socket)["is_end"]
    head = wav_header(len(sound), 8000) if is_raw else b""
    (request, content), *_ = daemon.sent
    assert content == head + sound
    assert (request.inbox, request.hotwords) == ("inbox", ("预算会议",))
    assert request.name == ("a.mp3.wav" if is_raw else "a.mp3")


@pytest.mark.parametrize(
    ("query", "first", "problem"),
    [
        ("token=nobody", {}, "log in"),
        ("", {}, "log in"),
        ("token=reader", {}, "may not upload"),
        ("token=hr&inbox=inbox", {}, "no such inbox"),
        ("token=speaker", {"mode": "3pass"}, "mode"),
        ("token=speaker", {"audio_fs": 7}, "audio_fs"),
        ("token=speaker", {"audio_fs": "fast"}, "audio_fs"),
        ("token=speaker", {"chunk_size": "a,b"}, "chunk_size"),
        ("token=speaker", {"wav_format": "mp3"}, "wav_format"),
        ("token=speaker", {"hotwords": 7}, "hotwords"),
        ("token=speaker", {"wav_name": ["x"]}, "wav_name"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(
    gateway: Gateway, daemon: StandIn, query: str, first: dict[str, Any], problem: str
) -> None:
    """In the form that waiting clients understand; then the socket is closed."""
    socket = opened(gateway, query, **first)
    assert problem in told(socket)["error"]
    ended = told(socket)
    assert (ended["is_end"], ended["is_final"]) == (True, False)
    with pytest.raises(ConnectionClosed):
        socket.recv(WITHIN_S)
    assert daemon.opened == []


@pytest.mark.parametrize("message", ["今天", "[1]", "7", '{"a":' * 5000, "\x00"])
def test_text_where_sound_belongs_ends_the_recording(gateway: Gateway, daemon: StandIn, message: str) -> None:
    """With its reason; nothing of the session stays."""
    socket = opened(gateway)
    spoken(socket, speech("散会")[:BLOCK_BYTES])
    socket.send(message)
    while "error" not in (answer := told(socket)):
        pass
    assert "JSON" in answer["error"]
    eventually(lambda: not daemon.ends, what="an end of the session")


def test_what_is_no_sound_ends_the_recording_with_the_recognisers_word(
    gateway: Gateway, daemon: StandIn
) -> None:
    """To send it again would not help."""
    socket = opened(gateway, "token=speaker&keep=1")
    socket.send(NO_SOUND * 1000)
    assert told(socket)["error"] == "This is text."
    assert told(socket)["is_end"]
    assert daemon.put == []


def test_head_of_a_wav_file_is_no_sound(gateway: Gateway, daemon: StandIn) -> None:
    """Some clients send the file as it is."""
    socket = opened(gateway, "token=speaker&keep=1", wav_name="file")
    socket.send(wav_header(len(speech("散会"))) + speech("散会"))
    socket.send(json.dumps({"is_speaking": False}))
    assert on_screen(all_told(socket)) == "散会。"
    eventually(lambda: daemon.put, what="the recording")
    assert daemon.put[0][2] == wav_header(len(speech("散会"))) + speech("散会")


def test_sound_before_the_first_message_is_refused(gateway: Gateway) -> None:
    """Nobody knows its rate."""
    socket = gateway.socket("", "/?token=speaker", subprotocols=["binary"])
    socket.send(b"\x00" * 100)
    assert "first message" in told(socket)["error"]


def test_seventeenth_is_told_why(gateway: Gateway, daemon: StandIn) -> None:
    """In the daemon's words."""
    daemon.most = 0
    try:
        socket = opened(gateway)
        spoken(socket, speech("散会"))
        assert told(socket)["error"] == "sixteen live sessions are open"
    finally:
        daemon.most = 16


def test_page_at_the_root_is_still_there(gateway: Gateway) -> None:
    """The same path, by another protocol."""
    answer = httpx.get(f"http://127.0.0.1:{gateway.port}/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/")


def test_samples_are_little_endian_and_whole(gateway: Gateway, daemon: StandIn) -> None:
    """A sample that is cut in the middle by two messages is one sample."""
    socket = opened(gateway, "token=speaker&keep=1", wav_name="odd")
    sound = struct.pack("<h", ord("散") - FIRST) * (BLOCK_BYTES // 2)
    spoken(socket, sound, 1001)
    socket.send(json.dumps({"is_speaking": False}))
    assert on_screen(all_told(socket)) == "散。"
    eventually(lambda: daemon.put, what="the recording")
    assert daemon.put[0][2][HEADER_BYTES:] == sound
