"""The console's pages without a browser: texts, marks, pictures, and that nothing of a name is markup."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from asr_daemon.control.console_answers import DayHours, Mark, ReadPassage
from asr_daemon.gateway.pages import shown
from asr_daemon.gateway.pages.assets import assets
from asr_daemon.gateway.pages.hours_chart import draw_hours
from asr_daemon.gateway.pages.login import own_path
from asr_daemon.gateway.pages.texts import asked_language, catalogue, texts

PAGES = files("asr_daemon.gateway.pages")


def templates() -> dict[str, str]:
    """Return the text of every template."""
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in PAGES.joinpath("templates").iterdir()
        if file.name.endswith(".html")
    }


def test_every_text_that_is_shown_is_in_the_catalogue_in_both_languages() -> None:
    """Named whole in templates and scripts; a part of the name stands for those that begin so."""
    names = set(catalogue())
    sources = [*templates().values(), *(asset.content.decode() for asset in assets().values())]
    for source in sources:
        for name in re.findall(r"""\bt\(["']([a-z_.]+)["']\s*[,)]""", source):
            assert name in names
        for prefix in re.findall(r"""\bt\(["']([a-z_.]+\.)["'] ~""", source):
            assert any(name.startswith(prefix) for name in names), prefix
    for name, both in catalogue().items():
        assert all(both), name
        assert both[0].count("{}") == both[1].count("{}"), name
        assert re.search("[\u4e00-\u9fff]", both[0]) or "{}" in both[0], name


def test_nothing_on_a_page_is_inline_or_from_elsewhere() -> None:
    """What the policy forbids would simply not work."""
    for name, text in templates().items():
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style", text), name
        assert not re.search(r"(src|href)=[\"'](https?:)?//", text), name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), name
    for name, asset in assets().items():
        text = asset.content.decode()
        assert not re.search(r"@import|url\(", text), name
        assert set(re.findall(r"https?://[^\s\"')]+", text)) <= {"http://www.w3.org/2000/svg"}, name
        assert not re.search(r"innerHTML\s*=[^=]|insertAdjacentHTML|document\.write", text), name


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("zh,en", "zh"),
        ("fr", "zh"),
        ("en;q=0", "zh"),
        ("de,en;q=0.5", "en"),
        (";;;,,q=x" * 500, "zh"),
    ],
)
def test_language_is_what_the_browser_prefers(accept: str, language: str) -> None:
    """Chinese, unless English comes before it."""
    assert asked_language(accept) == language


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/recordings/3?x=1", "/recordings/3?x=1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
    ],
)
def test_log_in_leads_to_pages_of_ours_alone(asked: str, path: str) -> None:
    """An address that somebody else made up."""
    assert own_path(asked) == path


def test_marks_tell_what_was_said_and_nothing_is_markup() -> None:
    """Numbers, hotwords; a transcript may hold anything."""
    text = "花了<b>350万元"
    mark = Mark(5, 10, "number", '三百"五十万<i>元')
    html = str(shown.marked(ReadPassage(0, 0, 1, text, (mark,), ()), texts("zh")))
    assert html == (
        '花了&lt;b&gt;<mark class="number" title="原话：三百&#34;五十万&lt;i&gt;元">350万元</mark>'
    )


def test_hours_are_drawn_to_scale_and_stacked() -> None:
    """Twice the hours are twice as high; departments stand on each other."""
    hours = [
        DayHours("2026-03-15", "财务", 3_600_000),
        DayHours("2026-03-15", "人事", 7_200_000),
        DayHours("2026-03-14", "财务", 7_200_000),
        DayHours("2026-01-01", "财务", 999 * 3_600_000),
    ]
    chart = draw_hours(hours, "2026-03-15")
    bars = {(bar.day, bar.inbox): bar for bar in chart.bars}
    assert len(bars) == 3
    today, other = bars["2026-03-15", "财务"], bars["2026-03-15", "人事"]
    assert other.height == pytest.approx(2 * today.height, abs=0.2)
    assert other.y + other.height == pytest.approx(chart.height - 22, abs=0.2)
    assert today.y + today.height == pytest.approx(other.y, abs=0.2)
    assert len(chart.days) == 14


@pytest.mark.parametrize(("ms", "text"), [(None, "–"), (0, "0:00"), (61_500, "1:01"), (3_723_000, "1:02:03")])
def test_lengths_are_written_as_people_read_them(ms: int | None, text: str) -> None:
    """Hours only where there are some."""
    assert shown.clock(ms) == text
