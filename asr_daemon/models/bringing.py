"""Three ways for a model into the models folder: pulled from a hub, imported, or adopted where it lies.

Enters: a name or a path. Leaves: the folder with its manifest. Fails with
:class:`~asr_daemon.errors.OperatorError`; what was there before is there still.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import requests

from asr_daemon import __version__
from asr_daemon.clock import to_stamp
from asr_daemon.errors import ModelMissingError, OperatorError
from asr_daemon.files.owner import for_caller, open_named
from asr_daemon.models import store
from asr_daemon.models.archives import unpack
from asr_daemon.models.code import code_asked_for
from asr_daemon.models.fetching import FetchError, fetch
from asr_daemon.models.hubs import look_up
from asr_daemon.models.known import HUBS, folder_name
from asr_daemon.models.manifest import (
    MANIFEST_NAME,
    FileRecord,
    Manifest,
    encode_manifest,
    hash_file,
    model_files,
    read_manifest,
    record_files,
)
from asr_daemon.models.soundness import faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from asr_daemon.models.hubs import Snapshot
    from asr_daemon.models.known import Hub, KnownModel, Source
    from asr_daemon.models.manifest import Segmentation


class Progress(Protocol):
    """Who is told how far it is."""

    def begin(self, total_bytes: int) -> None:
        """So much is to be brought."""

    def add(self, count_bytes: int) -> None:
        """So much more of it is there."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it."""

    folder: Path
    manifest: Manifest
    was_there: bool = False


@dataclass(frozen=True)
class Bringer:
    """Brings models into one folder."""

    models_dir: Path
    now: Callable[[], datetime]
    progress: Progress
    force: bool = False

    # ------------------------------------------------------------------ from a hub

    def pull(self, known: KnownModel, hub: Hub, revision: str = "") -> Brought:
        """Fetch a known model; ``revision`` in place of the pinned one takes whatever the hub has there."""
        source = _source(known, hub, revision)
        target = self.models_dir / known.folder
        if not self.force and (here := _same(target, hub, source)) is not None:
            return Brought(target, here, was_there=True)
        store.require_replaceable(target, force=self.force)
        with store.open_store(self.models_dir) as incoming, requests.Session() as session:
            session.headers["User-Agent"] = f"asr-daemon/{__version__}"
            snapshot = look_up(session, hub, source, known)
            _refuse_other_weights(known, source, snapshot)
            staging = _staging(incoming, known.folder, hub, source)
            self._fetch(session, snapshot, staging)
            manifest = Manifest(
                name=known.folder,
                hub=hub,
                repository=source.repository,
                revision=snapshot.revision,
                written_at=self._stamp(),
                files=_records(staging, snapshot),
            )
            if source.weights_sha256 and manifest.files[known.weights].sha256 != source.weights_sha256:
                shutil.rmtree(staging)
                raise FetchError(_other_weights(known, source))
            store.install(staging, target, manifest)
        return Brought(target, manifest)

    def _fetch(self, session: requests.Session, snapshot: Snapshot, staging: Path) -> None:
        wanted = {file.path for file in snapshot.files}
        there_bytes = sum(path.stat().st_size for path in model_files(staging).values())
        store.require_room(self.models_dir, max(0, snapshot.size_bytes - there_bytes))
        self.progress.begin(snapshot.size_bytes)
        for file in snapshot.files:
            fetch(session, file, staging / file.path, self.progress.add)
        for stray, path in model_files(staging).items():
            if stray not in wanted:
                path.unlink()

    # ------------------------------------------------------------------ from a folder or an archive

    def bring(self, path: Path, name: str = "") -> Brought:
        """Take a model from a folder or an archive; without a name it keeps its own."""
        with for_caller(path):
            if not path.exists():
                raise OperatorError(f"{path} is not there")
            is_folder = path.is_dir()
            own_name = path.resolve().name
        with store.open_store(self.models_dir) as incoming:
            staging = incoming / "import"
            store.discard(staging)
            staging.mkdir()
            try:
                if is_folder:
                    self._copy(path, staging)
                else:
                    own_name = self._unpack(path, staging)
                folder = store.checked_name(folder_name(name or own_name))
                manifest = self._manifest_of(staging, path, folder)
                target = self.models_dir / folder
                here = None if self.force else _sound_manifest(target)
                if here is not None and here.files == manifest.files:
                    return Brought(target, here, was_there=True)
                store.require_replaceable(target, force=self.force)
                store.install(staging, target, manifest)
            finally:
                store.discard(staging)
        return Brought(target, manifest)

    def _copy(self, source: Path, staging: Path) -> None:
        with for_caller(source):
            files = model_files(source)
            if (source / MANIFEST_NAME).is_file():
                files[MANIFEST_NAME] = source / MANIFEST_NAME
            total_bytes = sum(path.stat().st_size for path in files.values())
        store.require_room(self.models_dir, total_bytes)
        self.progress.begin(total_bytes)
        for relative, path in files.items():
            target = staging / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_named(path) as opened, target.open("xb") as out:
                shutil.copyfileobj(opened, out)
            self.progress.add(target.stat().st_size)

    def _unpack(self, archive: Path, staging: Path) -> str:
        with for_caller(archive):
            self.progress.begin(archive.stat().st_size)
        try:
            return unpack(archive, staging, self.progress.add)
        except (tarfile.TarError, ValueError) as error:
            raise OperatorError(f"{archive} is no sound archive of a model: {error}") from None

    def _manifest_of(self, staging: Path, path: Path, folder: str) -> Manifest:
        """Return the manifest that came along, held against the files, or a new one."""
        if not (staging / "config.yaml").is_file():
            raise OperatorError(f"{path} holds no model: there is no config.yaml in it")
        _refuse_code(staging, shown=path)
        try:
            manifest = read_manifest(staging)
        except ModelMissingError as error:
            raise OperatorError(str(error).replace(str(staging), str(path))) from None
        if manifest is None:
            return self._of_hand(folder, record_files(staging))
        if fault := next(faults(staging, manifest), None):
            raise OperatorError(f"the model in {path} is damaged: {fault}")
        return replace(manifest, name=folder)

    # ------------------------------------------------------------------ where it lies

    def adopt(self, folder: Path) -> Brought:
        """Write a manifest of a folder as it is: what was placed by hand is held to that from now on."""
        if not (folder / "config.yaml").is_file():
            raise OperatorError(f"{folder} is no model folder: there is no config.yaml in it")
        if (folder / MANIFEST_NAME).exists() and not self.force:
            raise OperatorError(
                f"{folder} has a manifest; --force writes another, of the files as they are now"
            )
        with store.disk_sentences(folder):
            _refuse_code(folder, shown=folder)
            files = model_files(folder)
            self.progress.begin(sum(path.stat().st_size for path in files.values()))
            records = record_files(folder, self.progress.add)
            manifest = replace(self._of_hand(folder.name, records), segmentation=_wish(folder))
            temporary = folder / f".{MANIFEST_NAME}.part"
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as out:  # never what a link in its place leads to
                out.write(encode_manifest(manifest))
                os.fchmod(out.fileno(), 0o644)
            temporary.replace(folder / MANIFEST_NAME)
        return Brought(folder, manifest)

    def _of_hand(self, name: str, files: dict[str, FileRecord]) -> Manifest:
        """Return the manifest of what no hub vouches for."""
        return Manifest(name, hub="", repository="", revision="", written_at=self._stamp(), files=files)

    def _stamp(self) -> str:
        return to_stamp(self.now())


