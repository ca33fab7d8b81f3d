"""What was odd about a recording, in flags that its transcript keeps.

A flag is a word, or a word, a colon and a value: "track_not_read:2 apac", "channels:2".
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Unread:
    """A track that nothing decodes, counted from 1."""

    number: int
    codec: str


@dataclass
class Findings:
    """Grows while a recording is decoded."""

    cut_off: bool = False  # it ends in the middle
    damaged: bool = False  # something in it cannot be read
    is_estimated: bool = False  # how long what cannot be read was
    promises_more: bool = False  # it ends well, and before its header says
    unread_s: float = 0.0  # sound behind what the header says, left out
    unread: list[Unread] = field(default_factory=list)
    tracks: int = 0
    channels: int = 0
    created: str = ""  # when, as its container says
    heard_channels: int = 0  # in which something like speech moved; 0 where nobody looked

    @property
    def flags(self) -> tuple[str, ...]:
        """What is said of every recording that it is true of."""
        return (
            *(("truncated",) if self.cut_off else ()),
            *((("damaged_about" if self.is_estimated else "damaged"),) if self.damaged else ()),
            *(("header_says_more",) if self.promises_more else ()),
            *((f"not_read_s:{round(self.unread_s)}",) if self.unread_s else ()),
            *(f"track_not_read:{one.number} {one.codec}" for one in self.unread),
            *((f"created:{self.created}",) if self.created else ()),
        )

    def details(self, loudest_dbfs: float, speech_ms: int) -> tuple[str, ...]:
        """What explains that there is little text; -200 dBFS stands for nothing at all."""
        heard = self.heard_channels if self.heard_channels < self.channels else 0
        return (
            *((f"channels:{self.channels}",) if self.channels else ()),
            *((f"heard_channels:{heard}",) if heard else ()),
            *((f"tracks:{self.tracks - len(self.unread)}/{self.tracks}",) if self.tracks > 1 else ()),
            f"level_dbfs:{round(max(loudest_dbfs, -200.0))}",
            f"speech_s:{round(speech_ms / 1000)}",
        )
