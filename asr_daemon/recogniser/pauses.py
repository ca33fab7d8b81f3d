"""Where a speaker paused, as offsets in what the model said."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.recogniser.families.family import Spoken

MIN_PAUSE_MS = 300  # between tokens; shorter ones are stops within a phrase


def pauses(spoken: Spoken) -> tuple[int, ...]:
    """Return the offsets in ``spoken.text`` of tokens that follow :data:`MIN_PAUSE_MS` of nothing, rising.

    None are returned where the tokens do not fit the text.
    """
    starts: list[int] = []
    at = 0
    for token in spoken.tokens:
        while at < len(spoken.text) and spoken.text[at].isspace():
            at += 1
        if not token.text or not spoken.text.startswith(token.text, at):
            return ()
        starts.append(at)
        at += len(token.text)
    if spoken.text[at:].strip():
        return ()
    return tuple(
        start
        for start, (before, after) in zip(starts[1:], itertools.pairwise(spoken.tokens), strict=True)
        if after.start_ms - before.end_ms >= MIN_PAUSE_MS
    )
