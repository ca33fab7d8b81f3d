"""A stand-in for daemon and recogniser behind the gateway's socket, for tests of live captions.

Its speech is exact: 100 ms of samples of one value, not 0, is the character of that value; 300 ms of zeros
end a sentence. So what is said twice, or not at all, is seen at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.control import live_messages as lm
from asr_daemon.control import messages as m
from asr_daemon.control.wire import Wire
from asr_daemon.transcripts.transcript import Token

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

BLOCK_MS = 100
BLOCK_BYTES = BLOCK_MS * lm.BYTES_PER_S // 1000
NO_SOUND = b"TEXT"
FIRST = 0x4E00 - 1
PEOPLE = {
    "speaker": m.Person("speaker", ("inbox",), ("read", "upload")),
    "reader": m.Person("reader", ("inbox",), ("read",)),
    "hr": m.Person("hr", ("hr",), ("read", "upload")),
}
TRANSCRIPT = json.dumps(
    {
        "segments": [
            {
                "text": "今天开会。",
                "tokens": [
                    {"text": each, "start_ms": place * 100, "end_ms": place * 100 + 100}
                    for place, each in enumerate("今天开会")
                ],
            }
        ]
    }
)
FULL = m.Refusal("unavailable", "sixteen live sessions are open", "同时进行的实时字幕已达上限。")


def speech(text: str, pause_ms: int = 400) -> bytes:
    """Return the sound of a sentence, and the silence after it."""
    spoken = b"".join(struct.pack("<h", ord(each) - FIRST) * (BLOCK_BYTES // 2) for each in text)
    return spoken + bytes(pause_ms * lm.BYTES_PER_S // 1000)


def heard(block: bytes) -> str:
    """Return the character of 100 ms; "" where they are silent."""
    value = struct.unpack("<h", block[:2])[0]
    return chr(FIRST + value) if value else ""


@dataclass
class StandIn:
    """Serves one socket in threads of its own until closed."""

    path: Path
    put: list[tuple[str, str, bytes]] = field(default_factory=list)  # inbox, name, content
    opened: list[lm.OpenLive] = field(default_factory=list)
    sent: list[tuple[m.Transcribe, bytes]] = field(default_factory=list)  # whole files, to be transcribed
    heard: list[str] = field(default_factory=list)  # characters, as often as their sound was sent
    ends: list[socket.socket] = field(default_factory=list)  # the recogniser's, of sessions that are open
    most: int = 16
    is_away: bool = False  # for recognition
    puts_nothing: bool = False

    def __enter__(self) -> Self:
        """Listen."""
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(os.fspath(self.path))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.kill_recognisers()

    def kill_recognisers(self) -> None:
        """End every recogniser as a crash would."""
        for end in self.ends[:]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                end, _ = self._listening.accept()
                threading.Thread(target=self._converse, args=(Wire(end),), daemon=True).start()

    def _converse(self, wire: Wire) -> None:
        with contextlib.suppress(OSError):
            while (line := wire.receive()) is not None:
                ask = m.decode_ask(line)
                told, gives = self._answer(ask, wire.take_descriptor())
                wire.send(m.encode_told(told), gives)
                if gives is not None:
                    os.close(gives)

    def _answer(self, ask: m.Ask, given: int | None) -> tuple[m.Told | m.Refusal, int | None]:
        person = PEOPLE.get(ask.secret or ask.user)
        request = ask.request
        if person is None:
            return m.Refusal("log_in", "log in first", "请先登录。"), None
        may = "upload" in person.rights and getattr(request, "inbox", "") in person.inboxes
        match request:
            case m.WhoAmI():
                return person, None
            case m.MayPut() | m.PutRecording() | lm.OpenLive() if not may:
                return m.Refusal("not_found", "there is no such inbox", "没有这个文件夹。"), None
            case m.PutRecording() if given is not None:
                return self._put(request, given), None
            case m.Transcribe() if given is not None:
                return self._transcribe(request, given), None
        return self._open(request) if isinstance(request, lm.OpenLive) else (m.Done(), None)

    def _transcribe(self, request: m.Transcribe, given: int) -> m.Told:
        with os.fdopen(given, "rb") as file:
            file.seek(0)
            self.sent.append((request, file.read()))
        return m.Transcribed("今天开会。", TRANSCRIPT, "")

    def _put(self, request: m.PutRecording, given: int) -> m.Told | m.Refusal:
        with os.fdopen(given, "rb") as file:
            content = file.read()
        if self.puts_nothing:
            return m.Refusal("unavailable", "the share is away", "共享文件夹不可用。")
        self.put.append((request.inbox, request.name, content))
        return m.Put(request.name)

    def _open(self, request: lm.OpenLive) -> tuple[m.Told | m.Refusal, int | None]:
        if self.is_away:
            return m.Refusal("unavailable", "no model can be loaded", "模型无法载入。"), None
        if len(self.ends) >= self.most:
            return FULL, None
        self.opened.append(request)
        ours, theirs = socket.socketpair()
        self.ends.append(ours)
        threading.Thread(target=self._recognise, args=(ours,), daemon=True).start()
        return lm.LiveOpened(len(self.opened)), theirs.detach()

    def _recognise(self, end: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                recognise(end, self.heard)
        finally:
            self.ends.remove(end)
            end.close()


def recognise(end: socket.socket, characters: list[str]) -> None:
    """Hear a session to its end; every character that was heard is added."""
    told = bytearray()
    text, begun_ms, silent_ms, at_ms, segment = "", 0, 0, 0, 0

    def say(event: lm.Event) -> None:
        end.sendall(lm.encode(event))

    def settle() -> None:
        nonlocal text, segment
        if text:
            tokens = tuple(
                Token(each, begun_ms + place * BLOCK_MS, begun_ms + (place + 1) * BLOCK_MS)
                for place, each in enumerate(text)
            )
            end_ms = tokens[-1].end_ms
            say(lm.Final(segment, begun_ms, end_ms, f"{text}。", text, tokens))
            text, segment = "", segment + 1

    while data := end.recv(1 << 16):
        told += data
        if told.startswith(NO_SOUND):
            say(lm.Failed("live_not_sound", "This is text."))
            return
        while len(told) >= BLOCK_BYTES:
            character = heard(bytes(told[:BLOCK_BYTES]))
            del told[:BLOCK_BYTES]
            begun_ms = at_ms if character and not text else begun_ms
            at_ms += BLOCK_MS
            silent_ms = 0 if character else silent_ms + BLOCK_MS
            text += character
            characters.append(character)
            if character:
                say(lm.Interim(segment, begun_ms, text[:-1], text, at_ms))
            elif silent_ms >= lm.END_SILENCE_MS:
                settle()
            say(lm.Heard(begun_ms if text else at_ms, at_ms))
    settle()
    say(lm.Ended())
