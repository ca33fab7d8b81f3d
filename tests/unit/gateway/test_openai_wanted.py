"""What a program asks for in OpenAI's words, read field by field."""

from __future__ import annotations

import pytest

from asr_daemon.gateway.openai.errors import InvalidRequestError
from asr_daemon.gateway.openai.wanted import read_wanted

MODELS = ("paraformer-zh",)


def fields(**given: str | list[str]) -> dict[str, list[str]]:
    """Return a form's fields."""
    return {name: [value] if isinstance(value, str) else value for name, value in given.items()}


def test_least_request_gets_the_usual_answer() -> None:
    """n8n sends a model and nothing else; others send nothing."""
    for given in ({}, fields(model="whisper-1"), fields(model="paraformer-zh")):
        wanted = read_wanted(given, MODELS)
        assert (wanted.format, wanted.language, wanted.hotwords) == ("json", "", ())
        assert wanted.granularities == ("segment",)
        assert not wanted.is_streamed


@pytest.mark.parametrize(
    ("given", "language"),
    [
        ({"language": "zh-CN"}, "zh"),
        ({"language": "ZH_hans"}, "zh"),
        ({"language": "cmn"}, "zh"),
        ({"language": "en-US"}, "en"),
        ({"language": ""}, ""),
        ({"languages": ["ja"]}, "ja"),
        ({"languages": ["zh", "en"]}, "auto"),
        ({"language": "yue", "languages": ["zh", "en"]}, "yue"),
    ],
)
def test_languages_are_taken_as_programs_write_them(given: dict[str, str | list[str]], language: str) -> None:
    """With regions, by other names, several."""
    assert read_wanted(fields(**given), MODELS).language == language


def test_prompt_and_keywords_become_words() -> None:
    """Each once, keywords first, whole as they are; a prompt is taken apart at its punctuation."""
    given = fields(prompt="发言人：顾清源、预算 会议。", keywords=["人工 智能", "顾清源", " "])
    assert read_wanted(given, MODELS).hotwords == ("人工 智能", "顾清源", "发言人", "预算", "会议")


@pytest.mark.parametrize(
    ("given", "param", "status"),
    [
        ({"model": "gpt-9"}, "model", 404),
        ({"model": ["a", "b"]}, "model", 400),
        ({"response_format": "docx"}, "response_format", 400),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities", 400),
        (
            {"response_format": "verbose_json", "timestamp_granularities": ["letter"]},
            "timestamp_granularities",
            400,
        ),
        ({"temperature": "nan"}, "temperature", 400),
        ({"temperature": "warm"}, "temperature", 400),
        ({"temperature": "1.5"}, "temperature", 400),
        ({"language": "klingon"}, "language", 400),
        ({"stream": "maybe"}, "stream", 400),
        ({"stream": "true", "response_format": "verbose_json"}, "stream", 400),
        ({"keywords": [str(number) for number in range(10_001)]}, "keywords", 400),
    ],
)
def test_what_makes_no_sense_names_its_field(
    given: dict[str, str | list[str]], param: str, status: int
) -> None:
    """As OpenAI's client shows it."""
    with pytest.raises(InvalidRequestError) as raised:
        read_wanted(fields(**given), MODELS)
    assert (raised.value.param, raised.value.status) == (param, status)
