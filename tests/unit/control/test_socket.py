"""The control socket: who may ask, who is answered, and what a person hears when nobody answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from asr_daemon.control import socket as control
from asr_daemon.control.socket import (
    ControlServer,
    NotAnsweringError,
    NotRunningError,
    ask,
    may_steer,
)
from asr_daemon.errors import OperatorError, RecordingGoneError, UsageError
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STRANGER = 65534
AS_A_STRANGER = """
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
os.chdir(sys.argv[1])
os.setgroups([]); os.setgid({user}); os.setuid({user})
connection.connect("control.sock")
connection.sendall(b'{{"command": "pause"}}\\n')
print(connection.makefile().readline())
"""
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")


class Answering:
    """A server whose answer the test chooses; it takes note of what was asked."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "control.sock"
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[], dict[str, Any]] = dict
        self.server = ControlServer(self.path, self._answer)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        return self.answer()


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    """Return a server in a folder of its own."""
    answering = Answering(tmp_path)
    yield answering
    answering.server.close()


def refuse(error: Exception) -> Callable[[], dict[str, Any]]:
    """Return an answer that fails so."""

    def answer() -> dict[str, Any]:
        raise error

    return answer


# ------------------------------------------------------------------ what is asked and answered


def test_open_files_come_along(answering: Answering, tmp_path: Path) -> None:
    """Each is the very file, also beside a long question; none is kept, nor believed by its number."""
    files = [tmp_path / name for name in ("a.wav", "b.wav")]
    read: list[bytes] = []

    def answer() -> dict[str, Any]:
        request = answering.asked[-1]
        read.extend(os.pread(descriptor, 100, 0) for descriptor in request.get("descriptors", ()))
        return {}

    answering.answer = answer
    descriptors = []
    for file in files:
        file.write_bytes(file.name.encode())
        descriptors.append(os.open(file, os.O_RDONLY))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        ask(answering.path, "submit", descriptors=descriptors, paths=["x" * 300_000])
    assert set(read) == {b"a.wav", b"b.wav"}
    assert len(read) == 100

    def are_closed() -> bool:  # the last answers' threads end a moment after their answers
        return len(list(Path("/proc/self/fd").iterdir())) <= before + 2

    eventually(are_closed, what="the end of the descriptors")
    ask(answering.path, "submit", descriptors=(), paths=["a.wav"])
    assert "descriptors" not in answering.asked[-1]
    for descriptor in descriptors:
        os.close(descriptor)


def test_question_and_answer_come_through(answering: Answering) -> None:
    """Names that are no UTF-8 (surrogates), and any other JSON."""
    answering.answer = lambda: {"paths": ["会议.wav", "\udcff.wav"]}
    assert ask(answering.path, "submit", paths=["\udcff.wav"])["paths"] == ["会议.wav", "\udcff.wav"]
    assert answering.asked == [{"command": "submit", "paths": ["\udcff.wav"]}]


@pytest.mark.parametrize(
    ("error", "sentence", "exit_code"),
    [
        (UsageError("no such command"), "no such command", 2),
        (OperatorError("the folder cannot be written"), "the folder cannot be written", 1),
        (RecordingGoneError("it is gone"), "it is gone", 1),
        (ValueError("a fault of ours"), "ValueError: a fault of ours", 1),
    ],
)
def test_refusal_is_a_sentence_with_its_exit_code(
    answering: Answering, error: Exception, sentence: str, exit_code: int
) -> None:
    """What the daemon refuses reaches the person who asked, as the command would have said it itself."""
    answering.answer = refuse(error)
    with pytest.raises(OperatorError, match=sentence) as refused:
        ask(answering.path, "retry")
    assert refused.value.exit_code == exit_code
    answering.answer = dict
    assert ask(answering.path, "status") == {}


def test_nobody_listens(tmp_path: Path, answering: Answering) -> None:
    """No folder, no socket, a socket that a killed daemon left behind: no daemon is running."""
    for path in (tmp_path / "nowhere" / "control.sock", tmp_path / "none.sock"):
        with pytest.raises(NotRunningError):
            ask(path, "status")
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(left))
    with pytest.raises(NotRunningError):
        ask(left, "status")


