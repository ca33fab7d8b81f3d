"""What the history forgets, and what it never does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from way import Way, segment

from asr_daemon.config_sections import RetentionSection
from asr_daemon.history.reading import places
from asr_daemon.history.retention import compact, expire, sizes_bytes
from asr_daemon.service.upkeep import Upkeep
from asr_daemon.transcripts.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_S = 86_400.0


class Old(Way):
    """A way on which recordings were finished long ago and today."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.old = self.finished("old.wav", b"old")
        self.time.pass_s(100 * DAY_S)
        self.new = self.finished("new.wav", b"new")

    def finished(self, name: str, content: bytes) -> int:
        """Recognise and deliver a recording; return its job."""
        recording = self.put(name, content)
        job = self.claim().id
        self.finish(job, name)
        self.deliver(recording)
        return job

    def deliver(self, recording: int) -> None:
        """Say that its files are written."""
        with self.history.transaction() as history:
            history.run(
                "set_recording_state",
                recording=recording,
                state="done",
                problem=None,
                written_at=self.time.clock.stamp(),
            )

    def tokens(self, job: int) -> list[object]:
        """Return the tokens of a job's segments."""
        return [json.loads(row["tokens"]) for row in self.history.all("job_segments", job=job)]

    def expire(self, since: str = "", **limits: int) -> str:
        """Forget by these limits."""
        return expire(self.history, RetentionSection(**limits), since=since, now=self.time.wall)


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Old]:
    """Return the way."""
    way = Old(tmp_path)
    yield way
    way.history.close()


def test_by_default_nothing_is_forgotten(way: Old) -> None:
    """A history is kept for ever unless somebody says otherwise."""
    assert way.expire() == ""
    assert way.tokens(way.old) != [[]]


def test_word_times_go_with_age_and_the_text_stays(way: Old) -> None:
    """Older than the limit: no tokens, but the same text and times; younger: everything."""
    way.expire(tokens_days=30)
    assert way.tokens(way.old) == [[]]
    assert way.tokens(way.new) != [[]]
    (row,) = way.history.all("job_segments", job=way.old)
    assert (row["text"], row["start_ms"], row["end_ms"]) == ("old.wav", 0, 1000)


def test_word_times_wait_until_the_transcript_is_written(way: Old) -> None:
    """What still has to be written to the share is written whole."""
    way.put("late.wav", b"late")
    job = way.claim().id
    way.finish(job, "late")
    way.time.pass_s(100 * DAY_S)
    way.expire(tokens_days=30)
    assert way.tokens(job) != [[]]


def test_what_was_forgotten_is_not_looked_for_again(way: Old) -> None:
    """Each day looks at one day's work, not at the whole history."""
    up_to = way.expire(tokens_days=30)
    way.time.pass_s(1.0)
    again = way.history.all("expirable_tokens", since=up_to, before=way.time.clock.stamp())
    assert [row["id"] for row in again] == [way.new]
    way.time.pass_s(100 * DAY_S)
    way.expire(since=up_to, tokens_days=30)
    assert way.tokens(way.new) == [[]]


def test_evidence_goes_with_age_and_the_failure_stays(way: Old) -> None:
    """The attempt, its class and its sentence are kept; traceback and ffmpeg's words are not."""
    with way.history.transaction() as history:
        for job in (way.old, way.new):
            history.run(
                "end_attempt",
                job=job,
                now=way.job(job)["finished_at"],
                error_code="internal",
                error_message="why",
                evidence="traceback",
            )
    way.expire(evidence_days=30)
    evidence = [way.history.all("attempts_of_job", job=job)[0] for job in (way.old, way.new)]
    assert [row["evidence"] for row in evidence] == [None, "traceback"]
    assert evidence[0]["error_message"] == "why"


def test_upkeep_forgets_once_a_day(way: Old) -> None:
    """The configuration's limits are applied by the daemon itself."""
    limits = {"retention": RetentionSection(tokens_days=30)}
    upkeep = Upkeep(
        way.config.model_copy(update=limits), way.history, way.settings, way.time.clock, lambda: False
    )
    upkeep.look_after_history()
    assert way.tokens(way.old) == [[]]
    assert way.tokens(way.new) != [[]]
    way.time.pass_s(100 * DAY_S)
    upkeep.look_after_history()
    assert way.tokens(way.new) == [[]]


# ------------------------------------------------------------------ giving space back


def bloat(way: Way) -> None:
    """Let half of the history be unused."""
    tokens = tuple(Token("字" * 50, 0, 1) for _ in range(100))
    way.put("big.wav", b"big")
    job = way.claim().id
    way.segments.save(job, tuple(replace(segment(n, "x"), tokens=tokens) for n in range(100)))
    way.end(job, 100)
    with way.history.transaction() as history:
        history.run("drop_tokens", job=job)


def compacted(way: Way, percent: int = 25, *, gives_up: bool = False, worth_it_bytes: int = 1) -> int:
    """Make the history smaller; return how much of it went."""
    return compact(
        way.history,
        way.config.history_path,
        percent,
        on_progress=lambda: gives_up,
        worth_it_bytes=worth_it_bytes,
    )


def test_unused_space_goes_back_to_the_disk(way: Old) -> None:
    """The file shrinks, everything in it is still there, words are still found."""
    bloat(way)
    before = way.config.history_path.stat().st_size
    unused = sizes_bytes(way.history)[1]
    assert compacted(way) >= unused > 0
    assert way.config.history_path.stat().st_size < before
    assert sizes_bytes(way.history)[1] == 0
    assert places(way.history, ['"old wav"'], None, limit=1)


@pytest.mark.parametrize("reason", ["percent 0", "too little of it", "not worth it"])
def test_compacting_is_for_when_it_is_worth_it(way: Old, reason: str) -> None:
    """Not when it is switched off, when most is used, or when there is little to win."""
    bloat(way)
    freed = {
        "percent 0": lambda: compacted(way, 0),
        "too little of it": lambda: compacted(way, 100),
        "not worth it": lambda: compacted(way, worth_it_bytes=1 << 30),
    }[reason]()
    assert freed == 0
    assert sizes_bytes(way.history)[1] > 0


def test_compacting_waits_for_an_empty_queue(way: Old) -> None:
    """Nobody's recording waits for the disk."""
    bloat(way)
    way.put("waiting.wav", b"waiting")
    assert compacted(way) == 0
    job = way.claim().id
    way.finish(job, "x")
    assert compacted(way) > 0


def test_compacting_gives_up_when_the_daemon_ends(way: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in the middle, the history is as it was."""
    bloat(way)
    monkeypatch.setattr("asr_daemon.history.connection.PROGRESS_INSTRUCTIONS", 10)
    assert compacted(way, gives_up=True) == 0
    assert sizes_bytes(way.history)[1] > 0
    assert way.tokens(way.new) != [[]]
