"""Searching page by page: nothing twice, nothing missed, whatever lies between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr_daemon.history import History, finding, open_history, term_stream
from asr_daemon.history.finding import find_recordings
from asr_daemon.history.search import index_body, match_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

AT = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = open_history(tmp_path / "history.db")
    opened.db.execute("INSERT INTO profiles (digest, profile, created_at) VALUES ('p', '{}', ?)", [AT])
    yield opened
    opened.close()


def put(history: History, job: int, texts: Sequence[tuple[int, str]], inbox: str = "财务") -> None:
    """Put segments of a job there, with their numbers in the table."""
    history.db.execute(
        "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at) VALUES (?, ?, 'p', 'done', ?)",
        [job, str(job), AT],
    )
    history.db.execute(
        "INSERT INTO recordings (id, inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state,"
        " found_at) VALUES (?, ?, ?, 'a', 1, 1, 1, 1, ?, 'done', ?)",
        [job, inbox, b"%d" % job, job, AT],
    )
    for number, (segment, text) in enumerate(texts):
        history.db.execute(
            "INSERT INTO segments (id, job_id, number, start_ms, end_ms, raw_text, text)"
            " VALUES (?, ?, ?, ?, ?, '', ?)",
            [segment, job, number, number * 1000, number * 1000 + 1, text],
        )
        history.run("index_segment", segment=segment, body=index_body(text))


def found_by_pages(history: History, query: str, inboxes: list[str], limit: int = 1) -> list[int]:
    """Return the recordings of all pages."""
    numbers, mark = [], ""
    for _ in range(1000):
        page = find_recordings(history, match_terms(query), inboxes, limit=limit, mark=mark)
        numbers += [each.id for each in page.recordings]
        mark = page.mark
        if not mark:
            return numbers
    raise AssertionError("it never ends")


@pytest.fixture(params=[1, 3, 100])
def _batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read so many places at a time."""
    monkeypatch.setattr(term_stream, "BATCH", request.param)


@pytest.mark.usefixtures("_batches")
@pytest.mark.parametrize("few", [0, 3000])
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_pages_hold_every_recording_once(
    history: History, monkeypatch: pytest.MonkeyPatch, few: int, limit: int
) -> None:
    """Recognised side by side, segments of several recordings lie among each other."""
    monkeypatch.setattr(finding, "FEW_RECORDINGS", few)
    put(history, 1, [(1, "王敏说预算"), (4, "天气"), (9, "预算紧")])
    put(history, 2, [(2, "预算"), (3, "无关"), (10, "王敏")])
    put(history, 3, [(5, "王敏"), (6, "没有那个词")])
    put(history, 4, [(7, "王敏"), (8, "预算"), (11, "无关")], inbox="人事")
    put(history, 5, [(12, "王敏的预算"), (13, "王敏的预算")])
    assert sorted(found_by_pages(history, "预算", ["财务"], limit)) == [1, 2, 5]
    assert sorted(found_by_pages(history, "预算", ["财务", "人事"], limit)) == [1, 2, 4, 5]
    assert sorted(found_by_pages(history, "王敏 预算", ["财务", "人事"], limit)) == [1, 2, 4, 5]
    assert found_by_pages(history, "王敏 天气", ["财务", "人事"], limit) == [1]
    assert found_by_pages(history, "王敏 天气 无关", ["财务", "人事"], limit) == []
    assert found_by_pages(history, "预算", ["别处"], limit) == []


def test_latest_recognised_comes_first(history: History) -> None:
    """And with each, its passages in the order of the sound."""
    for job in range(1, 30):
        put(history, job, [(job * 10, "预算"), (job * 10 + 1, "天气"), (job * 10 + 2, "再说预算")])
    page = find_recordings(history, match_terms("预算"), ["财务"], limit=5)
    assert [each.id for each in page.recordings] == [29, 28, 27, 26, 25]
    assert [said.text for said in page.recordings[0].passages] == ["预算", "再说预算"]
    after = find_recordings(history, match_terms("预算"), ["财务"], limit=5, mark=page.mark)
    assert [each.id for each in after.recordings] == [24, 23, 22, 21, 20]


def test_search_of_a_small_department_does_not_read_what_others_have(history: History) -> None:
    """A word that is common everywhere, in an inbox of few recordings beside one of thousands."""
    with history.transaction():
        for job in range(1, 2001):
            put(history, job, [(job, "年度预算")], "客服")
        for job in range(2001, 2011):
            put(history, job, [(job, "年度预算")])
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    history.db.conn.set_progress_handler(count, 1)
    page = find_recordings(history, match_terms("预算"), ["财务"], limit=3)
    history.db.conn.set_progress_handler(None, 0)
    assert [each.id for each in page.recordings] == [2010, 2009, 2008]
    assert steps < 8000  # of SQLite's machine; reading every recording takes several for each


def test_search_that_takes_long_ends_with_a_mark(history: History) -> None:
    """Nobody waits for what is far back; the next page goes on there."""
    for job in range(1, 30):
        put(history, job, [(job, "预算")], inbox="财务" if job == 1 else "人事")
    marks, mark = [], ""
    found: list[int] = []
    while not marks or mark:
        page = find_recordings(history, match_terms("预算"), ["财务"], limit=5, mark=mark, within_s=0.0)
        mark = page.mark
        marks.append(mark)
        found += [each.id for each in page.recordings]
    assert found == [1]
    assert 1 < len(marks) < 40


@pytest.mark.parametrize("mark", ["x1", "7", "s1", "s1.5", "r", "s0.-1"])
def test_what_is_no_mark_is_refused(history: History, mark: str) -> None:
    """It comes from an address that anybody can type."""
    with pytest.raises(ValueError, match="no mark"):
        find_recordings(history, match_terms("预算"), None, limit=1, mark=mark)
