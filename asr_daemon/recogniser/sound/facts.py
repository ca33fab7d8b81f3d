"""What is in a recording before it is decoded: its audio tracks, when it begins and how long it says it is.

Enters: an open recording, or a part of it. Leaves: :class:`Facts`, within bounds of time, memory and bytes.
Tracks come from the head of ffmpeg's framecrc output, which holds nothing that the recording's author wrote;
its log, which does (names of tags may hold line feeds), is asked for length and beginning alone, and is not
believed where it gives two. Fails with
:class:`~asr_daemon.errors.NoAudioError`, ``ReadFailedError`` or ``NotDecodableError``.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.errors import JobError, NoAudioError, NotDecodableError, ReadFailedError
from asr_daemon.ffmpeg import FFMPEG_ENVIRONMENT, bind_ffmpeg, open_arguments
from asr_daemon.recogniser.sound.layouts import channels_of

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.recogniser.sound.parts import Part

LOOK_WITHIN_S = 60.0
MOST_TRACKS = 16
MOST_CHANNELS = 64  # ffmpeg's resampler has no more
EVIDENCE_LINES = 20
_MOST_OUTPUT_BYTES = 1 << 20
_FACT = re.compile(r"#(media_type|codec_id|sample_rate|channel_layout_name) (\d+): (\S.*)")
_DURATION = re.compile(
    r"^(?:\[info\] )?  Duration: (?:(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)|N/A)(?:, start: (-?\d{1,9}\.\d+))?",
    re.MULTILINE,
)
_GUESSED_DURATION = "Estimating duration from bitrate"
FIRST_DAY = "1990-01-01"  # earlier ones are a clock that was never set, or no time at all (1904, 1970)
# What containers say of when: all of it (MP4), or in two (broadcast WAVE).
_CREATED = re.compile(
    r"^(?:\[info\] )?    creation_time +: (?:(\d{4}-\d\d-\d\d)T)?(\d\d)[:-](\d\d)[:-](\d\d)", re.MULTILINE
)
_DATE = re.compile(r"^(?:\[info\] )?    date +: (\d{4}-\d\d-\d\d)$", re.MULTILINE)
_NO_AUDIO = ("does not contain any stream", "matches no streams", "Output file is empty")


@dataclass(frozen=True, slots=True)
class Track:
    """One audio track, by its number among them."""

    number: int
    codec: str  # ffmpeg's name
    rate_hz: int
    channels: int
    layout: str  # ffmpeg's name; "" where it has none


@dataclass(frozen=True, slots=True)
class Facts:
    """What the container says."""

    tracks: tuple[Track, ...]
    has_picture: bool | None  # None: nobody asked
    start_s: float | None  # of the clock that its time stamps go by; None where ffmpeg has to take it off
    duration_s: float | None  # None where it does not say, or ffmpeg only guesses
    evidence: str
    created: str = ""  # when, as its recorder's clock had it: 2024-03-15T09:30:00; "": it does not say


def look(fd: int, ffmpeg: Path, part: Part) -> Facts:
    """Return the facts of a part of a recording."""
    facts = _look(fd, ffmpeg, part, ("-map", "0:a?", "-map", "0:v?"))
    if not facts.tracks and _opened(facts.evidence):  # a picture that cannot be copied costs no sound
        facts = _look(fd, ffmpeg, part, ("-map", "0:a?"))
    if not facts.tracks:
        raise nothing_to_decode(fd, facts)
    return facts


def has_picture(fd: int, ffmpeg: Path, part: Part) -> bool:
    """Return whether there is more than sound; where ffmpeg cannot tell, there is not."""
    return bool(_look(fd, ffmpeg, part, ("-map", "0:v?")).has_picture)


def _look(fd: int, ffmpeg: Path, part: Part, wanted: tuple[str, ...]) -> Facts:
    command = [
        *open_arguments(ffmpeg, fd, part.span, part.input_options), *wanted,
        "-c", "copy", "-t", "0", "-f", "framecrc", "pipe:1",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(fd,),
        env=FFMPEG_ENVIRONMENT,
    )
    bind_ffmpeg(process.pid, cpu_s=int(LOOK_WITHIN_S))
    try:
        out, said = process.communicate(timeout=LOOK_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, said = process.communicate()
    return facts_from(out[:_MOST_OUTPUT_BYTES], said.decode(errors="replace"))


def facts_from(framecrc: bytes, said: str, *, with_picture: bool = True) -> Facts:
    """Return the facts by the head of ffmpeg's output and what it said until then.

    ``with_picture``: pictures were asked for.
    """
    streams: dict[int, dict[str, str]] = {}
    for name, number, value in _FACT.findall(framecrc.decode(errors="replace")):
        streams.setdefault(int(number), {})[name] = value
    tracks: list[Track] = []
    for stream in streams.values():
        if stream.get("media_type") == "audio":
            layout = stream.get("channel_layout_name", "")
            channels = channels_of(layout)
            rate_hz = int(stream.get("sample_rate", "0"))
            tracks.append(Track(len(tracks), stream.get("codec_id", "none"), rate_hz, channels, layout))
    duration_s = start_s = None
    told = _DURATION.findall(said)
    if len(told) == 1:  # of two, one is forged
        hours, minutes, seconds, start = told[0]
        start_s = float(start or 0)
        if hours and _GUESSED_DURATION not in said:
            duration_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    is_film = any(stream.get("media_type") == "video" for stream in streams.values())
    evidence = "\n".join(line[:500] for line in said.splitlines()[-EVIDENCE_LINES:])
    created = _created(said)
    return Facts(tuple(tracks), is_film if with_picture else None, start_s, duration_s, evidence, created)


def _created(said: str) -> str:
    """Return when a recording was made, by what stands above its length; "" where that does not say."""
    head = said.partition("  Duration: ")[0]
    at, date = _CREATED.search(head), _DATE.search(head)
    day = (at and at[1]) or (date and date[1])
    if not (at and day) or day < FIRST_DAY:
        return ""
    return f"{day}T{at[2]}:{at[3]}:{at[4]}"


def _opened(evidence: str) -> bool:
    return "Error opening input" not in evidence and "Invalid data found" not in evidence


def nothing_to_decode(fd: int, facts: Facts) -> JobError:
    """Return why there is nothing to decode."""
    if any(words in facts.evidence for words in _NO_AUDIO) or facts.has_picture:
        return NoAudioError(evidence=facts.evidence)
    if trouble := read_trouble(fd):
        return ReadFailedError(f"Reading the recording failed: {trouble}.", evidence=facts.evidence)
    return NotDecodableError(evidence=facts.evidence)


def read_trouble(fd: int) -> str:
    """Read the recording through once more; return what the operating system says against it, or nothing."""
    offset = 0
    try:
        while block := os.pread(fd, 1 << 20, offset):
            offset += len(block)
    except OSError as error:
        return error.strerror or str(error)
    return ""
