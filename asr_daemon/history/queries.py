"""Reads ``sql/*.sql``, a file for each store: blocks that begin with ``-- name: purpose``."""

from __future__ import annotations

import re
from importlib.resources import files


def _read() -> dict[str, str]:
    queries: dict[str, str] = {}
    for file in files("asr_daemon.history").joinpath("sql").iterdir():
        blocks = re.split(r"^-- (\w+): .*\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for name, sql in zip(blocks[1::2], blocks[2::2], strict=True):
            if name in queries:
                raise ValueError(f"two statements are called {name}")
            queries[name] = sql.strip()
    return queries


QUERIES = _read()
