"""The two hubs, by their documented HTTP addresses: what a repository holds at a revision.

ModelScope: ``GET /api/v1/models/{repository}/repo/files`` (sizes and SHA-256) and ``.../repo?FilePath=``.
Hugging Face: ``GET /api/models/{repository}/revision/{revision}?blobs=true`` (sizes, the SHA-256 of large
files, the git digest of small ones) and ``/{repository}/resolve/{commit}/{path}``.
``$MODELSCOPE_ENDPOINT`` and ``$HF_ENDPOINT`` name a mirror, as they do for the hubs' own programs.
Fails with :class:`~asr_daemon.models.fetching.FetchError`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from asr_daemon.models.fetching import TIMEOUT_S, FetchError, RemoteFile, reason
from asr_daemon.models.manifest import belongs, is_safe

if TYPE_CHECKING:
    from asr_daemon.models.known import Hub, KnownModel, Source

_ENDPOINTS: dict[Hub, tuple[str, str]] = {
    "modelscope": ("MODELSCOPE_ENDPOINT", "https://www.modelscope.cn"),
    "huggingface": ("HF_ENDPOINT", "https://huggingface.co"),
}
LARGEST_BYTES = 20_000_000_000  # of one model; nothing that is known comes near
MOST_FILES = 500
_UNNEEDED_FOLDERS = frozenset(("example", "examples", "fig", "image", "images", "asset", "assets"))
# Pictures, sound, other programs' weights; and code: a model folder holds none.
_UNNEEDED_SUFFIXES = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".wav", ".mp3", ".mp4", ".flac"),
        *(".onnx", ".gguf", ".mnn", ".py", ".pyc", ".so", ".sh", ".ipynb"),
    )
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a repository holds at a revision, as far as it is needed."""

    revision: str  # the commit, where the hub tells
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


def endpoint(hub: Hub) -> str:
    """Return the hub's address, or its mirror's."""
    variable, usual = _ENDPOINTS[hub]
    given = os.environ.get(variable, "").strip().rstrip("/") or usual
    return given if "://" in given else f"https://{given}"


def look_up(session: requests.Session, hub: Hub, source: Source, model: KnownModel) -> Snapshot:
    """Ask the hub for the list of a repository's files."""
    try:
        found = (_modelscope if hub == "modelscope" else _huggingface)(session, source)
    except (KeyError, TypeError, ValueError):
        raise FetchError(f"{hub} lists its files in a form that this release does not know") from None
    needed = tuple(file for file in found.files if _is_needed(file.path, model))
    if not any(file.path == model.weights for file in needed):
        raise FetchError(f"{source.repository}@{source.revision} on {hub} holds no {model.weights}")
    snapshot = replace(found, files=needed)
    if len(needed) > MOST_FILES or snapshot.size_bytes > LARGEST_BYTES:
        raise FetchError(f"{source.repository}@{source.revision} on {hub} is too large to be {model.name}")
    return snapshot


def _is_needed(path: str, model: KnownModel) -> bool:
    pure = PurePosixPath(path)
    return not (
        not belongs(path)
        or _UNNEEDED_FOLDERS & {folder.lower() for folder in pure.parts[:-1]}
        or pure.suffix.lower() in _UNNEEDED_SUFFIXES
        or pure.name == "requirements.txt"
        or any(fnmatchcase(path, pattern) for pattern in model.unneeded)
    )


def _modelscope(session: requests.Session, source: Source) -> Snapshot:
    base = f"{endpoint('modelscope')}/api/v1/models/{source.repository}/repo"
    revision = quote(source.revision, safe="")
    tree = _ask(session, f"{base}/files?Revision={revision}&Recursive=true", "modelscope", source)
    files = [
        RemoteFile(
            _checked(entry["Path"]),
            f"{base}?Revision={revision}&FilePath={quote(entry['Path'], safe='')}",
            int(entry["Size"]),
            sha256=str(entry.get("Sha256") or "").lower(),
        )
        for entry in tree["Data"]["Files"]
        if entry["Type"] != "tree"
    ]
    return Snapshot(source.revision, tuple(files))


def _huggingface(session: requests.Session, source: Source) -> Snapshot:
    base, revision = endpoint("huggingface"), quote(source.revision, safe="")
    about = f"{base}/api/models/{source.repository}/revision/{revision}?blobs=true"
    tree = _ask(session, about, "huggingface", source)
    commit = str(tree["sha"])
    files = [
        RemoteFile(
            _checked(entry["rfilename"]),
            f"{base}/{source.repository}/resolve/{quote(commit, safe='')}/{quote(entry['rfilename'])}",
            int(entry["size"]),
            sha256=str((entry.get("lfs") or {}).get("sha256", "")),
            git_sha1="" if entry.get("lfs") else str(entry.get("blobId") or ""),
        )
        for entry in tree["siblings"]
    ]
    return Snapshot(commit, tuple(files))


def _ask(session: requests.Session, url: str, hub: Hub, source: Source) -> Any:
    """Return the hub's answer, parsed; whether it has the form that is expected shows when it is used."""
    try:
        answer = session.get(url, timeout=TIMEOUT_S)
    except requests.RequestException as error:
        raise FetchError(f"{hub} ({endpoint(hub)}) cannot be reached: {reason(error)}") from None
    if answer.status_code == requests.codes.not_found:
        raise FetchError(f"{hub} has no {source.repository} at revision {source.revision}")
    if not answer.ok:
        raise FetchError(f"{hub} answered {answer.status_code} when asked for {source.repository}")
    try:
        return answer.json()
    except ValueError:
        raise FetchError(f"{url} is not answered by {hub}; by a log-in page of the network?") from None


def _checked(path: str) -> str:
    if not is_safe(path):
        raise FetchError(f"the hub lists {path!r}, which is no path below a folder: refused")
    return path
