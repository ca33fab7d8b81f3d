"""What a program asks for, read from the fields of its form; what makes no sense is refused by its name."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.gateway.openai.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
STREAMED = ("json", "text", "diarized_json")
GRANULARITIES = ("segment", "word")
# OpenAI's own names, which many programs send without asking: the model that is here.
USUAL_MODELS = frozenset(
    {"", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"}
)
LANGUAGES = {
    **dict.fromkeys(("zh", "cmn", "chinese", "mandarin"), "zh"),
    **dict.fromkeys(("yue", "cantonese"), "yue"),
    **dict.fromkeys(("en", "english"), "en"),
    **dict.fromkeys(("ja", "japanese"), "ja"),
    **dict.fromkeys(("ko", "korean"), "ko"),
    "auto": "auto",
}
MOST_HOTWORDS = 10_000
MOST_HOTWORD_CHARS = 600
_BETWEEN_WORDS = re.compile(r"[\s,，、;；。.!！?？:：]+")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("", "false", "0", "no", "off")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request; ``language`` "" is the inbox's own."""

    inbox: str
    language: str
    hotwords: tuple[str, ...]
    format: str
    granularities: tuple[str, ...]
    is_streamed: bool


def read_wanted(fields: Mapping[str, list[str]], models: tuple[str, ...]) -> Wanted:
    """Return what is asked for; raises :class:`InvalidRequestError`. ``models`` are those that are here."""
    _check_model(_one(fields, "model"), models)
    _check_temperature(_one(fields, "temperature"))
    kind = _one(fields, "response_format") or "json"
    if kind not in FORMATS:
        raise InvalidRequestError(f"response_format: choose of {', '.join(FORMATS)}", "response_format")
    granularities = tuple(dict.fromkeys(fields.get("timestamp_granularities", ())))
    if set(granularities) - set(GRANULARITIES):
        raise InvalidRequestError("timestamp_granularities: segment, word", "timestamp_granularities")
    if granularities and kind != "verbose_json":
        told = "timestamp_granularities needs response_format verbose_json"
        raise InvalidRequestError(told, "timestamp_granularities")
    is_streamed = _is_true(_one(fields, "stream").lower())
    if is_streamed and kind not in STREAMED:
        raise InvalidRequestError(f"{kind} is not streamed; choose of {', '.join(STREAMED)}", "stream")
    return Wanted(
        inbox=_one(fields, "inbox"),
        language=_language(fields),
        hotwords=_hotwords(fields),
        format=kind,
        granularities=granularities or ("segment",),
        is_streamed=is_streamed,
    )


def _one(fields: Mapping[str, list[str]], name: str) -> str:
    given = fields.get(name, [""])
    if len(given) > 1:
        raise InvalidRequestError(f"{name} was given several times", name)
    return given[0].strip()


def _check_model(model: str, models: tuple[str, ...]) -> None:
    if model not in USUAL_MODELS and model not in models:
        told = f"the model {model[:100]!r} does not exist; here are: {', '.join((*models, 'whisper-1'))}"
        raise InvalidRequestError(told, "model", status=404, code="model_not_found")


def _check_temperature(given: str) -> None:
    try:
        value = float(given or 0)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InvalidRequestError("temperature is a number from 0 to 1", "temperature")


def _is_true(given: str) -> bool:
    if given not in (*_TRUE, *_FALSE):
        raise InvalidRequestError("stream is true or false", "stream")
    return given in _TRUE


def _language(fields: Mapping[str, list[str]]) -> str:
    several = [each.strip() for each in fields.get("languages", ()) if each.strip()]
    given = _one(fields, "language") or (several[0] if len(several) == 1 else "auto" if several else "")
    if not given:
        return ""
    found = LANGUAGES.get(re.split("[-_]", given.lower())[0])
    if found is None:
        told = f"language: choose of {', '.join(dict.fromkeys(LANGUAGES.values()))}"
        raise InvalidRequestError(told, "language")
    return found


def _hotwords(fields: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return the keywords, and the words of the prompt; what is no hotword is passed over later."""
    words = [word.strip() for word in fields.get("keywords", ())]
    words += _BETWEEN_WORDS.split(" ".join(fields.get("prompt", ())))
    kept = tuple(dict.fromkeys(word for word in words if word and len(word) <= MOST_HOTWORD_CHARS))
    if len(kept) > MOST_HOTWORDS:
        raise InvalidRequestError(f"at most {MOST_HOTWORDS} keywords", "keywords")
    return kept
