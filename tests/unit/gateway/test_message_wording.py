"""What messages say: within a receiver's bytes, and with names that whoever writes into a share chose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asr_daemon.control.notice_messages import Notice, Notices
from asr_daemon.gateway.notifications.wording import Room, cut, message_of, size

WECOM = Room(2048)
DINGTALK = Room(16_000, markdown=True)
DONE = Notice(
    "msg_1",
    "done",
    "2026-03-15T07:30:00.000Z",
    "财务",
    12,
    "预算会议.m4a",
    3_723_000,
    "",
    "",
    "",
    None,
    False,
)
FAILED = replace(
    DONE, event="failed", code="silk", problem="it is a WeChat message", problem_zh="这个文件是微信语音。"
)


def batch(*notices: Notice, language: str = "zh") -> Notices:
    return Notices("msg_b", language, notices)  # type: ignore[arg-type]


def test_one_message_says_which_what_and_why() -> None:
    """In the language that is asked for."""
    assert message_of(batch(DONE), WECOM).text == (
        "转写系统：转写完成\n财务：《预算会议.m4a》 转写完成（时长 01:02:03）"
    )
    assert "《预算会议.m4a》 转写失败：这个文件是微信语音。" in message_of(batch(FAILED), WECOM).text
    english = message_of(batch(FAILED, language="en"), WECOM).text
    assert english.endswith('财务: "预算会议.m4a" could not be transcribed: it is a WeChat message')


def test_what_has_no_chinese_is_told_in_english() -> None:
    """An administrator knows more from that than from nothing."""
    told = replace(
        DONE, event="backup_failed", inbox="", recording=None, file="", problem="no room on /backup"
    )
    assert message_of(batch(told), WECOM).text == "转写系统：备份失败\n备份失败：no room on /backup"


def test_a_digest_counts_and_lists() -> None:
    """Its title tells how many of which."""
    message = message_of(batch(DONE, DONE, FAILED), WECOM)
    assert message.title == "转写系统：3 条通知（转写完成 2，转写失败 1）"
    assert message.text.count("\n") == 3


@pytest.mark.parametrize("count", [1, 12, 50])
@pytest.mark.parametrize("name", ["会议.m4a", "很长的名字" * 40 + ".m4a", "𠮷" * 90])
def test_wecoms_bytes_are_held_and_what_is_left_out_is_counted(count: int, name: str) -> None:
    """No character is cut in two; every recording is listed or counted."""
    notices = [replace(FAILED, file=f"{number:02} {name}", id=f"msg_{number}") for number in range(count)]
    text = message_of(batch(*notices), WECOM).text
    assert size(text) <= 2048
    assert "\ufffd" not in text
    listed = sum(f"《{number:02} " in text for number in range(count))
    left = count - listed
    assert (f"另有 {left} 条未列出" in text) == bool(left)
    assert listed >= min(count, 4)


def test_fifty_usual_names_fit_into_wecoms_bytes() -> None:
    """Names alone, where reasons are too much."""
    notices = [replace(FAILED, file=f"会议 {number:02}.wav") for number in range(50)]
    text = message_of(batch(*notices), WECOM).text
    assert all(f"《会议 {number:02}.wav》" in text for number in range(50))


def test_a_transcript_is_cut_at_a_character_and_the_rest_counted() -> None:
    """Only where the daemon sent it along, and only of one recording."""
    said = "预算" * 3000
    text = message_of(batch(replace(DONE, text=said)), WECOM).text
    assert size(text) <= 2048
    kept = text.count("预") + text.count("算") - 2  # of the name
    assert f"后略 {6000 - kept} 字" in text
    whole = message_of(batch(replace(DONE, text="同意。")), WECOM).text
    assert whole.endswith("\n\n同意。")
    assert "同意" not in message_of(batch(replace(DONE, text="同意。"), DONE), WECOM).text


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("@所有人 开会.m4a", "@"),
        ('<at user_id="all">所有人</at>.m4a', "<"),
        ("<!channel> <@U1>.m4a", "<"),
        ("@everyone.m4a", "@"),
        ("a\n### 转写系统：恢复\n.m4a", "\n### 转写系统：恢复"),
        ("a\r\u2028b\u202egnp.m4a", "\u202e"),
        ("[点我](http://evil.example).m4a", "]("),
        ("**紧急** `x` ![x](y).m4a", "**"),
        ("__紧急__ _x_.m4a", "__"),
        ("http://evil.example", "http:"),
        ("www.evil.example", "www."),
        ("\x1b[31mred\x00.m4a", "\x1b"),
        ("\ud800.m4a", "\ud800"),
    ],
)
def test_names_mention_format_link_and_hide_nothing(name: str, forbidden: str) -> None:
    """Neither in a group nor in its preview; in a reason as little as in a name."""
    for told in (replace(DONE, file=name), replace(FAILED, problem_zh=name), replace(DONE, text=name)):
        message = message_of(batch(told), DINGTALK)
        assert forbidden not in message.text.removeprefix("### ")
        assert forbidden not in message.title
        assert forbidden not in message_of(batch(told), WECOM).text or forbidden in ("](", "**", "__")
        assert message.text.count("\n") <= 2 + 2 * (told.text is not None)


def test_a_name_does_not_end_before_its_end() -> None:
    """What it says of another recording stays within its own brackets."""
    told = replace(FAILED, file="a》 转写完成 《b.m4a")
    assert "《a〉 转写完成 〈b.m4a》 转写失败" in message_of(batch(told), WECOM).text


def test_usual_names_stay_as_they_are() -> None:
    """Underscores within words, brackets of Chinese, spaces."""
    name = "2026-03-15_预算会议_001 （终稿）.m4a"
    assert f"《{name}》" in message_of(batch(replace(DONE, file=name)), DINGTALK).text


def test_cut_keeps_whole_characters() -> None:
    """Of any width."""
    for most in range(30):
        shown = cut("a会𠮷é" * 4, most)
        assert size(shown) <= most
        assert "\ufffd" not in shown
