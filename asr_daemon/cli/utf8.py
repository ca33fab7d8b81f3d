"""Names and words are UTF-8, whatever the locale says: what this program writes is read on other machines.

Under GB18030 or Latin-1 Python would give the files beside a recording other bytes for a name, or none. So
the program starts itself anew, in Python's UTF-8 mode (PEP 540), in the same process; the service's unit
begins in it.
"""

from __future__ import annotations

import io
import os
import sys


def speak_utf8() -> None:
    """Be in UTF-8 mode; does not return where that needs another start. What cannot be printed is escaped."""
    if sys.getfilesystemencoding() != "utf-8" and "utf8" not in sys._xoptions:  # noqa: SLF001 (documented)
        os.environ["PYTHONUTF8"] = "1"  # for the recogniser
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 (ourselves)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
