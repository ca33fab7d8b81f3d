"""The texts of the pages in both languages, by name; and which language a browser asks for."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["zh", "en"]
FOR_SCRIPTS = "js."  # texts of that prefix go along with every page
_ASKED = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")


@cache
def catalogue() -> dict[str, tuple[str, str]]:
    """Return every text: Chinese, English."""
    text = files("asr_daemon.gateway.pages").joinpath("texts.json").read_text(encoding="utf-8")
    return {name: (chinese, english) for name, (chinese, english) in json.loads(text).items()}


class Texts:
    """The texts in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        place = 0 if language == "zh" else 1
        self._texts = {name: both[place] for name, both in catalogue().items()}
        scripts = {name: text for name, text in self._texts.items() if name.startswith(FOR_SCRIPTS)}
        self.for_scripts = json.dumps(scripts, ensure_ascii=False)

    def __call__(self, name: str, *values: object) -> str:
        """Return a text with ``{}`` replaced; raises ``KeyError`` where there is none."""
        text = self._texts[name]
        return text.format(*values) if values else text

    def maybe(self, name: str, otherwise: str) -> str:
        """Return a text, or something else where there is none of that name."""
        return self._texts.get(name, otherwise)


@cache
def texts(language: Language) -> Texts:
    """Return the texts in a language."""
    return Texts(language)


def asked_language(accept: str) -> Language:
    """Return the language of an ``Accept-Language``: Chinese, unless English comes before it."""
    best: dict[str, float] = {}
    for part in accept[:500].split(","):
        if match := _ASKED.fullmatch(part):
            weight = float(match[2]) if match[2] else 1.0
            best[match[1].lower()] = max(weight, best.get(match[1].lower(), 0.0))
    chinese = best.get("zh", 0.0)
    return "en" if best.get("en", 0.0) > chinese else "zh"
