"""A recording's next batch waits for the commit of its last; others' do not."""

from __future__ import annotations

import threading

from asr_daemon.recogniser.receipts import Receipts


def waiting_for(receipts: Receipts, jobs: set[int], over: threading.Event) -> threading.Event:
    """Wait in a thread; return what is set when that is over."""
    went_on = threading.Event()

    def wait() -> None:
        receipts.wait(jobs, over.is_set)
        went_on.set()

    threading.Thread(target=wait, daemon=True).start()
    return went_on


def test_batch_waits_for_its_own_recordings_alone() -> None:
    """Two messages of one job are due: its batch waits for both receipts, another job's for none."""
    receipts, over = Receipts(), threading.Event()
    receipts.expect(1)
    receipts.expect(1)
    receipts.wait({2}, over.is_set)
    went_on = waiting_for(receipts, {1, 2}, over)
    receipts.arrived(1)
    assert not went_on.wait(0.05)
    receipts.arrived(1)
    assert went_on.wait(10)


def test_end_is_not_held_up() -> None:
    """A daemon that says stop sends no more receipts."""
    receipts, over = Receipts(), threading.Event()
    receipts.expect(1)
    went_on = waiting_for(receipts, {1}, over)
    over.set()
    receipts.wake()
    assert went_on.wait(10)
