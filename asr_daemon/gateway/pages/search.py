"""搜索: words in all the transcripts that may be read, with the sentence around, to be heard at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from markupsafe import Markup, escape

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.pages.shell import Looking, PageRoute

router = APIRouter(route_class=PageRoute)

_WORD = re.compile(r'"([^"]*)"?|([^\s"]+)')
_QUOTES = str.maketrans("“”„‟«»", '""""""')


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; ``older`` is where the search goes on, "" where it is at its end."""

    words: str
    inbox: str
    found: ca.FoundList | None
    problem: str
    older: str
    is_first: bool

    def lit(self, text: str) -> Markup:
        """Return a passage with the words of the search marked, as far as they stand there as typed."""
        words = [one or other for one, other in _WORD.findall(self.words.translate(_QUOTES))]
        wanted = "|".join(re.escape(word) for word in sorted(filter(None, words), key=len, reverse=True))
        if not wanted:
            return escape(text)
        parts = re.split(f"({wanted})", text, flags=re.IGNORECASE)
        lit = [
            Markup("<mark>{}</mark>").format(part) if place % 2 else escape(part)
            for place, part in enumerate(parts)
        ]
        return Markup("").join(lit)


@router.get("/search")
def search(
    who: Looking,
    q: Annotated[str, Query(max_length=1000)] = "",
    inbox: Annotated[str, Query(max_length=64)] = "",
    mark: Annotated[str, Query(max_length=30, pattern=r"^(s\d{1,2}\.\d{1,18}|r\d{1,18})?$")] = "",
) -> Response:
    """Show the page, and what was found where something is asked for."""
    found, problem, older = None, "", ""
    if q.strip():
        try:
            found = who.daemon.ask(ca.FoundList, cm.Find(q, inbox or None, mark), who.secret)
        except AnsweredError as error:
            if error.refusal.code != "refused":
                raise
            is_chinese = who.texts.language == "zh"
            problem = error.refusal.chinese if is_chinese else error.refusal.message
    if found is not None and found.mark:
        given = {"q": q, "inbox": inbox, "mark": found.mark}
        older = "/search?" + urlencode({name: value for name, value in given.items() if value})
    return who.page("search.html", View(q, inbox, found, problem, older, not mark))
