"""The files of a model, told to another machine, which has folders of its own: what must lie there, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["model", "vad", "punctuation", "speaker"]


@dataclass(frozen=True, slots=True)
class Weights:
    """One folder of a model."""

    role: Role
    folder: str  # its name in the models folder, or in the package where it is built in
    is_builtin: bool
    files: dict[str, str] = field(default_factory=dict)  # SHA-256 by name within the folder, hexadecimal
