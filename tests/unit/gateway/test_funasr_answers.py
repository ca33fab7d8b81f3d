"""FunASR's shapes, and what its clients' first messages ask for."""

from __future__ import annotations

from typing import Any

import pytest

from asr_daemon.gateway.funasr_ws.answers import sentences
from asr_daemon.gateway.funasr_ws.wanted import is_end, read_wanted


def timed(text: str) -> list[tuple[int, int, str]]:
    """Return a token a character, of 100 ms each."""
    return [(place * 100, place * 100 + 100, each) for place, each in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "spoken", "parts"),
    [
        ("今天开会，讨论预算。", "今天开会讨论预算", [("今 天 开 会", "，"), ("讨 论 预 算", "。")]),
        (
            "完成了80%，还剩20个。",
            "完成了百分之八十还剩二十个",
            [("完 成 了 百 分 之 八 十", "，"), ("还 剩 二 十 个", "。")],
        ),
        ("好，80%还剩。", "好百分之八十还剩", [("好", "，"), ("百 分 之 八 十 还 剩", "。")]),
        ("一共3.5元。", "一共三点五元", [("一 共 三 点 五 元", "。")]),
        ("今天开会", "今天开会", [("今 天 开 会", "")]),
        ("好！？", "好", [("好", "！")]),
    ],
)
def test_sentences_have_the_tokens_that_they_were_spoken_by(
    text: str, spoken: str, parts: list[tuple[str, str]]
) -> None:
    """Also where numbers were written: nothing is lost, nothing is in two of them."""
    found = sentences(text, timed(spoken))
    assert [(each["text_seg"], each["punc"]) for each in found] == parts
    stamps = [stamp for each in found for stamp in each["ts_list"]]
    assert stamps == [[begin, end] for begin, end, _ in timed(spoken)]
    assert found[0]["start"] == 0
    assert found[-1]["end"] == len(spoken) * 100


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('{"预算会议": 20, "王敏": 5}', ("预算会议", "王敏")),
        ("预算会议 王敏", ("预算会议", "王敏")),
        ("预算会议,王敏", ("预算会议", "王敏")),
        ('["王敏"]', ("王敏",)),
        ({"王敏": 1}, ("王敏",)),
        ("", ()),
        ("{nonsense", ("{nonsense",)),
    ],
)
def test_hotwords_come_in_every_form_that_clients_send(given: Any, words: tuple[str, ...]) -> None:
    """Text of JSON, with weights, or words with blanks or commas between them."""
    assert read_wanted({"hotwords": given}).hotwords == words


def test_what_a_microphone_leaves_out_is_usual() -> None:
    """Python's client says neither rate nor format when it records."""
    wanted = read_wanted({"wav_name": "microphone", "is_speaking": True})
    assert (wanted.mode, wanted.rate_hz, wanted.format, wanted.itn) == ("2pass", 16_000, "pcm", None)


@pytest.mark.parametrize("told", [{"is_speaking": False}, {"is_finished": True}, {"is_end": True}])
def test_every_clients_end_is_one(told: dict[str, Any]) -> None:
    """Python and html5, C++, the newest Python."""
    assert is_end(told)
    assert not is_end({"is_speaking": True})
