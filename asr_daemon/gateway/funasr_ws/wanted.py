"""What a client of FunASR's asks for, read from its messages; what makes no sense is refused by its name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, cast

MODES = ("2pass", "online", "offline")
Mode = Literal["2pass", "online", "offline"]
USUAL_RATE_HZ = 16_000
LEAST_HZ, MOST_HZ = 8000, 48_000
PCM = "pcm"
MOST_NAME = 200
MOST_HOTWORDS = 10_000
MOST_HOTWORD_CHARS = 600
_BETWEEN_WORDS = re.compile(r"[\s,，、;；]+")


class NotWantedError(ValueError):
    """A message that makes no sense; said to the client as it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recording that is to be spoken, or sent; ``itn`` None: as the inbox has it."""

    mode: Mode
    name: str
    format: str
    rate_hz: int
    hotwords: tuple[str, ...]
    itn: bool | None

    @property
    def is_raw(self) -> bool:
        """Whether bare samples come, and no file."""
        return self.format == PCM


def read_message(text: str) -> dict[str, Any]:
    """Return a message; raises :class:`NotWantedError` where it is none."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise NotWantedError("a message is an object in JSON; sound is sent as binary")
    return told


def is_end(told: dict[str, Any]) -> bool:
    """Whether that ends what is spoken: C++ clients say ``is_finished``, the newest Python one ``is_end``."""
    return told.get("is_speaking") is False or bool(told.get("is_finished")) or bool(told.get("is_end"))


def read_wanted(told: dict[str, Any]) -> Wanted:
    """Return what the first message asks for; raises :class:`NotWantedError`."""
    mode = told.get("mode", "2pass")
    if mode not in MODES:
        raise NotWantedError(f"mode: choose of {', '.join(MODES)}")
    _check_chunks(told.get("chunk_size", ()))
    wanted = Wanted(
        mode=cast("Mode", mode),
        name=_text(told, "wav_name", "demo")[:MOST_NAME],
        format=_text(told, "wav_format", PCM).lower() or PCM,
        rate_hz=_rate_hz(told.get("audio_fs", USUAL_RATE_HZ)),
        hotwords=_hotwords(told.get("hotwords", "")),
        itn=told["itn"] if isinstance(told.get("itn"), bool) else None,
    )
    if mode != "offline" and not wanted.is_raw:
        raise NotWantedError("wav_format: in this mode raw int16 samples are expected (pcm)")
    return wanted


def _text(told: dict[str, Any], name: str, usual: str) -> str:
    value = told.get(name, usual)
    if not isinstance(value, str):
        raise NotWantedError(f"{name} is a text")
    return value.strip()


def _check_chunks(given: object) -> None:
    """The sizes themselves are of no effect here: whoever gets them wrong learns of it all the same."""
    parts = given.strip(" []").split(",") if isinstance(given, str) else given
    try:
        _ = [int(part) for part in cast("list[Any]", parts)]
    except (TypeError, ValueError):
        raise NotWantedError("chunk_size is a list of whole numbers, such as [5, 10, 5]") from None


def _rate_hz(given: object) -> int:
    try:
        rate_hz = int(cast("str", given))
    except (TypeError, ValueError, OverflowError):
        rate_hz = 0
    if not LEAST_HZ <= rate_hz <= MOST_HZ:
        raise NotWantedError(f"audio_fs is a rate from {LEAST_HZ} to {MOST_HZ} Hz")
    return rate_hz


def _hotwords(given: object) -> tuple[str, ...]:
    """Return the words of an object (with weights), of a list, or of words with blanks."""
    if isinstance(given, str):
        try:
            parsed = json.loads(given) if given.strip()[:1] in ("{", "[") else None
        except (ValueError, RecursionError):
            parsed = None
        given = _BETWEEN_WORDS.split(given) if parsed is None else parsed
    if not isinstance(given, (dict, list)):
        raise NotWantedError("hotwords is a text: an object in JSON, or words with blanks between them")
    words = [word.strip() for word in given if isinstance(word, str)]
    kept = tuple(dict.fromkeys(word for word in words if word and len(word) <= MOST_HOTWORD_CHARS))
    if len(kept) > MOST_HOTWORDS:
        raise NotWantedError(f"at most {MOST_HOTWORDS} hotwords")
    return kept
