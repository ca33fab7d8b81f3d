"""The hotword lists of work that was begun: a profile names its list by its digest, and most need no more.

A department may change its list before every recording, and each version may be large: kept for ever with
every profile they would fill the disk. A list lies here from the moment that work with it is begun until that
is over, so that what was interrupted is finished as it was begun; those of the command line stay, as no file
says what they were. Fails as the history does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.history.connection import History
    from asr_daemon.transcripts.profile import Profile

MOST_IDLE = 16  # that may lie here without being looked through


class HotwordLists:
    """The table of lists."""

    def __init__(self, history: History) -> None:
        self._history = history

    def keep(self, profile: Profile, *, for_good: bool = False) -> None:
        """Keep the profile's list, if it has one."""
        if not (profile.hotwords or profile.replacements):
            return
        with self._history.transaction() as history:
            self._prune()
            history.run(
                "keep_hotword_list",
                digest=profile.hotwords_digest,
                words=json.dumps(profile.hotwords, ensure_ascii=False),
                replacements=json.dumps(profile.replacements, ensure_ascii=False),
                for_good=int(for_good),
            )

    def fill(self, profile: Profile) -> Profile:
        """Return the profile with its list, where that lies here."""
        row = None
        if not profile.is_whole:
            row = self._history.one("get_hotword_list", digest=profile.hotwords_digest)
        if row is None:
            return profile
        return replace(
            profile,
            hotwords=tuple(json.loads(row["words"])),
            replacements=tuple((wrong, right) for wrong, right in json.loads(row["replacements"])),
            list_sha256="",
        )

    def _prune(self) -> None:
        row = self._history.one("count_hotword_lists")
        if row is not None and row["lists"] >= MOST_IDLE:
            self._history.run("drop_hotword_lists")
