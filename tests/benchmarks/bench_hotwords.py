"""What hotwords bring and cost: recall, character error rate, damage to ordinary speech, time.

``python tests/benchmarks/bench_hotwords.py [--audio ../shared/audio] [--words 10,50,500]``

The sentences of ``AUDIO/hotwords`` (names and terms that the built-in model does not know: ``words.txt``;
``distractors.txt`` fills the lists) are recognised by their references' times with 0.2 s around them, without
hotwords, with them in the model, with phonetic correction, and with both. A list of 10 is, for every
sentence, its own words and as many others as fill it. "Rest" is the error rate outside the hotwords. The
other recordings of ``AUDIO`` are then read with lists of which nothing is said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from asr_daemon.audio import find_ffmpeg
from asr_daemon.hotwords import read_hotwords
from asr_daemon.hotwords.correction import Corrector
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.seaco import SeacoParaformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
MARGIN_MS = 200
BATCH = 20
SUFFIXES = (".wav", ".mp3", ".m4a", ".ogg", ".flac", ".webm")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said in a stretch of a recording."""

    text: str
    samples: NDArray[np.float32]  # -1..1, 16 kHz mono


def sentences_of(path: Path) -> list[Sentence]:
    """Return the sentences of a recording by its reference's times."""
    command = [
        str(find_ffmpeg()),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "f32le",
        "-ac",
        "1",
        "-ar",
        "16000",
        "-",
    ]
    samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
    references = json.loads(path.with_name(f"{path.stem}.ref.json").read_text(encoding="utf-8"))
    return [
        Sentence(
            reference["text"],
            samples[
                max(0, int(reference["start_ms"]) - MARGIN_MS) * 16 : (int(reference["end_ms"]) + MARGIN_MS)
                * 16
            ].copy(),
        )
        for reference in references
    ]


class Bench:
    """The model and what is said."""

    def __init__(self, model: Path, audio: Path) -> None:
        self.model = SeacoParaformer(model, "cpu", 1)
        self.special = [s for path in sorted((audio / "hotwords").glob("*.flac")) for s in sentences_of(path)]
        paths = sorted(path for path in audio.iterdir() if path.suffix in SUFFIXES)
        self.ordinary = [sentence for path in paths for sentence in sentences_of(path)]
        self.words = read_hotwords(audio / "hotwords" / "words.txt").words
        self.others = read_hotwords(audio / "hotwords" / "distractors.txt").words

    def lists(self, sentences: Sequence[Sentence], n_words: int) -> list[tuple[str, ...]]:
        """Return the list that each sentence is read with; lists too short for all words hold its own."""
        if n_words >= len(self.words):
            return [(*self.words, *self.others)[:n_words]] * len(sentences)
        own = [tuple(word for word in self.words if word in sentence.text) for sentence in sentences]
        return [(*mine, *self.others)[:n_words] for mine in own]

    def read(self, sentences: Sequence[Sentence], lists: Sequence[tuple[str, ...]]) -> list[str]:
        """Return what the model writes."""
        texts = [""] * len(sentences)
        order = sorted(range(len(sentences)), key=lambda i: (lists[i], len(sentences[i].samples)))
        for words in dict.fromkeys(lists[i] for i in order):
            mine = [i for i in order if lists[i] == words]
            for first in range(0, len(mine), BATCH):
                batch = mine[first : first + BATCH]
                ready = [self.model.prepare(sentences[i].samples) for i in batch]
                answers = self.model.transcribe(ready, Request(hotwords=words))
                for i, answer in zip(batch, answers, strict=True):
                    texts[i] = answer.text.replace(" ", "")
        return texts

    def recall(self, texts: Sequence[str]) -> tuple[int, int]:
        """Return how many hotwords came out of how many that were said."""
        said = [
            (word, text)
            for s, text in zip(self.special, texts, strict=True)
            for word in self.words
            if word in s.text
        ]
        return sum(word in text for word, text in said), len(said)

    def rest_errors(self, texts: Sequence[str]) -> float:
        """Return the error rate, percent, of the characters that belong to no hotword."""
        errors = total = 0
        for sentence, text in zip(self.special, texts, strict=True):
            masked = sentence.text
            for word in self.words:
                masked = masked.replace(word, "#" * len(word))
            total += len(masked) - masked.count("#")
            for step in Levenshtein.editops(sentence.text, text):
                around = masked[max(0, step.src_pos - 1) : step.src_pos + 1]
                inside = around == "##" if step.tag == "insert" else masked[step.src_pos] == "#"
                errors += not inside
        return 100 * errors / total


