"""Why a message did not go out; in words that hold no secret."""

from __future__ import annotations


class NotSentError(Exception):
    """The receiver did not take it; ``after_s``: it asked for that much time."""

    def __init__(self, said: str, after_s: float = 0.0) -> None:
        super().__init__(said)
        self.said = said
        self.after_s = after_s
