"""The files that are shipped beside the package: unit, drop-ins, the commented configuration.

In a checkout they lie in ``systemd/`` and at the top; a wheel carries them as data files, which pip puts into
``share/asr-daemon`` of the environment. Fails with :class:`~asr_daemon.errors.OperatorError`.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from asr_daemon.errors import OperatorError

DISTRIBUTION = "asr-daemon"
_CHECKOUT = Path(__file__).resolve().parents[2]


def shipped_file(name: str) -> Path:
    """Return the path of a shipped file: ``config.toml``, ``systemd/asr-daemon.service`` ..."""
    # Another package may bring a folder "systemd" of its own: the checkout is known by its pyproject.toml.
    if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / name).is_file():
        return _CHECKOUT / name
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        files = []
    wanted = f"share/{DISTRIBUTION}/{name}"
    for file in files:
        if file.as_posix().endswith(wanted):
            return Path(str(file.locate())).resolve()
    raise OperatorError(f"{wanted} is missing from this installation: install the package anew")


def shipped_text(name: str) -> str:
    """Return the text of a shipped file."""
    return shipped_file(name).read_text(encoding="utf-8")