def test_daemon_that_ends_meanwhile_is_said(tmp_path: Path) -> None:
    """The connection breaks: one sentence, no traceback."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(path))
        listening.listen()

        def end() -> None:
            connection, _ = listening.accept()
            connection.recv(100)
            connection.close()

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(OperatorError, match="ended meanwhile"):
            ask(path, "backup")
        thread.join()


def test_socket_of_a_killed_daemon_is_replaced_and_ours_is_removed(tmp_path: Path) -> None:
    """Its own user's alone, as long as it is there."""
    path = tmp_path / "control.sock"
    path.write_text("left behind")
    server = ControlServer(path, lambda _request: {})
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == 0o600
    server.close()
    assert not path.exists()


# ------------------------------------------------------------------ answers that take long


def test_answer_that_takes_long_is_waited_for(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """`backup now` of a large history: signs of life come meanwhile, then the answer."""
    monkeypatch.setattr(control, "SIGN_OF_LIFE_S", 0.1)
    long_s = 3.0
    answering.answer = lambda: time.sleep(long_s) or {"path": "x"}  # type: ignore[func-returns-value]
    began_s = time.monotonic()
    assert ask(answering.path, "backup", silent_for_s=1.0) == {"path": "x"}
    assert time.monotonic() - began_s >= long_s


def test_daemon_that_gives_no_sign_of_life_is_not_waited_for(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs with the connection open: a sentence soon, and no TimeoutError."""
    monkeypatch.setattr(control, "SIGN_OF_LIFE_S", 60.0)
    leave = threading.Event()
    answering.answer = lambda: {"left": leave.wait(30)}
    with pytest.raises(NotAnsweringError, match="hangs"):
        ask(answering.path, "backup", silent_for_s=0.2)
    leave.set()


def test_socket_that_nobody_accepts_on_is_not_waited_for(tmp_path: Path) -> None:
    """A stopped daemon (SIGSTOP): its queue of connections takes the question, nobody reads it."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(path))
        listening.listen(1)
        for _ in range(4):  # and one whose queue is full, too
            with pytest.raises(NotAnsweringError):
                ask(path, "status", silent_for_s=0.2)


def test_who_asks_nothing_holds_up_nobody(answering: Answering) -> None:
    """A connection without a word, and one that leaves in the middle, do not keep others from an answer."""
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as leaving:
        silent.connect(os.fspath(answering.path))
        leaving.connect(os.fspath(answering.path))
        leaving.sendall(b'{"command": "sta')
        leaving.close()
        assert ask(answering.path, "status") == {}


# ------------------------------------------------------------------ long folders


def test_state_folder_with_a_long_name_works(tmp_path: Path) -> None:
    """A socket's address holds 107 bytes; the folder may have more."""
    folder = tmp_path / ("状态" * 30) / ("x" * 200)
    folder.mkdir(parents=True)
    answering = Answering(folder)
    assert len(os.fsencode(answering.path)) > 350
    answering.answer = lambda: {"pid": 7}
    assert ask(answering.path, "status") == {"pid": 7}
    answering.server.close()
    with pytest.raises(NotRunningError):
        ask(answering.path, "status")


# ------------------------------------------------------------------ who may ask


def test_the_daemon_s_own_user_and_root_may_steer() -> None:
    """And nobody else."""
    assert may_steer(os.geteuid())
    assert may_steer(0)
    assert not may_steer(os.geteuid() + 1)
    assert not may_steer(STRANGER)


@is_root
def test_stranger_who_reaches_the_socket_is_refused(answering: Answering) -> None:
    """The file's mode is not all that keeps the queue from being paused by anybody."""
    answering.path.chmod(0o666)
    answering.path.parent.chmod(0o755)
    asked = subprocess.run(
        [sys.executable, "-c", AS_A_STRANGER.format(user=STRANGER), answering.path.parent],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer = json.loads(asked.stdout)
    assert not answer["ok"]
    assert "only the service's own user" in answer["error"]
    assert answering.asked == []


def test_stranger_who_cannot_reach_it_is_told_whom_to_be(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence in place of a traceback."""

    class Closed(socket.socket):
        """One that may not connect."""

        def connect(self, _address: object) -> None:
            """Be refused."""
            raise PermissionError

    monkeypatch.setattr(control.socket, "socket", Closed)
    with pytest.raises(OperatorError, match="another user"):
        ask(answering.path, "status")
