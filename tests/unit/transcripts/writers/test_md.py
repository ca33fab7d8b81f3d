"""What a program that shows Markdown makes of ``NAME.md``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from asr_daemon.transcripts.writers.facts import DOUBTED, NO_SPEECH
from asr_daemon.transcripts.writers.md import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.transcripts.transcript import Segment
    from asr_daemon.transcripts.writers import Document

    Speak = Callable[..., Segment]
    Make = Callable[..., Document]


def shown(document: Document) -> str:
    """Return the HTML that a program makes of it."""
    html: str = MarkdownIt("commonmark").render(render(document))
    return html


def test_heading_facts_and_turns(speak: Speak, document: Make) -> None:
    """A heading, a list of facts, then who speaks and when, in bold above what they say."""
    first = replace(speak("大家好。"), speaker="顾清源")
    second = replace(speak("开始吧。", start_ms=5000), speaker="发言人2")
    html = shown(document(first, second, duration_ms=61_000))
    assert html.startswith("<h1>预算会议.m4a</h1>\n<ul>\n<li>时长：00:01:01</li>\n")
    assert "<p><strong>顾清源 00:00:00</strong><br />\n大家好。</p>" in html
    assert "<p><strong>发言人2 00:00:05</strong><br />\n开始吧。</p>" in html


def test_doubts_are_marked(speak: Speak, document: Make) -> None:
    """What is to be checked is seen in its place, and listed on top."""
    doubted = replace(speak("谢谢观看。", start_ms=1500), flags=("hallucination_suspected",))
    html = shown(document(speak("大家好。"), doubted))
    assert "大家好。<mark>谢谢观看。</mark>" in html
    assert f"<blockquote>\n<p>{DOUBTED}" in html


@pytest.mark.parametrize(
    "said",
    [
        "# 一",
        "1. 一 *二* _三_",
        "- [一](二) <b>",
        "`一` ~二~ &amp; |",
        r"\一",
        "+ 1",
        "1) 一",
        "=== 一",
        "<!-- 一",
    ],
)
def test_what_is_said_stays_what_was_said(speak: Speak, document: Make, said: str) -> None:
    """No mark in a text is taken for layout."""
    html = shown(document(speak(said), name=f"{said}.m4a"))
    plain = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert html.startswith(f"<h1>{plain}.m4a</h1>")
    assert f"<br />\n{plain}</p>" in html


def test_nothing_was_said(document: Make) -> None:
    """That is said."""
    assert NO_SPEECH in shown(document())
