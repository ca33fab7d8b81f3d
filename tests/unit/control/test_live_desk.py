"""Who may begin a live session, under which profile, and what the gateway is handed."""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from doored import EditedDaemon

from asr_daemon.control.live_desk import LiveCommands
from asr_daemon.control.live_messages import LiveOpened, OpenLive
from asr_daemon.control.messages import decode_ask
from asr_daemon.errors import LiveFullError, OperatorError, UsageError
from asr_daemon.speakers.window import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.dispatch.protocol import Known
    from asr_daemon.transcripts.profile import Profile

VOICE = encoded([float(number == 3) for number in range(192)])


@dataclass
class Table:
    """Takes sessions in place of recognisers."""

    profiles: list[Profile] = field(default_factory=list)
    people: list[tuple[Known, ...]] = field(default_factory=list)
    ends: list[socket.socket] = field(default_factory=list)
    error: Exception | None = None
    most = 16

    def open(
        self, inbox: str, profile: Profile, people: tuple[Known, ...], descriptor: int, *, interim: bool
    ) -> int:
        """Take one."""
        if self.error is not None:
            raise self.error
        self.profiles.append(profile)
        self.people.append(people)
        with socket.socket(fileno=descriptor) as end:
            self.ends.append(end.dup())
            end.detach()
        return len(self.ends)


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EditedDaemon]:
    """Return a daemon of two departments, one of which asks who speaks."""
    (tmp_path / "words.txt").write_text("云杉计划\n", encoding="utf-8")
    hall = EditedDaemon(
        tmp_path, monkeypatch, hotwords=tmp_path / "words.txt", speakers=True, max_segment_s=30.0
    )
    hall.parts.dispatcher.live = Table()
    yield hall
    for end in hall.parts.dispatcher.live.ends:
        end.close()
    hall.shut()


def test_session_has_the_inboxs_profile_the_speakers_words_and_a_socket(hall: EditedDaemon) -> None:
    """Hotwords of both, a short silence, known voices; what is said at the other end arrives."""
    table: Table = hall.parts.dispatcher.live  # type: ignore[assignment]
    model = hall.parts.profiles.profile("inbox").speaker_model
    hall.parts.speakers.enrolments.add("inbox", "张三", model, VOICE, "a.wav")
    hall.parts.speakers.enrolments.add("inbox", "李四", "another model", VOICE, "a.wav")
    hall.parts.speakers.enrolments.add("hr", "王五", model, VOICE, "a.wav")
    secret = hall.token("lecturer", "inbox", may="upload")
    request = OpenLive("inbox", ("张三丰", "错=>对", "# a remark"), itn=False)
    opened, descriptor = hall.client.ask_for_descriptor(LiveOpened, request, secret)
    assert opened == LiveOpened(1)
    with socket.socket(fileno=descriptor) as end:
        table.ends[0].sendall(b"words")
        assert end.recv(100) == b"words"
    (profile,), ((known,),) = table.profiles, table.people
    assert profile.hotwords == ("云杉计划", "张三丰")
    assert profile.replacements == (("错", "对"),)
    assert (profile.itn, profile.max_end_silence_ms, profile.max_segment_s) == (False, 300, 15.0)
    assert (known.name, base64.b64decode(known.voices[0])) == ("张三", VOICE)


def test_nobody_speaks_into_another_departments_inbox(hall: EditedDaemon) -> None:
    """What may not be read is not there; whoever may read alone may not speak."""
    table: Table = hall.parts.dispatcher.live  # type: ignore[assignment]
    other, reader = hall.token("other", "hr"), hall.token("reader", "inbox", may="read")
    assert hall.refused(OpenLive("inbox"), other).code == "not_found"
    assert hall.refused(OpenLive("inbox"), reader).code == "forbidden"
    assert hall.refused(OpenLive("inbox"), "").code == "log_in"
    assert table.ends == []


def test_one_too_many_is_told_in_both_languages(hall: EditedDaemon) -> None:
    """The reason is the recogniser's own."""
    hall.parts.dispatcher.live.error = LiveFullError("16 live sessions are open.")  # type: ignore[attr-defined]
    refusal = hall.refused(OpenLive("inbox"), hall.token("lecturer", "inbox", may="upload"))
    assert (refusal.code, refusal.message) == ("unavailable", "16 live sessions are open.")
    assert "已达上限" in refusal.chinese


def test_hotwords_are_bounded() -> None:
    """Neither their number nor their length is anybody's to choose."""
    for words in (["长" * 601], ["词"] * 10_001):
        with pytest.raises(ValueError, match="hotwords"):
            decode_ask(
                b'{"request":{"command":"open_live","inbox":"a","hotwords":%s}}'
                % str(words).replace("'", '"').encode()
            )


def test_command_line_brings_its_own_socket(hall: EditedDaemon, tmp_path: Path) -> None:
    """Anything else that comes along is refused, as is an inbox that is not there."""
    commands = LiveCommands(hall.parts)
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "words.txt").open("rb") as file:
        assert commands.open("inbox", descriptors=[theirs.fileno()]) == {"session": 1}
        for given in ((), (file.fileno(),), (theirs.fileno(), ours.fileno())):
            with pytest.raises(UsageError):
                commands.open("inbox", descriptors=given)
        with pytest.raises(OperatorError, match="nowhere"):
            commands.open("nowhere", descriptors=[theirs.fileno()])
        hall.parts.dispatcher.live.error = LiveFullError()  # type: ignore[attr-defined]
        with pytest.raises(OperatorError, match="As many live sessions"):
            commands.open("inbox", descriptors=[theirs.fileno()])
