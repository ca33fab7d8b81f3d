"""What the sound of a recording was like, for the person who wonders why there is little text.

Enters: the recording's flags, of which those with a value ("channels:2") are read here. Leaves: lines in
Chinese.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.document import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

LOW_DBFS = -45
_INTRODUCTION = "声音情况："


def sound_notes(flags: Iterable[str]) -> list[str]:
    """Return the lines: tracks that were not read, sound that was left out, and how the rest was."""
    pairs = [flag.partition(":")[::2] for flag in flags if ":" in flag]
    values = dict(pairs)
    lines = []
    for name, value in pairs:
        number, _, codec = value.partition(" ")
        if name == "track_not_read":
            lines.append(f"请注意：第 {number} 条音轨无法解码（{printable(codec)}），没有转写。")
    if seconds := values.get("not_read_s"):
        lines.append(f"请注意：文件头写明的长度之后还有约 {seconds} 秒内容，超过了允许的最长时间，没有转写。")
    found = []
    if channels := values.get("channels"):
        heard = values.get("heard_channels")
        found.append(f"{channels} 声道" + (f"（其中 {heard} 个有人声）" if heard else ""))
    if tracks := values.get("tracks"):
        read, _, total = tracks.partition("/")
        found.append(f"共 {total} 条音轨，读取了 {read} 条")
    if level := values.get("level_dbfs"):
        is_low = int(level) < LOW_DBFS
        found.append(f"音量{'很低' if is_low else '正常'}（最响处约 {level} dBFS）")
    if speech := values.get("speech_s"):
        found.append(f"共检测到语音 {speech} 秒")
    if found:
        lines.append(_INTRODUCTION + "，".join(found) + "。")
    return lines
