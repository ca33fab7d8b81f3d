"""Words in the transcripts, two-character Chinese words too.

SQLite's tokenizers either take a run of Chinese for one word or need three characters. Here every Chinese
character is indexed as a word of its own, and a search is a phrase: 预算 finds 年度预算会议.
"""

from __future__ import annotations

import re

# CJK ideographs with their extensions, kana, full-width forms: scripts without spaces between words.
_ALONE = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")


def index_body(text: str) -> str:
    """Return what is indexed for a text: a space around every Chinese character."""
    return _ALONE.sub(r" \1 ", text)


def match_phrase(query: str) -> str:
    """Return the FTS5 expression that finds the words as one phrase."""
    return '"' + " ".join(index_body(query).replace('"', " ").split()) + '"'
