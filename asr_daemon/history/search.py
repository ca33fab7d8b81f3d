"""Words in the transcripts, two-character Chinese words too.

SQLite's tokenizers either take a run of Chinese for one word or need three characters. Here every Chinese
character is indexed as a word of its own, and a word of a search is a phrase: 预算 finds 年度预算会议. Texts
are indexed folded (folding.py), so that 預算 and ＰＰＴ find 预算 and PPT, and the other way round.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.history.folding import fold
from asr_daemon.history.spoken import other_forms

if TYPE_CHECKING:
    from collections.abc import Iterable

# CJK ideographs with their extensions, kana, full-width forms: scripts without spaces between words.
_ALONE = re.compile(r"([\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
MOST_TERMS = 20  # of a search; each is looked up by itself
_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')
_QUOTES = str.maketrans("“”„‟«»\0", '"""""" ')  # NUL ends an expression in the middle


def index_body(text: str) -> str:
    """Return what is indexed for a text: folded, a space around every Chinese character."""
    return _ALONE.sub(r" \1 ", fold(text))


def match_phrase(query: str) -> str:
    """Return the FTS5 expression that finds the words as one phrase."""
    return '"' + " ".join(index_body(query).replace('"', " ").split()) + '"'


def match_terms(query: str) -> tuple[str, ...]:
    """Return an FTS5 expression for each term of a search; none where it holds no letter, digit or character.

    Words parted by blanks must all be in a recording, in any order and any passages; what stands in quotation
    marks is one phrase. A number is found as it is written and as it is said.
    """
    terms = [
        alternatives
        for match in _TERM.finditer(fold(query.translate(_QUOTES)))
        if (alternatives := _alternatives(match[1] if match[1] is not None else match[2]))
    ]
    return tuple(dict.fromkeys(terms))


def _alternatives(term: str) -> str:
    if not re.search(r"[^\W_]", term):
        return ""
    phrases = dict.fromkeys(match_phrase(form) for form in (term, *other_forms(term)))
    return f"({' OR '.join(phrases)})" if len(phrases) > 1 else next(iter(phrases))


def mentions(text: str, terms: Iterable[str]) -> bool:
    """Whether a text holds one of the terms of :func:`match_terms`."""
    words = f" {_plain(index_body(text))} "
    phrases = (phrase for term in terms for phrase in re.findall(r'"([^"]*)"', term))
    return any(f" {_plain(phrase)} " in words for phrase in phrases)


def _plain(body: str) -> str:
    return " ".join(re.findall(r"\w+", body))
