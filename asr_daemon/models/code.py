"""Whether a model folder asks for more than weights: its own code, or further models that FunASR would build.

Enters: a folder. Leaves: the sentence that says which file asks for what, or
:class:`~asr_daemon.errors.ModelMissingError`. Asked before a model is chosen, imported, adopted, verified and
loaded. FunASR builds what ``vad_model`` and its like name, and believes the configuration of *that* folder
where it says ``trust_remote_code``; this program gives companions by itself, so that no model needs either.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from asr_daemon.errors import ModelMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CONFIGURATION_BYTES = 8 << 20  # one that holds its 8,404 tokens has 0.1 MB
FORBIDDEN_KEYS = ("vad_model", "punc_model", "spk_model", "trust_remote_code", "remote_code")
_CODE = (".py", ".pyc", ".pyw", ".pyd", ".so")
_YAML = (".yaml", ".yml")
_CONFIGURATION = "configuration.json"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, ten times as fast


def require_no_code(folder: Path) -> None:
    """Raise :class:`ModelMissingError` where the folder asks for more than weights."""
    if asked := code_asked_for(folder):
        raise ModelMissingError(f"The model folder {folder} is refused: {asked}")


def code_asked_for(folder: Path) -> str:
    """Return which file asks for what, "" where none does. Raises ``OSError`` where it cannot be read."""
    described: dict[str, Path] = {}
    for relative in _walk(folder):
        if relative.lower().endswith(_CODE):
            return (
                f"{relative} is code. A model is weights and configuration: delete that file, "
                "or fetch the model anew."
            )
        if relative.lower().endswith(_YAML):
            described[relative] = folder / relative
        elif Path(relative).name == _CONFIGURATION:
            metas = _metas(folder / relative)
            if found := forbidden_key(metas):
                return _sentence(relative, found)
            named = metas.get("config")
            if isinstance(named, str) and (path := (folder / relative).parent / named).is_file():
                described[os.path.relpath(path, folder)] = path
    for relative, path in described.items():
        if path.stat().st_size > MAX_CONFIGURATION_BYTES:
            return f"{relative} is larger than any configuration. Fetch the model anew."
        if found := forbidden_key(_yaml(path)):
            return _sentence(relative, found)
    return ""


def forbidden_key(tree: Any) -> str:
    """Return the first key, at any depth, that asks for code or a further model; "" where none does."""
    left, seen = [tree], set()
    while left:
        here = left.pop()
        if id(here) in seen:  # YAML's references may make a tree of any size, or a ring
            continue
        seen.add(id(here))
        if isinstance(here, dict):
            if found := next((key for key in FORBIDDEN_KEYS if here.get(key)), None):
                return found
            left += here.values()
        elif isinstance(here, (list, tuple)):
            left += here
    return ""


def _sentence(relative: str, key: str) -> str:
    return (
        f"{relative} says {key}, which asks for code or for a further model. Delete that line (VAD and "
        "punctuation lie in folders of their own beside it), or fetch the model anew."
    )


def _walk(folder: Path) -> Iterator[str]:
    """Yield every file's relative path, hidden ones too; links to folders are not followed, but named."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted((*files, *folders)):
            yield os.path.relpath(os.path.join(parent, name), folder)  # noqa: PTH118 (os.walk's strings)


def _metas(path: Path) -> dict[str, Any]:
    """Return what FunASR takes of a ``configuration.json``; other keys are a hub's own."""
    try:
        if path.stat().st_size > MAX_CONFIGURATION_BYTES:
            return {}
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError):  # it fails to load, with the loader's own sentence
        return {}
    metas = said.get("file_path_metas") if isinstance(said, dict) else None
    return metas if isinstance(metas, dict) else {}


def _yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_bytes(), _LOADER)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, RecursionError, OSError):  # the loader cannot read it either
        return None
