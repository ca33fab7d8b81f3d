"""The real recogniser child; the segments of each batch that it begins are a line in ``$TRACE/PID``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.recogniser import child, loop

if TYPE_CHECKING:
    from asr_daemon.recogniser.pool import Waiting


def main() -> int:
    """Be the child."""
    recognise = loop.Loop._recognise
    path = Path(os.environ["TRACE"]) / str(os.getpid())

    def note(self: loop.Loop, batch: list[Waiting]) -> None:
        with path.open("a", encoding="ascii") as trace:
            trace.write(" ".join(str(one.index) for one in batch) + "\n")
        recognise(self, batch)

    loop.Loop._recognise = note  # type: ignore[method-assign]
    return child.main()


if __name__ == "__main__":
    sys.exit(main())
