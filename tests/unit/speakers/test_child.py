"""Asking the child that groups, and what its process and the daemon's have in them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from made_voices import Room

from asr_daemon.errors import InternalError
from asr_daemon.speakers import child
from asr_daemon.speakers.child import ask
from asr_daemon.speakers.grouped import Grouped, Question


def question() -> Question:
    room = Room()
    return Question((*room.segment((0, 6000), (1, 6000)), *room.segment((1, 3000))))


def test_the_child_answers_the_same_every_time() -> None:
    """Byte for byte: a transcript that is rendered anew has the same speakers."""
    first = ask(question())
    assert [turn.speaker for turn in first.turns] == [0, 1, 1]
    assert {voice.speaker for voice in first.voices} == {0, 1}
    assert ask(question()) == first


def test_no_windows_need_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording without speech starts no process."""
    monkeypatch.setattr(child, "MODULE", "no.such.module")
    assert ask(Question(())) == Grouped()


def test_a_child_that_fails_is_an_error_with_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote on its stderr is kept; the caller can go on without speakers."""
    monkeypatch.setattr(child, "MODULE", "no.such.module")
    with pytest.raises(InternalError, match="speakers") as caught:
        ask(question())
    assert "no.such.module" in caught.value.evidence


def test_a_child_that_takes_too_long_is_ended() -> None:
    """It cannot hold up the daemon."""
    with pytest.raises(InternalError, match=r"more than 0\.01 s"):
        ask(question(), timeout_s=0.01)


def test_a_child_that_talks_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that cannot be read is an error, not a transcript without words."""
    monkeypatch.setattr(child, "MODULE", "this")  # prints the Zen of Python
    with pytest.raises(InternalError, match="no answer"):
        ask(question())


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (
            "asr_daemon.speakers.child, asr_daemon.speakers.words, asr_daemon.speakers.naming",
            "numpy scipy torch",
        ),
        ("asr_daemon.grouping.group", "torch funasr sklearn"),
        ("asr_daemon.life, asr_daemon.gateway.server", "numpy pandas torch"),
    ],
)
def test_what_each_process_is_spared(modules: str, absent: str) -> None:
    """The daemon has no numpy, the child no torch."""
    code = f"import sys, {modules}; print([name for name in {absent.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
