"""Facts and sound of a recording with one track, by one start of ffmpeg: most recordings are such.

Starting ffmpeg costs as much as decoding several seconds. So the first audio track is decoded on the guess
that there is no other, while a second output of the same process tells the tracks (facts.py), before any
sound. What does not fit the guess is given up here, and read as if this had not been tried.

Enters: an open recording, or a part of it. Leaves: :class:`Facts`, and :class:`Begun` where decoding goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.ffmpeg import open_arguments
from asr_daemon.recogniser.sound.clock import Readings
from asr_daemon.recogniser.sound.facts import (
    LOOK_WITHIN_S,
    MOST_CHANNELS,
    Facts,
    facts_from,
    nothing_to_decode,
)
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.stream import LOGLEVEL, cpu_limit_s

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.recogniser.sound.parts import Part
    from asr_daemon.recogniser.sound.process import FfmpegProcess

_MOST_LINES = 10_000
_MOST_HEAD_BYTES = 1 << 16
_NO_WORDS = ("-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1")
_DESCRIBED, _DESCRIBED_TO = "Input #", "Stream mapping:"


@dataclass(frozen=True, slots=True)
class Begun:
    """A track whose decoding has begun."""

    process: FfmpegProcess
    readings: Readings
    words: tuple[str, ...]  # what ffmpeg said so far, without its description of the recording
    sound: bytes  # float32, from the first sample on


def begin(
    process: FfmpegProcess, fd: int, ffmpeg: Path, part: Part, most_samples: int
) -> tuple[Facts | None, Begun | None]:
    """Start on a part of a recording; return what is known of it, and what goes on.

    No facts where it did not come to sound. Where nothing goes on, the process has ended.
    """
    readings, lines = Readings(), _Lines()
    process.hear = lines.hear
    facts, begun = None, None
    try:
        if process.start(_command(fd, ffmpeg, part, readings), fd, cpu_limit_s(most_samples), aside=True):
            channels, sound = _head(process)
            said = lines.beside_description()
            if channels and said is not None:
                facts = facts_from(process.aside, "\n".join(lines.heard), with_picture=False)
                if _fits(facts, channels):
                    begun = Begun(process, readings, said, sound)
    except TimeoutError:
        raise nothing_to_decode(fd, facts_from(b"", "\n".join(lines.heard))) from None
    finally:
        if begun is None:
            process.close()
            process.end()
    return (facts if facts is not None and facts.tracks else None), begun


def _fits(facts: Facts, channels: int) -> bool:
    """Whether it is as guessed: one track, and decoded as it is announced, on a clock that is known."""
    is_one = len(facts.tracks) == 1 and facts.tracks[0].channels == channels <= MOST_CHANNELS
    return is_one and facts.start_s is not None


def _command(fd: int, ffmpeg: Path, part: Part, readings: Readings) -> Callable[[int], list[str]]:
    def command(aside: int) -> list[str]:
        return [
            *open_arguments(ffmpeg, fd, part.span, ("-copyts", *part.input_options), LOGLEVEL + "info"),
            "-map", "0:a?", "-c", "copy", "-t", "0", *_NO_WORDS, "-flush_packets", "1",
            "-f", "framecrc", f"pipe:{aside}",
            "-map", "0:a:0", *_NO_WORDS, "-af", readings.filter, "-ar", str(SAMPLE_RATE_HZ),
            "-c:a", "pcm_f32le", "-f", "wav", "pipe:1",
        ]  # fmt: skip

    return command


def _head(process: FfmpegProcess) -> tuple[int, bytes]:
    """Wait for the head of the sound; return its channels, and what sound came with it; 0: none came.

    Raises ``TimeoutError`` where the recording is not even opened in time.
    """
    head = b""
    while len(head) < _MOST_HEAD_BYTES:
        more = process.first_sound(LOOK_WITHIN_S)
        if more is None and not process.aside:
            raise TimeoutError
        if more == b"":
            break
        head += more or b""
        sound_at = head.find(b"data") + 8
        if 8 <= sound_at <= len(head):  # noqa: PLR2004 (found, with its length)
            format_at = head.index(b"fmt ", 0, sound_at)
            return int.from_bytes(head[format_at + 10 : format_at + 12], "little"), head[sound_at:]
    return 0, b""


class _Lines:
    """What ffmpeg says."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.are_too_many = False

    def hear(self, line: str) -> None:
        """Take in a line."""
        if len(self.heard) < _MOST_LINES:
            self.heard.append(line)
        else:
            self.are_too_many = True

    def beside_description(self) -> tuple[str, ...] | None:
        """Return what nobody but ffmpeg said; None where that is not to be told.

        The description of the recording holds what its author wrote, any line of it; nothing of that comes
        after the last line with which ffmpeg ends it.
        """
        first = next((n for n, line in enumerate(self.heard) if _DESCRIBED in line), len(self.heard))
        last = max((n for n, line in enumerate(self.heard) if _DESCRIBED_TO in line), default=-1)
        if last < first or self.are_too_many:
            return None
        return (*self.heard[:first], *self.heard[last:])
