"""What hotwords bring and cost: recall, character error rate, damage to ordinary speech, time.

``python tests/benchmarks/bench_hotwords.py [--audio ../shared/audio] [--words 10,50,500] [--seeds 2]
[--precision int8]``; ``--per-tensor`` and ``--parts encoder`` show what other ways of int8 would bring.

The sentences of ``AUDIO/hotwords`` (names and terms that the built-in model does not know: ``words.txt``;
``distractors.txt`` fills the lists) are recognised by their references' times with 0.2 s around them, without
hotwords, with them in the model, with phonetic correction, and with both. A list of 10 is, for every
sentence, its own words and as many others as fill it. "Rest" is the error rate outside the hotwords. How
many words of a list take part in a segment is varied. The other recordings of ``AUDIO``, cut by their
references and as the daemon cuts them, are then read with lists of which nothing is said (foreign.py).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from foreign import foreign_lists
from rapidfuzz.distance import Levenshtein
from silero_vad import load_silero_vad

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.hotwords import read_hotwords
from asr_daemon.hotwords.correction import Corrector
from asr_daemon.hotwords.seaco import SeacoHotwords
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.int8 import Exchange
from asr_daemon.recogniser.families.precision import ON_PROCESSOR
from asr_daemon.recogniser.families.seaco import SeacoParaformer
from asr_daemon.recogniser.segmenter.cutter import Cutter
from asr_daemon.recogniser.segmenter.silero import SileroDetector, SileroNetwork
from asr_daemon.recogniser.sound.decoding import Decoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asr_daemon.models.abilities import Computed

ROOT = Path(__file__).resolve().parents[2]
MARGIN_MS = 200
BATCH = 20
SUFFIXES = (".wav", ".mp3", ".m4a", ".ogg", ".flac", ".webm")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said in a stretch of a recording."""

    text: str  # "" where it was cut by its pauses
    recording: str  # all that is said in it
    samples: NDArray[np.float32]  # -1..1, 16 kHz mono


def samples_of(path: Path) -> NDArray[np.float32]:
    """Return a recording, whole."""
    with path.open("rb") as file:
        return np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 86_400)))


def references_of(path: Path) -> list[dict[str, Any]]:
    """Return what is said in a recording, and when."""
    return list(json.loads(path.with_name(f"{path.stem}.ref.json").read_text(encoding="utf-8")))


def sentences_of(path: Path) -> list[Sentence]:
    """Return the sentences of a recording by its reference's times."""
    samples, references = samples_of(path), references_of(path)
    whole = "".join(reference["text"] for reference in references)
    return [
        Sentence(
            reference["text"],
            whole,
            samples[
                max(0, int(reference["start_ms"]) - MARGIN_MS) * 16 : (int(reference["end_ms"]) + MARGIN_MS)
                * 16
            ].copy(),
        )
        for reference in references
    ]


def pieces_of(path: Path, network: SileroNetwork, silence_ms: int) -> list[Sentence]:
    """Return the segments of a recording as the daemon cuts it."""
    cutter = Cutter(SileroDetector(network, silence_ms), max_segment_s=30.0)
    stretches = [*cutter.feed(samples_of(path)), *cutter.finish()]
    whole = "".join(reference["text"] for reference in references_of(path))
    return [Sentence("", whole, stretch.samples) for stretch in stretches]


@dataclass(frozen=True, slots=True)
class Way:
    """A way of int8; the default is what is used."""

    per_channel: bool = True
    parts: tuple[str, ...] = ("encoder", "decoder")


class Bench:
    """The model and what is said."""

    def __init__(self, model: Path, audio: Path, precision: Computed, way: Way) -> None:
        self.model = SeacoParaformer(model, "cpu", 1)
        if precision == "int8" and way != Way():
            parts = [getattr(self.model.network, name) for name in way.parts]
            Exchange(parts).to_int8(per_channel=way.per_channel)
        else:
            self.model.compute_in(ON_PROCESSOR[precision])
        self.special = [s for path in sorted((audio / "hotwords").glob("*.flac")) for s in sentences_of(path)]
        self.paths = sorted(path for path in audio.iterdir() if path.suffix in SUFFIXES)
        self.ordinary = [sentence for path in self.paths for sentence in sentences_of(path)]
        self.words = read_hotwords(audio / "hotwords" / "words.txt").words
        self.others = read_hotwords(audio / "hotwords" / "distractors.txt").words

    def cuts(self) -> dict[str, list[Sentence]]:
        """Return ordinary speech by the references' times and as the daemon cuts it."""
        network = SileroNetwork(load_silero_vad())
        cuts = {"by the references": self.ordinary}
        for silence_ms in (300, 800):
            pieces = [piece for path in self.paths for piece in pieces_of(path, network, silence_ms)]
            cuts[f"at silences of {silence_ms} ms"] = pieces
        return cuts

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


