"""Prints how many characters the normaliser writes in a second of one core: talk, and pathological texts.

Run as ``python tests/benchmarks/bench_itn.py``.
"""

from __future__ import annotations

import time
from pathlib import Path

from asr_daemon.itn import Normaliser

CASES = Path(__file__).parents[1] / "unit" / "itn" / "house_cases.tsv"
LENGTH_CHARS = 100_000
FLOOR_CHARS_PER_S = 150_000


def ordinary(length_chars: int) -> str:
    """Return talk: the style's sentences, and as many characters of talk without numbers again."""
    lines = [
        line.split("\t")[1]
        for line in CASES.read_text(encoding="utf-8").splitlines()
        if line.startswith("sentence")
    ]
    talk = (
        "那么关于这个方案我想再跟大家说明几句因为客户那边的反馈还没有完全回来所以先按照原来的计划往下推进。"
    )
    block = "".join(f"{line}{talk[: len(line)]}" for line in lines)
    return (block * (length_chars // len(block) + 1))[:length_chars]


def measure(name: str, text: str) -> float:
    """Print and return characters a second, best of three."""
    normaliser = Normaliser()
    best_s = min(_run(normaliser, text) for _ in range(3))
    rate = len(text) / best_s
    print(f"{name:>12}  {len(text):>7} chars  {best_s:7.3f} s  {rate:>12,.0f} chars/s")
    return rate


def _run(normaliser: Normaliser, text: str) -> float:
    start_s = time.process_time()
    normaliser.normalise(text)
    return time.process_time() - start_s


def main() -> None:
    """Print the table, and whether ordinary talk is quick enough."""
    rate = measure("ordinary", ordinary(LENGTH_CHARS))
    measure("ten times", ordinary(10 * LENGTH_CHARS))
    for unit in ("一", "一百", "点", "三点", "一到", "周一", "百分之", "三加", "一下", "二十个"):
        measure(unit, unit * (LENGTH_CHARS // len(unit)))
    print("quick enough" if rate >= FLOOR_CHARS_PER_S else "too slow")


if __name__ == "__main__":
    main()
