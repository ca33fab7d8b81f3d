"""``NAME.txt``: what a person reads. Who made it on top, then paragraphs with the time they begin at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.document import clock_time, printable
from asr_daemon.transcripts.writers.sound_notes import sound_notes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr_daemon.transcripts.transcript import Segment, Transcript
    from asr_daemon.transcripts.writers.document import Document

PARAGRAPH_PAUSE_MS = 2000  # a silence this long is a new thought, or another speaker
PARAGRAPH_CHARACTERS = 200  # beyond which the next silence will do
SENTENCE_END = "。！？…!?.；;"
PUNCTUATION = SENTENCE_END + "，、：,:”’」』）)》"

BUILTIN = (
    "请注意：本文由随软件附带的小型演示模型生成，只供试用，错误较多；正式使用前请联系管理员安装正式模型。"
)
FLAGS = {  # of the recording, in this order
    "truncated": "请注意：录音文件不完整或后面部分已损坏，只转写了能读出的部分。",
    "damaged": "请注意：录音中间有损坏，读不出的部分没有文字；其余文字的时间仍与录音一致。",
    "header_says_more": "请注意：文件里写的时长比实际录音长；能读出的已全部转写，如觉得缺少，请检查原文件。",
    "very_quiet": "请注意：录音音量很小，文字可能不准；下次请让麦克风靠近说话的人。",
    "overdriven": "请注意：录音音量过大、声音失真，文字可能不准；下次请调低录音音量。",
}
DOUBTED = "请注意：以下位置的文字可能不是录音里说的，请对照录音核对："
MOST_DOUBTED = 10  # places that are listed; more of them say nothing more
NO_SPEECH = "（没有检测到语音）"
NOT_RECOGNISED = "（这一段未能识别）"


def render(document: Document) -> str:
    """Return the whole text file, in UTF-8's characters."""
    transcript = document.transcript
    head = [
        f"录音：{printable(document.name)}",
        f"时长：{clock_time(transcript.duration_ms)}",
        f"转写时间：{document.recognised_at:%Y-%m-%d %H:%M}",
        f"识别模型：{transcript.model}",
        *_warnings(transcript),
    ]
    body = [f"[{clock_time(start_ms)}] {text}" for start_ms, text in paragraphs(transcript.segments)]
    return "\n".join(head) + "\n\n" + "\n\n".join(body or [NO_SPEECH]) + "\n"


def paragraphs(segments: Iterable[Segment]) -> list[tuple[int, str]]:
    """Return (start in ms, text) of the paragraphs: segments joined until a long pause or a full measure."""
    found: list[tuple[int, str]] = []
    last_end_ms = 0
    for segment in segments:
        text = " ".join(segment.text.split()) or (NOT_RECOGNISED if "failed" in segment.flags else "")
        if not text:
            continue
        is_new = (
            not found
            or segment.start_ms - last_end_ms >= PARAGRAPH_PAUSE_MS
            or len(found[-1][1]) >= PARAGRAPH_CHARACTERS
        )
        if is_new:
            found.append((segment.start_ms, text))
        else:
            found[-1] = (found[-1][0], join(found[-1][1], text))
        last_end_ms = segment.end_ms
    return found


def join(before: str, after: str) -> str:
    """Return two stretches as one: a gap stays visible where no punctuation shows it."""
    closes = before[-1] in PUNCTUATION and not (before[-1].isascii() and after[0].isascii())
    return before + ("" if closes else " ") + after


def _warnings(transcript: Transcript) -> list[str]:
    return [
        *([BUILTIN] if transcript.model_is_builtin else []),
        *(text for flag, text in FLAGS.items() if flag in transcript.flags),
        *sound_notes(transcript.flags),
        *_doubted(transcript.segments),
    ]


def _doubted(segments: Iterable[Segment]) -> list[str]:
    """Return a line with the places whose text the recogniser itself does not believe."""
    places = [clock_time(one.start_ms) for one in segments if "hallucination_suspected" in one.flags]
    if not places:
        return []
    more = f" 等 {len(places)} 处" if len(places) > MOST_DOUBTED else ""
    return [DOUBTED + "、".join(places[:MOST_DOUBTED]) + more + "。"]