def _wish(folder: Path) -> Segmentation | None:
    """Return how the model likes its sound cut: a new manifest of the files as they are keeps the word."""
    try:
        manifest = read_manifest(folder)
    except ModelMissingError:  # damaged: it is replaced
        return None
    return manifest.segmentation if manifest is not None else None


def _refuse_code(folder: Path, *, shown: Path) -> None:
    if asked := code_asked_for(folder):
        raise OperatorError(f"the model in {shown} is refused: {asked}")


def _source(known: KnownModel, hub: Hub, revision: str) -> Source:
    source = known.sources.get(hub)
    if source is None:
        others = ", ".join(other for other in HUBS if other in known.sources)
        raise OperatorError(f"{known.name} is not on {hub} ({known.not_on}): take --hub {others}")
    return replace(source, revision=revision, weights_sha256="") if revision else source


def _staging(incoming: Path, folder: str, hub: Hub, source: Source) -> Path:
    """Return the folder of what is on its way; one of another revision is given up."""
    begins = f"{folder}@"
    staging = incoming / f"{begins}{hub}-{quote(source.revision, safe='')}"
    for other in incoming.glob(f"{begins}*"):
        if other != staging:
            store.discard(other)
    staging.mkdir(exist_ok=True)
    return staging


def _same(target: Path, hub: Hub, source: Source) -> Manifest | None:
    """Return the manifest where that very revision is there already, and sound."""
    here = _sound_manifest(target)
    wanted = (hub, source.repository, source.revision)
    return here if here is not None and (here.hub, here.repository, here.revision) == wanted else None


def _sound_manifest(target: Path) -> Manifest | None:
    return read_manifest(target) if store.is_sound(target) else None


def _records(staging: Path, snapshot: Snapshot) -> dict[str, FileRecord]:
    """Return the records of what was fetched; a digest that the hub gave was compared already."""
    return {
        file.path: FileRecord(file.size_bytes, file.sha256 or hash_file(staging / file.path))
        for file in snapshot.files
    }


def _refuse_other_weights(known: KnownModel, source: Source, snapshot: Snapshot) -> None:
    """Refuse before gigabytes are fetched what would be refused afterwards."""
    listed = next(file.sha256 for file in snapshot.files if file.path == known.weights)
    if listed and source.weights_sha256 and listed != source.weights_sha256:
        raise FetchError(_other_weights(known, source))


def _other_weights(known: KnownModel, source: Source) -> str:
    return (
        f"{known.weights} of {source.repository}@{source.revision} is not what this release knows: refused; "
        "--revision takes another on your own responsibility"
    )