def recordings_rate(pieces: Sequence[Sentence], texts: Sequence[str]) -> float:
    """Return the character error rate, percent, of whole recordings, however they are cut."""
    joined: dict[str, str] = {}
    for piece, text in zip(pieces, texts, strict=True):
        joined[piece.recording] = joined.get(piece.recording, "") + text
    errors = sum(Levenshtein.distance(recording, text) for recording, text in joined.items())
    return 100 * errors / sum(map(len, joined))


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


def at_once(bench: Bench, counts: Sequence[int]) -> None:
    """Print what it brings that more of a list's words take part in a segment: where N comes from."""
    usual = bench.model._hotwords
    print("\nwords that take part in a segment, of the 500 in the list")
    for count in counts:
        bench.model._hotwords = SeacoHotwords(usual._model, usual._vocabulary, count)
        lists = bench.lists(bench.special, 500)
        bench.read(bench.special[:BATCH], lists[:BATCH])  # the words' representations, once
        began_s = time.perf_counter()
        texts = bench.read(bench.special, lists)
        each_ms = 1000 * (time.perf_counter() - began_s) / len(texts)
        hits, said = bench.recall(texts)
        both, _ = bench.recall(corrected(texts, lists))
        print(
            f"{count:>6} at once: model {hits} of {said}, both {both}, CER rest "
            f"{bench.rest_errors(texts):.2f}%, {each_ms:.0f} ms a segment"
        )
    bench.model._hotwords = usual


def ordinary_speech(bench: Bench, seeds: int) -> None:
    """Print what lists of 50 words that nobody says do to ordinary speech, each place with its texts."""
    said = [sentence.text for sentence in (*bench.ordinary, *bench.special)]
    lists = list(foreign_lists(said, 50, range(seeds)))
    lists += [(f"distractors {at}", bench.others[at : at + 50]) for at in range(0, len(bench.others), 50)]
    print(f"\nordinary speech with {len(lists)} lists of 50 words that nobody says")
    for cut, pieces in bench.cuts().items():
        plain = bench.read(pieces, [()] * len(pieces))
        print(f"cut {cut}: {len(pieces)} segments, CER {recordings_rate(pieces, plain):.2f}% without a list")
        changed = worse = 0
        for name, words in lists:
            texts = corrected(bench.read(pieces, [words] * len(pieces)), [words] * len(pieces))
            for place, (before, after) in enumerate(zip(plain, texts, strict=True)):
                if before == after:
                    continue
                changed += 1
                one = [*plain[:place], after, *plain[place + 1 :]]
                is_worse = recordings_rate(pieces, one) > recordings_rate(pieces, plain)
                worse += is_worse
                print(f"    {name}: {'worse' if is_worse else 'no worse'}\n      {before}\n      {after}")
        print(f"    {changed} of {len(lists) * len(pieces)} readings changed, {worse} of them worse")


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
    parser.add_argument("--words", default="10,50,500", help="in a list")
    parser.add_argument("--seeds", type=int, default=2, help="nine foreign lists each")
    parser.add_argument("--precision", choices=list(ON_PROCESSOR), default="float32")
    parser.add_argument("--per-tensor", action="store_true", help="int8 weights with one scale a layer")
    parser.add_argument("--parts", default=",".join(Way().parts), help="whose linear layers are int8")
    parser.add_argument("--brief", action="store_true", help="recall and error rates alone")
    options = parser.parse_args()
    way = Way(not options.per_tensor, tuple(options.parts.split(",")))
    bench = Bench(options.model, options.audio, options.precision, way)
    sizes = [int(size) for size in options.words.split(",")]
    if options.brief:
        special_speech(bench, sizes)
        for cut, pieces in bench.cuts().items():
            rate = recordings_rate(pieces, bench.read(pieces, [()] * len(pieces)))
            print(f"ordinary speech cut {cut}: CER {rate:.2f}%")
        return
    special_speech(bench, sizes)
    at_once(bench, (10, 25, 50, 100))
    ordinary_speech(bench, options.seeds)
    print()
    speed(bench)


if __name__ == "__main__":
    main()