def error_rate(sentences: Sequence[Sentence], texts: Sequence[str]) -> float:
    """Return the character error rate, percent."""
    errors = sum(Levenshtein.distance(s.text, text) for s, text in zip(sentences, texts, strict=True))
    return 100 * errors / sum(len(s.text) for s in sentences)


def corrected(texts: Sequence[str], lists: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the texts after phonetic correction."""
    correctors = {words: Corrector(words, [], phonetic=True) for words in dict.fromkeys(lists)}
    return [correctors[words].correct(text).text for text, words in zip(texts, lists, strict=True)]


def special_speech(bench: Bench, sizes: Sequence[int]) -> None:
    """Print recall and error rates of the sentences with hotwords."""
    none = [()] * len(bench.special)
    plain = bench.read(bench.special, none)
    print(f"{'words':>6} {'':12} {'recall':>9} {'CER rest':>9} {'CER all':>8}")
    for size in sizes:
        lists = bench.lists(bench.special, size)
        biased = bench.read(bench.special, lists)
        rows = {
            "without": plain,
            "model": biased,
            "correction": corrected(plain, lists),
            "both": corrected(biased, lists),
        }
        for name, texts in rows.items():
            hits, said = bench.recall(texts)
            print(
                f"{size:>6} {name:12} {f'{hits} of {said}':>9} {bench.rest_errors(texts):>8.2f}% "
                f"{error_rate(bench.special, texts):>7.2f}%"
            )


def ordinary_speech(bench: Bench, sizes: Sequence[int]) -> None:
    """Print what lists of words that nobody says do to ordinary speech."""
    plain = bench.read(bench.ordinary, [()] * len(bench.ordinary))
    rate = error_rate(bench.ordinary, plain)
    print(f"\nordinary speech, {len(plain)} sentences: CER {rate:.2f}% without a list")
    for size in sizes:
        for first in range(0, len(bench.others), max(size, 150)):
            words = bench.others[first : first + size]
            lists = [words] * len(plain)
            texts = corrected(bench.read(bench.ordinary, lists), lists)
            pairs = zip(bench.ordinary, plain, texts, strict=True)
            worse = sum(
                Levenshtein.distance(s.text, t) > Levenshtein.distance(s.text, p) for s, p, t in pairs
            )
            print(
                f"{len(words):>6} foreign words from {first}: CER {error_rate(bench.ordinary, texts):.2f}%, "
                f"{worse} sentences worse"
            )


def speed(bench: Bench) -> None:
    """Print what a list costs in time."""
    text = "今天的会议主要讨论一下年度预算请城千里负责库存盘点我们下周再确认一下"
    for size in (50, 500, 10_000):
        words = tuple(f"{a}{b}" for a in bench.others for b in ("", *"甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未"))[
            :size
        ]
        began_s = time.perf_counter()
        corrector = Corrector(words, [], phonetic=True)
        made_s = time.perf_counter() - began_s
        began_s = time.perf_counter()
        for _ in range(20):
            corrector.correct(text)
        correct_s = (time.perf_counter() - began_s) / 20
        batch = bench.special[:BATCH]
        bench.read(batch, [words] * len(batch))
        began_s = time.perf_counter()
        bench.read(batch, [words] * len(batch))
        read_s = (time.perf_counter() - began_s) / len(batch)
        print(
            f"{len(words):>6} words: corrector made in {made_s:.2f} s, {1000 * correct_s:.1f} ms a segment "
            f"of {len(text)} characters; recognition {1000 * read_s:.0f} ms a segment"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, default=ROOT.parent / "shared" / "audio")
    parser.add_argument("--model", type=Path, default=ROOT / "asr_daemon" / "models" / "paraformer-tiny-zh")
    parser.add_argument("--words", default="10,50,500")
    options = parser.parse_args()
    bench = Bench(options.model, options.audio)
    sizes = [int(size) for size in options.words.split(",")]
    special_speech(bench, sizes)
    ordinary_speech(bench, [size for size in sizes if size >= 50])
    print()
    speed(bench)


if __name__ == "__main__":
    main()
