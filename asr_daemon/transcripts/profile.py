"""The recognition profile: everything that can change the text of a recording.

The identity of a piece of work is (content hash, profile digest): same content and same profile is never
recognised twice.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

TEXT_REVISION = 2  # raise it when a release makes other text of the same recording on purpose


@dataclass(frozen=True, slots=True)
class Profile:
    """What one inbox asks of the recogniser at one moment; crosses to the recogniser as JSON."""

    model: str  # identity of the model's folder: its name and a digest of its files
    language: str = "zh"
    hotwords: tuple[str, ...] = ()
    replacements: tuple[tuple[str, str], ...] = ()  # (written wrongly, written rightly)
    list_sha256: str = ""  # of a hotword list that is named and not there
    phonetic_correction: bool = True
    itn: bool = True  # whether numbers are written, by the model itself where it does that, else by us
    protect: tuple[str, ...] = ()  # words that ITN leaves alone
    max_segment_s: float = 30.0
    max_end_silence_ms: int = 800
    text_revision: int = TEXT_REVISION
    speaker_model: str = ""  # identity of the one that tells voices apart; "": nobody asks who speaks
    max_speakers: int = 0  # 0: no limit
    speakers_expected: int = 0  # 0: found out

    def to_json(self) -> str:
        """Return the canonical JSON of the profile: same profile, same bytes. Its list is named alone."""
        fields = asdict(replace(self, hotwords=(), replacements=(), list_sha256=self.hotwords_digest))
        if not fields["list_sha256"]:
            del fields["list_sha256"]  # the bytes of older releases: what they transcribed stays known
        for name in ("speaker_model", "max_speakers", "speakers_expected"):
            if not (self.speaker_model and fields[name]):
                del fields[name]  # for the same reason
        return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Return the profile that :meth:`to_json` wrote, without its list."""
        fields = json.loads(text)
        for name in ("hotwords", "protect"):
            fields[name] = tuple(fields[name])
        fields["replacements"] = tuple((wrong, right) for wrong, right in fields["replacements"])
        return cls(**fields)

    @property
    def hotwords_digest(self) -> str:
        """SHA-256 of the hotword list, as `hotwords check` says it; "" where there is none."""
        has_list = self.hotwords or self.replacements
        return list_digest(self.hotwords, self.replacements) if has_list else self.list_sha256

    @property
    def is_whole(self) -> bool:
        """Whether its list, if it has one, is there."""
        return not self.list_sha256 or bool(self.hotwords or self.replacements)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def list_digest(words: tuple[str, ...], replacements: tuple[tuple[str, str], ...]) -> str:
    """Return the SHA-256, hexadecimal, by which a hotword list is known."""
    content = json.dumps([words, replacements], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
