"""Reads ``queries.sql``: blocks that begin with ``-- name: purpose``."""

from __future__ import annotations

import re
from importlib.resources import files


def _read() -> dict[str, str]:
    text = files("asr_daemon.history").joinpath("queries.sql").read_text(encoding="utf-8")
    blocks = re.split(r"^-- (\w+): .*\n", text, flags=re.MULTILINE)
    return {name: sql.strip() for name, sql in zip(blocks[1::2], blocks[2::2], strict=True)}


QUERIES = _read()
