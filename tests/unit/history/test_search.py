"""What is found in the transcripts, whichever way it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr_daemon.history import History, folding, open_history
from asr_daemon.history.migrations import migrations
from asr_daemon.history.search import index_body, match_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = open_history(tmp_path / "history.db")
    yield opened
    opened.close()


def put(history: History, *texts: str, old: bool = False) -> None:
    """Put transcripts there, as an older release indexed them where ``old``."""
    history.db.execute("INSERT OR IGNORE INTO profiles VALUES ('p', '{}', '2026-01-01T00:00:00.000Z')")
    history.db.execute(
        "INSERT OR IGNORE INTO jobs (id, sha256, profile_digest, state, queued_at)"
        " VALUES (1, 'x', 'p', 'done', '2026-01-01T00:00:00.000Z')"
    )
    history.db.execute(
        "INSERT OR IGNORE INTO recordings"
        " (id, inbox, path, name, size_bytes, mtime_ns, inode, device, job_id, state, found_at)"
        " VALUES (1, '财务', x'61', 'a', 1, 1, 1, 1, 1, 'done', '2026-01-01T00:00:00.000Z')"
    )
    for number, text in enumerate(texts):
        history.db.execute(
            "INSERT INTO segments"
            " (job_id, number, start_ms, end_ms, raw_text, text) VALUES (1, ?, 0, 1, '', ?)",
            [number, text],
        )
        (segment,) = history.db.execute("SELECT max(id) FROM segments").fetchone()
        history.run("index_segment", segment=segment, body=" ".join(text) if old else index_body(text))


def found(history: History, query: str) -> list[str]:
    """Return the texts that a search finds."""
    rows = history.all("search", phrase=match_query(query), inboxes=None, limit=100)
    return [row["text"] for row in rows]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("预算", "今年的预算会议"),
        ("預算", "今年的预算会议"),
        ("预算", "今年的預算會議"),
        ("开发", "開發計畫"),
        ("鬱金香", "郁金香"),
        ("ｐｐｔ", "请做PPT"),
        ("PPT", "请做ｐｐｔ"),
        ("三万四千七百", "退款金额是34700元"),
        ("34700", "退款金额是三万四千七百元"),
        ("３４７００", "退款金额是34700元"),
        ("三百五十万", "预算是350万元"),
        ("350万", "预算是三百五十万元"),
        ("3500000", "预算是350万元"),
        ("百分之十五", "增长了15%"),
        ("15%", "增长了百分之十五"),
        ("3.5", "增长了三点五"),
        ("2025年3月15日", "在二零二五年三月十五号开会"),
        ("二零二五年三月十五号", "在2025年3月15日开会"),
        ("404", "在四零四开会"),
        ("两千", "一共2000元"),
        ("2000", "一共两千元"),
        ("1001", "一共一千零一项"),
        ("20300", "一共两万零三百项"),
        ("100000001", "一共一亿零一项"),
        ("10086", "请拨打幺零零八六"),
        ("5个", "要五个人"),
        ("五个", "要5个人"),
        ("2个", "要两个人"),
        ("王敏 预算", "预算由王敏负责"),
        ("王敏　预算", "预算由王敏负责"),
        ('"年度预算"', "今年的年度预算会议"),
        ("“年度预算”", "今年的年度预算会议"),
        ('"预算', "年度预算"),
    ],
)
def test_the_same_is_found_however_it_is_written(history: History, query: str, text: str) -> None:
    """Traditional and simplified, wide and narrow, spoken and written, words in any order."""
    put(history, "今天天气很好", text)
    assert found(history, query) == [text]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("王敏 李雷", "预算由王敏负责"),
        ('"预算 王敏"', "预算由王敏负责"),
        ("34700", "一共347元"),
        ("347", "一共34700元"),
        ("三百", "三千百货"),
        ("预算 OR 天气", "预算"),
        ("预算*", "算"),
    ],
)
def test_what_is_not_there_is_not_found(history: History, query: str, text: str) -> None:
    """Every word counts, a phrase is one, operators are words."""
    put(history, text)
    assert found(history, query) == []


@pytest.mark.parametrize("query", ["", " ", '"', '"*', "。，", "“”", "_"])
def test_nothing_to_search_for_is_told_apart(query: str) -> None:
    """There is no expression for no word."""
    assert match_query(query) == ""


def test_no_search_breaks_the_index(history: History) -> None:
    """Whatever is typed is searched for, never obeyed."""
    put(history, "预算")
    for query in (
        '预算" OR "x',
        "a AND",
        "NEAR(a b)",
        "body:预算",
        "^a",
        "a*",
        "(a",
        "-预算",
        "a" * 5000,
        "9" * 3000,
    ):
        found(history, query)


def test_without_the_table_the_common_characters_are_known(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that lacks OpenCC's data still searches."""
    monkeypatch.setattr(folding, "find_spec", lambda _name: None)
    folding._simplified.cache_clear()
    try:
        put(history, "今年的預算會議")
        assert found(history, "预算") == ["今年的預算會議"]
    finally:
        folding._simplified.cache_clear()


def test_an_older_history_is_indexed_again_where_it_must(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traditional texts of before are found; the others are left as they are."""
    put(history, "今年的預算會議", "今年的预算会议", "请做ＰＰＴ", old=True)
    history.db.execute("INSERT INTO segments (job_id, number, start_ms, end_ms) VALUES (1, 9, 0, 1)")
    assert found(history, "预算") == ["今年的预算会议"]
    history.db.execute("DELETE FROM _sqlite_migrations WHERE name = '0009_search_folds'")
    written: list[str] = []
    history.db.conn.set_trace_callback(written.append)
    migrations.apply(history.db)
    history.db.conn.set_trace_callback(None)
    assert sum("INSERT OR REPLACE INTO segments_fts" in statement for statement in written) == 2
    assert set(found(history, "预算")) == {"今年的预算会议", "今年的預算會議"}
    assert found(history, "ppt") == ["请做ＰＰＴ"]
