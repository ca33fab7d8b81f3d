"""What somebody may who shows a token."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERY_INBOX = "*"  # among the inboxes of an access: all of them, also those to come


class Right(str, enum.Enum):
    """What may be done in an inbox; ``operate`` concerns queue and model, which all inboxes share."""

    READ = "read"  # lists, transcripts, search, sound
    UPLOAD = "upload"  # recordings, and live sessions
    EDIT = "edit"  # transcripts, speakers, hotwords; try again
    OPERATE = "operate"  # pause, resume, free the model's memory

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Access:
    """One who may use the gateway, by a name for people."""

    name: str
    inboxes: tuple[str, ...]
    rights: frozenset[Right]
    created_at: str = ""  # stamp
    used_at: str = ""  # stamp of the last log-in or use by a program, to the hour

    def may(self, right: Right, inbox: str) -> bool:
        """Whether that may be done in an inbox."""
        return right in self.rights and (inbox in self.inboxes or EVERY_INBOX in self.inboxes)

    def seen(self, inboxes: Iterable[str]) -> tuple[str, ...]:
        """Return those of the configured inboxes that may be read."""
        return tuple(inbox for inbox in inboxes if self.may(Right.READ, inbox))


def parse_rights(words: str) -> frozenset[Right]:
    """Return the rights of ``read,upload``; reading is part of every other.

    Raises :class:`~asr_daemon.errors.UsageError` where a word is none of them.
    """
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [word for word in wanted if word not in [*map(str, Right)]]
    if unknown or not wanted:
        raise UsageError(f"{', '.join(unknown) or 'nothing'} cannot be allowed; choose of {', '.join(Right)}")
    return frozenset({Right.READ, *(Right(word) for word in wanted)})
