"""A folder that does not answer is known as such, and one that answers again is, too."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from asr_daemon.errors import InboxGoneError, NotReadableError
from asr_daemon.inboxes.share import Answering

SHARE, OTHER = Path("/share"), Path("/other")


def test_answer_and_error_come_through() -> None:
    """As if it had been called here."""
    answering = Answering()
    assert answering.ask(SHARE, lambda: 7) == 7

    def refuse() -> None:
        raise NotReadableError

    with pytest.raises(NotReadableError):
        answering.ask(SHARE, refuse)


def test_folder_that_hangs_is_asked_no_more_until_it_answers() -> None:
    """One thread waits there; whoever else asks hears so without a call; other folders are asked."""
    answering = Answering(within_s=0.05)
    back, asked = threading.Event(), []

    def call() -> bool:
        asked.append(1)
        return back.wait(30)

    for _ in range(3):
        with pytest.raises(InboxGoneError, match="does not answer"):
            answering.ask(SHARE, call)
    assert len(asked) == 1
    assert answering.ask(OTHER, lambda: True)
    back.set()
    hung = answering._hung[SHARE]
    assert hung.wait(30)
    assert answering.ask(SHARE, call)
