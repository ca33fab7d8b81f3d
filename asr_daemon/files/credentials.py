"""Secrets that systemd hands over: root's files, which only the unit's process sees (``LoadCredential=``)."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CREDENTIALS_DIRECTORY"  # systemd.exec(5)


def handed_over(path: Path) -> Path:
    """Return where the file of that name was handed over; the path itself where it was not."""
    folder = os.environ.get(VARIABLE, "")
    credential = Path(folder) / path.name if folder else path
    return credential if credential.exists() else path
