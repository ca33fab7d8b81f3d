"""Whose sentence it is: a name where the inbox knows the voice, and nothing where nobody is sure."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from asr_daemon.dispatch.protocol import Known, Listen
from asr_daemon.recogniser.live.voices import Namer
from asr_daemon.recogniser.segmenter.cutter import Stretch
from asr_daemon.speakers.window import Window, encoded
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.recogniser.speakers.embedder import Spoken


def voice(*axes: int) -> bytes:
    """Return a voice that is like those of each axis."""
    return encoded([float(number in axes) for number in range(192)])


PEOPLE = tuple(
    Known(name, (base64.b64encode(voice(axis)).decode(),)) for name, axis in (("张三", 1), ("李四", 2))
)
LONG = Stretch(1000, 5000, np.zeros(64_000, np.float32))


def namer(
    windows: Callable[[Sequence[Spoken]], list[tuple[Window, ...]]],
    notes: list[str],
    people: tuple[Known, ...] = PEOPLE,
) -> Namer:
    """Return one whose voices are those windows."""
    order = Listen(1, Profile("m", speaker_model="campplus@1"), people=people)
    stage = SimpleNamespace(windows=windows)
    return Namer(order, stage, lambda _level, event, _fields: notes.append(event))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("axes", "stretch", "name"),
    [
        ([(2,), (2,)], LONG, "李四"),
        ([(1,), (1,), (1, 7)], LONG, "张三"),
        ([(9,), (9,)], LONG, ""),  # nobody of this inbox
        ([(1,), (2,), (9,)], LONG, ""),  # several at once: nobody is sure
        ([], LONG, ""),
        ([(2,)], Stretch(0, 1500, LONG.samples[:24_000]), ""),  # too short to tell
    ],
)
def test_sure_enough_or_nobody(axes: list[tuple[int, ...]], stretch: Stretch, name: str) -> None:
    """By the middle of a sentence's windows."""
    windows = tuple(Window(0, at * 1000, at * 1000 + 1500, voice(*each)) for at, each in enumerate(axes))
    assert namer(lambda _: [windows], []).name(stretch) == name


def test_where_nobody_is_known_nothing_is_computed() -> None:
    """Embedding costs the device time."""
    asked: list[object] = []
    assert namer(lambda spoken: asked.append(spoken) or [()], [], people=()).name(LONG) == ""  # type: ignore[func-returns-value]
    assert asked == []


def test_failure_is_said_once_and_costs_no_text() -> None:
    """A session without names is better than none."""

    def broken(_: object) -> list[tuple[Window, ...]]:
        raise RuntimeError("no network")

    notes: list[str] = []
    one = namer(broken, notes)
    assert [one.name(LONG), one.name(LONG)] == ["", ""]
    assert notes == ["live_voices_not_embedded"]
