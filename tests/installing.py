"""Installations into a folder that stands for a machine's root."""

from __future__ import annotations

from pathlib import Path

from asr_daemon.install import Installation
from asr_daemon.install.environment import Environment

CONFIG = "etc/asr-daemon/config.toml"
EXPOSURE_MAX = 15  # tenths


def wanted(root: Path, **changes: object) -> Installation:
    """Return an installation below that folder."""
    opt = Environment(("/opt/asr-daemon/bin/asr-daemon",), (Path("/opt/asr-daemon"),))
    values: dict[str, object] = {"root": root, "environment": opt, "has_card": False}
    return Installation(**{**values, **changes})  # type: ignore[arg-type]


def configure(root: Path, text: str) -> None:
    """Write the configuration."""
    (root / CONFIG).parent.mkdir(parents=True, exist_ok=True)
    (root / CONFIG).write_text(text, encoding="utf-8")


def read(root: Path, path: Path) -> str:
    """Return an installed file."""
    return (root / path.relative_to("/")).read_text(encoding="utf-8")
