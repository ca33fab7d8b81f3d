"""Counts how many pairs of sentences come out different together than apart, by how they are joined.

Run as ``python tests/benchmarks/bench_itn_pairs.py [pairs]``. The sentences are the unit tests' cases; a pair
that is joined with nothing has no border anywhere, and some of those nobody could part.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from asr_daemon.itn import Normaliser

CASES = Path(__file__).parents[1] / "unit" / "itn"
PAIRS = 40_000
SEED = 20


def sentences() -> list[str]:
    """Return the spoken sides of all case files, each once."""
    lines = [
        line.split("\t")[1]
        for file in sorted(CASES.glob("*.tsv"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    return list(dict.fromkeys(lines))


def main() -> None:
    """Print a line for each way to join, with a few pairs that came out different."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    chance, texts, normaliser = random.Random(SEED), sentences(), Normaliser()
    alone = {text: normaliser.normalise(text).text for text in texts}
    pairs = [(chance.choice(texts), chance.choice(texts)) for _ in range(wanted)]
    for name, mark, has_border in (("nothing", "", False), ("，", "，", False), ("a pause", "", True)):
        different, meet = [], 0
        for left, right in pairs:
            borders = (len(left),) if has_border else ()
            together = normaliser.normalise(left + mark + right, borders).text
            if has_border and f"{alone[left][-1]}{alone[right][0]}".isdecimal():
                meet += 1  # figures that a pause parts and paper would not: the second stays spoken
            elif together != alone[left] + mark + alone[right]:
                different.append((left + mark + right, together))
        print(
            f"joined with {name}: {len(different)} of {len(pairs):,} pairs differ"
            + f", {meet} aside whose figures meet" * has_border
        )
        for raw, together in different[:5]:
            print(f"    {raw} → {together}")


if __name__ == "__main__":
    main()
