"""What a message says to people, in Chinese or English, within what its receiver takes.

Enters: a batch whose names, problems and text come from a share: whoever can write there chooses them.
Leaves: a :class:`Message` in which they mention nobody, format nothing, begin no line and hide nothing.
What did not fit is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.clock import shown_length
from asr_daemon.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.control.notice_messages import Notice, Notices

MOST_NAME_CHARS = 120
MOST_PROBLEM_CHARS = 300
# Mentions ("@所有人", "<at user_id=all>", "<!channel>") need one of the first three; the brackets are those
# around a name.
_ACTIVE = str.maketrans({"@": "＠", "<": "＜", ">": "＞", "《": "〈", "》": "〉"})
_MARKDOWN = str.maketrans(
    {each: chr(ord(each) + 0xFEE0) for each in "*`[]()#!~|\\"}  # the full-width form of the same character
)
_LONE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # within a word it formats nothing
_SPACES = re.compile(r"\s+")
_ADDRESS = re.compile(r"(?i)\b(https?|ftp|www)(?=[:.])")  # what a chat would make a link of

ZH = {
    "done": "转写完成",
    "failed": "转写失败",
    "quarantined": "多次转写失败，已停止重试",
    "blocked": "转写暂停",
    "unblocked": "转写已恢复",
    "inbox_gone": "文件夹无法使用",
    "backup_failed": "备份失败",
    "disk_low": "磁盘空间不足",
    "test": "测试通知：能看到这条消息，说明通知设置正确。",
}
EN = {
    "done": "transcribed",
    "failed": "could not be transcribed",
    "quarantined": "failed several times and is not tried again",
    "blocked": "the queue waits",
    "unblocked": "the queue goes on",
    "inbox_gone": "an inbox cannot be used",
    "backup_failed": "the backup failed",
    "disk_low": "a disk is nearly full",
    "test": "A message on trial: whoever reads it is told.",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    title: str  # a line
    text: str  # the title first


@dataclass(frozen=True, slots=True)
class Room:
    """What a receiver takes."""

    most_bytes: int  # of the text, in UTF-8
    markdown: bool = False


def message_of(batch: Notices, room: Room) -> Message:
    """Return the batch as a message that fits.

    Several are a list; where that is too long, one of names alone; where that is, too, the rest is counted.
    """
    is_zh, notices = batch.language == "zh", batch.notices
    title = _title(notices, is_zh=is_zh)
    head = f"### {title}" if room.markdown else title
    between = "\n\n" if room.markdown else "\n"
    prefix = ("- " if room.markdown else "") if len(notices) > 1 else ""
    lines = [prefix + _line(notice, is_zh=is_zh, markdown=room.markdown) for notice in notices]
    text = between.join((head, *lines))
    if size(text) <= room.most_bytes:
        left_bytes = room.most_bytes - size(text)
        return Message(title, text + _transcript(notices, room, left_bytes, is_zh=is_zh))
    if len(notices) == 1:
        return Message(title, cut(text, room.most_bytes))
    text, listed = head, 0
    for group, names in _grouped(notices, is_zh=is_zh, markdown=room.markdown).items():
        text, listed, is_full = _with_names(text, between + prefix + group, names, listed, len(notices), room)
        if is_full:
            text += between + _left_out(len(notices) - listed, is_zh=is_zh)
            break
    return Message(title, cut(text, room.most_bytes))


def _with_names(
    text: str, group: str, names: list[str], listed: int, total: int, room: Room
) -> tuple[str, int, bool]:
    """Return the text with as many of these names as fit, how many are listed, and whether it is full."""
    reserve = size("\n\n" + max(_left_out(total, is_zh=True), _left_out(total, is_zh=False), key=size))
    for name in names:
        added = group + name
        if size(text + added) + reserve > room.most_bytes:
            return text, listed, True
        text, group, listed = text + added, "", listed + 1
    return text, listed, False


def _grouped(notices: Sequence[Notice], *, is_zh: bool, markdown: bool) -> dict[str, list[str]]:
    """Return the names of each event and inbox, in the order of their coming."""
    groups: dict[str, list[str]] = {}
    for notice in notices:
        inbox = harmless(notice.inbox, MOST_NAME_CHARS, markdown=markdown)
        words = (ZH if is_zh else EN)[notice.event]
        group = f"{inbox}：{words}" if is_zh and inbox else f"{inbox}: {words}" if inbox else words
        name = harmless(notice.file, MOST_NAME_CHARS, markdown=markdown)
        named = "" if not name else f"《{name}》" if is_zh else f' "{name}"'
        groups.setdefault(group, []).append(named)
    return groups


def _title(notices: Sequence[Notice], *, is_zh: bool) -> str:
    if len(notices) == 1:
        event = notices[0].event
        if event == "test":
            return "转写系统：测试通知" if is_zh else "asr-daemon: test"
        return f"{'转写系统：' if is_zh else 'asr-daemon: '}{(ZH if is_zh else EN)[event].partition('，')[0]}"
    words = ZH if is_zh else EN
    counts = Counter(notice.event for notice in notices)
    if is_zh:
        told = "，".join(f"{words[event].partition('，')[0]} {count}" for event, count in counts.items())
        return f"转写系统：{len(notices)} 条通知（{told}）"
    told = ", ".join(f"{count} × {event}" for event, count in counts.items())
    return f"asr-daemon: {len(notices)} messages ({told})"


def _line(notice: Notice, *, is_zh: bool, markdown: bool) -> str:
    words = (ZH if is_zh else EN)[notice.event]
    where = harmless(notice.inbox, MOST_NAME_CHARS, markdown=markdown)
    if notice.recording is not None:
        name = harmless(notice.file, MOST_NAME_CHARS, markdown=markdown)
        where = f"{where}：《{name}》" if is_zh else f'{where}: "{name}"'
        if notice.event == "done" and notice.duration_ms:
            length = shown_length(notice.duration_ms)
            words += f"（时长 {length}）" if is_zh else f" ({length})"
    # What has no Chinese is an administrator's, who reads English rather than nothing.
    problem = (is_zh and notice.problem_zh) or notice.problem
    told = harmless(problem, MOST_PROBLEM_CHARS, markdown=markdown)
    line = f"{where} {words}" if where else words
    return f"{line}{'：' if is_zh else ': '}{told}" if told else line


def _transcript(notices: Sequence[Notice], room: Room, left_bytes: int, *, is_zh: bool) -> str:
    """Return the beginning of the text of a message about one recording, as far as there is room."""
    text = notices[0].text if len(notices) == 1 else None
    if not text:
        return ""
    between = "\n\n"
    full = harmless(text, len(text), markdown=room.markdown)
    shown = full
    note = ""
    if size(between + full) > left_bytes or notices[0].text_is_cut:
        widest = _left_out_text(len(full), is_zh=is_zh)
        shown = cut(full, left_bytes - size(between + widest), mark="")
        left = len(full) - len(shown)
        note = ("……（后面还有，未列出）" if is_zh else "… (there is more)") if notices[0].text_is_cut else ""
        note = note or (_left_out_text(left, is_zh=is_zh) if left else "")
    return cut(between + shown + note, left_bytes) if shown else ""


def _left_out(count: int, *, is_zh: bool) -> str:
    return f"……另有 {count} 条未列出" if is_zh else f"… and {count} more that are not listed"


def _left_out_text(chars: int, *, is_zh: bool) -> str:
    return f"……（后略 {chars} 字）" if is_zh else f"… ({chars} characters left out)"


def harmless(text: str, most_chars: int, *, markdown: bool = False) -> str:
    """Return words from a share as one piece of a line that mentions, formats, links and hides nothing."""
    text = printable(_SPACES.sub(" ", text).strip()).translate(_ACTIVE)
    text = _ADDRESS.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    if markdown:
        text = _LONE_UNDERSCORE.sub("＿", text.translate(_MARKDOWN))
    if len(text) <= most_chars:
        return text
    half = (most_chars - 1) // 2  # the end of a name tells as much as its beginning
    return f"{text[:half]}…{text[-half:]}"


def cut(text: str, most_bytes: int, mark: str = "…") -> str:
    """Return the beginning of a text of at most so many bytes of UTF-8, whole characters and the mark."""
    if size(text) <= most_bytes:
        return text
    room = max(0, most_bytes - size(mark))
    kept = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    return (kept + mark) if most_bytes >= size(mark) else ""


def size(text: str) -> int:
    """Return a text's bytes in UTF-8."""
    return len(text.encode("utf-8", "replace"))
