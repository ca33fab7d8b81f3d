"""What stands on top of a transcript that a person reads, in whatever format: facts, what to beware of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.clock import shown_length
from asr_daemon.models.catalogue import BUILTIN_IN_CHINESE
from asr_daemon.transcripts.writers.document import clock_time, printable
from asr_daemon.transcripts.writers.sections import missing_numbers
from asr_daemon.transcripts.writers.sound_notes import sound_notes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr_daemon.transcripts.transcript import Segment, Transcript
    from asr_daemon.transcripts.writers.document import Document

BUILTIN = (
    "请注意：本文由随软件附带的小型演示模型生成，只供试用，错误较多；正式使用前请联系管理员安装正式模型。"
)
FLAGS = {  # of the recording, in this order
    "truncated": "请注意：录音文件不完整或后面部分已损坏，只转写了能读出的部分。",
    "damaged": "请注意：录音中间有损坏，读不出的部分没有文字；其余文字的时间仍与录音一致。",
    "damaged_about": "请注意：录音中间有损坏，读不出的部分没有文字；其后文字的时间是估算的，可能有偏差。",
    "header_says_more": "请注意：文件里写的时长比实际录音长；能读出的已全部转写，如觉得缺少，请检查原文件。",
    "very_quiet": "请注意：录音音量很小，文字可能不准；下次请让麦克风靠近说话的人。",
    "overdriven": "请注意：录音音量过大、声音失真，文字可能不准；下次请调低录音音量。",
}
DOUBTED = "请注意：以下位置的文字可能不是录音里说的，请对照录音核对："
OVERLAPPED = "请注意：以下位置有几个人同时说话，文字和发言人可能不准："
MOST_DOUBTED = 10  # places that are listed; more of them say nothing more
NO_SPEECH = "（没有检测到语音）"
DOUBTS = frozenset({"hallucination_suspected", "overlapped"})  # of a segment: its text is to be checked


def facts(document: Document) -> list[tuple[str, str]]:
    """Return labels and values: which recording, how long, when, by what, and who speaks."""
    transcript = document.transcript
    return [
        ("录音", printable(document.name)),
        *_parts(document),
        ("时长", shown_length(transcript.duration_ms)),
        ("转写时间", f"{document.recognised_at:%Y-%m-%d %H:%M}"),
        ("识别模型", _model(transcript)),
        *_speakers(transcript),
    ]


def warnings(transcript: Transcript) -> list[str]:
    """Return what a reader should know before believing it, a sentence each."""
    return [
        *([BUILTIN] if transcript.model_is_builtin else []),
        *(text for flag, text in FLAGS.items() if flag in transcript.flags),
        *sound_notes(transcript.flags),
        *_doubted(transcript.segments),
        *_overlapped(transcript.segments),
    ]


def _model(transcript: Transcript) -> str:
    """Return the model's name; what else its label says is said in Chinese."""
    if not transcript.model_is_builtin:
        return transcript.model
    return transcript.model.partition(" (")[0] + BUILTIN_IN_CHINESE


def _parts(document: Document) -> list[tuple[str, str]]:
    """Return how many recordings it was made of, and which parts are missing."""
    if not document.parts:
        return []
    missing = missing_numbers(document)
    told = f"；缺少第 {'、'.join(map(str, missing))} 部分" if missing else ""
    return [("合并", f"由 {len(document.parts)} 个录音按先后合并，时间连续计算{told}")]


def _speakers(transcript: Transcript) -> list[tuple[str, str]]:
    """Return who speaks, and for how long."""
    said = [f"{printable(one.name)}（{shown_length(one.speech_ms)}）" for one in transcript.speakers]
    return [("发言人", "、".join(said))] if said else []


def _doubted(segments: Iterable[Segment]) -> list[str]:
    """Return a line with the places whose text the recogniser itself does not believe."""
    return _listed(DOUBTED, segments, "hallucination_suspected")


def _overlapped(segments: Iterable[Segment]) -> list[str]:
    """Return a line with the places at which another speaks as well."""
    return _listed(OVERLAPPED, segments, "overlapped")


def _listed(sentence: str, segments: Iterable[Segment], flag: str) -> list[str]:
    places = [clock_time(one.start_ms) for one in segments if flag in one.flags]
    if not places:
        return []
    more = f" 等 {len(places)} 处" if len(places) > MOST_DOUBTED else ""
    return [sentence + "、".join(places[:MOST_DOUBTED]) + more + "。"]
