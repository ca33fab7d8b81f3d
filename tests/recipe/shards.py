"""Texts with an array each, in one file: recordings, features, embeddings. Needs nothing but numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Shard:
    """``values[starts[i]:starts[i + 1]]`` belongs to ``texts[i]``; all arrays share type and width."""

    texts: tuple[str, ...]
    starts: NDArray[np.int64]  # [len(texts) + 1]
    values: NDArray[Any]  # [total length, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[str, NDArray[Any]]:
        if not 0 <= index < len(self.texts):
            raise IndexError(index)
        return self.texts[index], self.values[self.starts[index] : self.starts[index + 1]]

    def __iter__(self) -> Iterator[tuple[str, NDArray[Any]]]:
        return (self[index] for index in range(len(self)))

    def __add__(self, other: Shard) -> Shard:
        return Shard.of([*self, *other])

    @classmethod
    def of(cls, items: Iterable[tuple[str, NDArray[Any]]]) -> Shard:
        """Return the shard of these; there must be one at least."""
        kept = list(items)
        lengths = [len(array) for _, array in kept]
        return cls(
            tuple(text for text, _ in kept),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.concatenate([array for _, array in kept]),
        )

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, texts=np.array(self.texts), starts=self.starts, values=self.values)
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Shard:
        """Return what was written."""
        with np.load(path, allow_pickle=False) as file:
            return cls(tuple(map(str, file["texts"])), file["starts"], file["values"])
