"""Whether a hotword was said where something else is written.

Three stories are weighed for a stretch of text: that what stands there was said (its cost as ordinary
Chinese, language.py), that a name or term was said which is in no list, or that a hotword was said and
misheard (the cost of a hotword and of the mishearing, which the caller knows from the sounds or from the
model). All costs are -log of likelihoods, in nats. The hotword has to win by ``MIN_GAIN`` over the better of
the others; where two hotwords win about as clearly, nothing happens.

Without the second story a garbled stretch, which as Chinese costs as much as one likes, would fall to
whatever hotword is a little like it (measured in tests/benchmarks/bench_hotwords.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from asr_daemon.language.costs import text_costs, word_costs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

T = TypeVar("T")

MIN_GAIN = 6.5
MIN_LEAD = 1.0  # over the second-best hotword of the same place
ANY_HOTWORD_COST = 5.0  # one word in 150 is a hotword, each of the list as likely as the others
ANY_UNLISTED_COST = 6.0  # one word in 400 is a name or term that is in no list
UNLISTED_CHAR_COST = 6.0  # and each of its characters one of 400 that names are made of


@dataclass(frozen=True, slots=True)
class Claim:
    """A hotword that would take the place of ``text[start:end]``."""

    start: int
    end: int
    word: str
    gain: float


class Unlisted:
    """A text in which no hotword was said."""

    def __init__(self, text: str) -> None:
        self._before, self._after = text_costs(text)

    def cost(self, start: int, end: int) -> float:
        """Return what the text costs more for ``text[start:end]``, words cut at its borders counted."""
        as_chinese = self._before[-1] - self._before[start] - self._after[end]
        return min(as_chinese, ANY_UNLISTED_COST + UNLISTED_CHAR_COST * (end - start))


def hotword_costs(words: Sequence[str]) -> list[float]:
    """Return what each hotword of a list costs; one that is an ordinary word, not more than that."""
    costs = word_costs()
    cost = ANY_HOTWORD_COST + math.log(max(1, len(words)))
    return [min(cost, costs.get(word, cost)) for word in words]


def keeps(settled: Sequence[bool], start: int, stands: Sequence[T], meant: Sequence[T]) -> bool:
    """Return whether a hotword put at ``start`` leaves what is settled there as it stands.

    What is settled are hotwords written right: a longer one may hold them, none may change them.
    """
    place = zip(settled[start:], stands[start:], meant, strict=False)
    return all(old == new for is_settled, old, new in place if is_settled)


def winners(claims: Iterable[Claim], taken: list[bool]) -> Iterator[Claim]:
    """Yield the claims that win, the clearest first, on places not yet taken; take theirs."""
    ranked = sorted(
        (claim for claim in claims if claim.gain >= MIN_GAIN), key=lambda claim: (-claim.gain, claim.start)
    )
    for best in ranked:
        if any(taken[best.start : best.end]):
            continue
        taken[best.start : best.end] = [True] * (best.end - best.start)
        if not any(best.gain - other.gain < MIN_LEAD for other in ranked if _is_rival(other, best)):
            yield best


def _is_rival(other: Claim, best: Claim) -> bool:
    return other.word != best.word and (other.start, other.end) == (best.start, best.end)
