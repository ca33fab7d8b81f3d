"""What makes a text incredible: nobody said it, the model made it up.

Enters: a segment's samples and its raw text. Leaves: the reasons to doubt it, none for good text. The limits
lie far outside what people say (figures beside each), so that a hit is rare and means something.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.speech_band import FRAME_SAMPLES, levels_dbfs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

REPETITION = "repetition"
ON_SILENCE = "text_on_silence"
TOO_FAST = "too_fast"
REASONS = (REPETITION, ON_SILENCE, TOO_FAST)

# The sample recordings have 5.5 at most, fast Mandarin 7 to 8. A letter or a digit counts as a third of one:
# fast English has 20 letters a second, and 一亿 is written with nine digits.
MOST_CHARACTERS_PER_S = 15.0
MOST_CHARACTERS_AT_ONCE = 5.0  # a short segment is cut close around its words

# (characters or words of a unit at the least, how often in a row): 哈哈哈哈 and 加油加油 are said, the same
# clause four times over hardly ever. Half of the text has to be so,
LEAST_TIMES = ((6, 4), (3, 6), (2, 8), (1, 12))
LEAST_SHARE = 0.5
# or, behind whatever good text, more than anybody laughs, agrees or cheers in one go.
LEAST_TIMES_BY_THEMSELVES = ((6, 5), (3, 8), (2, 12), (1, 16))
LONGEST_UNIT = 30
# Zeros in a row: 万亿 has 12, a card's number hardly more.
MOST_ZEROS = 15

LEVEL_SAMPLES = FRAME_SAMPLES
SILENT_DBFS = -70.0  # nothing there is loud: a whisper far from the microphone reaches -60
# Between loud and quiet places: a hum or a fan has less, a voice as loud as the noise around it more, the
# sample recordings 19 dB at the least.
STEADY_DB = 2.0
LEAST_STEADY_SAMPLES = SAMPLE_RATE_HZ  # below that, a level says little

# A figure is a token: 22222222 is one over and over. No word has 30 letters.
_TOKEN = re.compile(r"[A-Za-z'](?:[A-Za-z']{0,28}(?![A-Za-z']))?|[^\W_]")
_THIRD = re.compile(r"[0-9A-Za-zÀ-ɏͰ-ӿ]")


def reasons(text: str, samples: NDArray[np.float32]) -> tuple[str, ...]:
    """Return why the text of a segment (``float32 [n_samples], 16 kHz mono``) is not to be believed."""
    if not text:
        return ()
    found = []
    if repeats(_TOKEN.findall(text)):
        found.append(REPETITION)
    if is_silence(samples):
        found.append(ON_SILENCE)
    if (
        spoken_characters(text)
        > MOST_CHARACTERS_AT_ONCE + MOST_CHARACTERS_PER_S * len(samples) / SAMPLE_RATE_HZ
    ):
        found.append(TOO_FAST)
    return tuple(found)


def repeats(tokens: Sequence[str]) -> bool:
    """Whether most of a text, or a long stretch of it, is one unit over and over."""
    numbers = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    text = np.array([numbers[token] for token in tokens])
    for unit in range(1, min(LONGEST_UNIT, len(tokens) // 2) + 1):
        alike = text[unit:] == text[:-unit]  # as one unit before
        in_most = max(unit * (_times(LEAST_TIMES, unit) - 1), LEAST_SHARE * len(tokens) - unit)
        wanted = min(in_most, unit * (_times(LEAST_TIMES_BY_THEMSELVES, unit) - 1))
        if np.count_nonzero(alike) < wanted:
            continue
        length, start = _longest_run(alike)
        if length >= wanted and not (set(tokens[start : start + unit]) == {"0"} and length < MOST_ZEROS):
            return True
    return False


def _times(limits: Sequence[tuple[int, int]], unit: int) -> int:
    return next(times for least, times in limits if unit >= least)


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the length of the longest run of True, and where it begins."""
    breaks = np.flatnonzero(~np.concatenate([[False], flags, [False]]))
    lengths = np.diff(breaks)
    longest = int(lengths.argmax())
    return int(lengths[longest]) - 1, int(breaks[longest])


def spoken_characters(text: str) -> float:
    """Return how many Chinese characters' time a text takes at the least."""
    thirds = len(_THIRD.findall(text))
    return sum(character.isalnum() for character in text) - thirds + thirds / 3


def is_silence(samples: NDArray[np.float32]) -> bool:
    """Whether nobody speaks there: nothing is loud, or everything is equally loud."""
    levels = levels_dbfs(samples)
    if not len(levels):
        return False
    if levels.max() < SILENT_DBFS:
        return True
    low, high = np.percentile(levels, (10, 95))
    return len(samples) >= LEAST_STEADY_SAMPLES and bool(high - low < STEADY_DB)
