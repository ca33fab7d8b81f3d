"""Hotwords in the built-in model: they act, whatever they look like and whatever shares the batch."""

from __future__ import annotations

import builtins
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.hotwords import read_hotwords
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.seaco import SeacoParaformer

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "asr_daemon" / "demo" / "audio"
# names that are said nowhere, to fill a list beyond what takes part at once
FOREIGN = tuple(f"{a}{b}{c}" for a in "赵钱孙李周吴郑王" for b in "天地玄黄光" for c in "宇宙洪")


@pytest.fixture(scope="module")
def model() -> SeacoParaformer:
    """Return the built-in model on the CPU."""
    return SeacoParaformer(ROOT / "asr_daemon" / "models" / "paraformer-tiny-zh", "cpu", 1)


def stretch(name: str, start_s: float, length_s: float) -> NDArray[np.float32]:
    """Return part of a demonstration recording, float32, -1..1, 16 kHz mono."""
    command = [
        str(find_ffmpeg()),
        "-v",
        "error",
        "-ss",
        str(start_s),
        "-t",
        str(length_s),
        "-i",
        str(DEMO / name),
    ]
    raw = subprocess.run(
        [*command, "-f", "f32le", "-ac", "1", "-ar", "16000", "-"], capture_output=True, check=True
    )
    return np.frombuffer(raw.stdout, np.float32).copy()


@pytest.fixture(scope="module")
def segments() -> list[NDArray[np.float32]]:
    """Return stretches of several lengths, speech and pauses."""
    return [stretch(name, start, length) for name in ("finance.m4a", "support.mp3", "lecture.wav")
            for start, length in ((0, 4), (3, 7), (8, 3), (10, 9))]  # fmt: skip


def texts(model: SeacoParaformer, batch: list[NDArray[np.float32]], words: tuple[str, ...]) -> list[str]:
    """Return the texts of one batch."""
    ready = [model.prepare(samples) for samples in batch]
    return [spoken.text for spoken in model.transcribe(ready, Request(hotwords=words))]


@pytest.mark.parametrize("n_words", [0, 30, 120])
def test_the_text_is_the_same_whatever_shares_the_batch(
    model: SeacoParaformer, segments: list[NDArray[np.float32]], n_words: int
) -> None:
    """Alone, together, and in another order; with short and with long lists."""
    words = ("顾清源", "岳明远", "工单号", "年度预算", *FOREIGN)[:n_words]
    alone = [texts(model, [segment], words)[0] for segment in segments]
    assert texts(model, segments, words) == alone
    assert texts(model, segments[::-1], words)[::-1] == alone
    pairs = [text for at in range(0, len(segments), 2) for text in texts(model, segments[at : at + 2], words)]
    assert pairs == alone


def test_a_name_comes_in_among_few_and_among_many(model: SeacoParaformer) -> None:
    """The list of the demonstration acts, also at the end of a list longer than takes part at once."""
    support = [stretch("support.mp3", start, 5) for start in range(0, 16, 2)]
    names = read_hotwords(DEMO / "support.hotwords.txt").words
    assert "岳明远" in names
    assert "岳明远" not in "".join(texts(model, support, ()))
    assert "岳明远" in "".join(texts(model, support, names))
    assert "岳明远" in "".join(texts(model, support, (*FOREIGN, *names)))


def test_foreign_names_do_no_damage(model: SeacoParaformer, segments: list[NDArray[np.float32]]) -> None:
    """Speech without any of the words reads as it does without a list."""
    assert texts(model, segments, FOREIGN[:50]) == texts(model, segments, ())


def test_addresses_and_file_names_are_neither_fetched_nor_read(
    model: SeacoParaformer,
    segments: list[NDArray[np.float32]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list of such words is no more than a list of words that the model cannot write."""
    trap = tmp_path / "顾清源.txt"
    trap.write_text("顾清源", encoding="utf-8")
    words = ("http://127.0.0.1:9/顾清源", "顾清源.txt", str(trap), "<s>", "<unk>", "", " ", "词" * 5000)
    before = texts(model, segments, ())
    opened: list[object] = []
    real_open = builtins.open

    def watched(file: object, *args: object, **kwargs: object) -> object:
        opened.append(file)
        return real_open(file, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr("requests.get", lambda *_a, **_k: pytest.fail("fetched"))
    assert texts(model, segments, words) == before
    assert str(trap) not in map(str, opened)


def test_a_phrase_is_one_hotword(model: SeacoParaformer) -> None:
    """Blanks inside a hotword do not divide it: 顾 清 源 acts as 顾清源."""
    finance = [stretch("finance.m4a", start, 5) for start in range(0, 16, 2)]
    assert texts(model, finance, ("顾 清源",)) == texts(model, finance, ("顾清源",))


def test_words_with_unknown_characters_are_left_out_and_named(
    model: SeacoParaformer, segments: list[NDArray[np.float32]]
) -> None:
    """They change nothing, the others still act, and the caller learns which they are."""
    request = Request(hotwords=("顾清源", "龘靐公司", "5G"))
    assert model.unknown_hotwords(request) == ("龘靐公司", "5G")
    assert texts(model, segments, request.hotwords) == texts(model, segments, ("顾清源",))


def test_lists_take_turns_without_mixing(model: SeacoParaformer, segments: list[NDArray[np.float32]]) -> None:
    """More lists than are kept ready: each batch is read with its own."""
    support = [stretch("support.mp3", start, 5) for start in range(0, 16, 2)]
    own = texts(model, support, ("岳明远",))
    for number in range(10):
        texts(model, segments[:1], (FOREIGN[number],))
    assert texts(model, support, ("岳明远",)) == own
    assert texts(model, support, ()) != own
