"""The model: is it there, is it as its manifest says, may the service read it, what is missing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.rights import ServiceUser, Wanted, probe
from asr_daemon.errors import AsrDaemonError, ModelMissingError
from asr_daemon.install.grants import to_read
from asr_daemon.models.catalogue import resolve
from asr_daemon.models.code import require_no_code
from asr_daemon.models.known import pull_command
from asr_daemon.models.manifest import model_files, read_manifest
from asr_daemon.models.soundness import faults, way_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.models.abilities import Abilities
    from asr_daemon.models.catalogue import ModelChoice

KEY = "engine.model"


def look_at_models(config: Config, user: ServiceUser) -> Iterator[Finding]:
    """Look at the model in force and what goes with it; every byte is compared with the manifests."""
    try:
        model = resolve(config.engine.model, config.models_dir, config.engine.recognisers[0])
    except AsrDaemonError as error:
        fix = pull_command(config.engine.model) or "asr-daemon models list"
        yield Finding("error", KEY, str(error), fix)
        return
    if model.is_builtin:
        yield Finding(
            "warning",
            KEY,
            f"{model.label}: small, trained on synthetic voices, only for trying out",
            "asr-daemon models pull paraformer-zh fsmn-vad ct-punc",
        )
    else:
        yield Finding("ok", KEY, f"{model.label} ({model.family}) in {model.folder}")
        yield from _companions(model)
        yield from _without_effect(config, model.label, model.abilities)
    for folder in (model.folder, model.vad_folder, model.punctuation_folder):
        if folder:
            yield from _files(Path(folder), user)


def _companions(model: ModelChoice) -> Iterator[Finding]:
    if not model.vad_folder:
        yield Finding(
            "warning",
            KEY,
            f"no fsmn-vad beside {model.name}: silero-vad finds the speech",
            pull_command("fsmn-vad"),
        )
    if not model.punctuation_folder and model.abilities.punctuates == "never":
        yield Finding(
            "warning",
            KEY,
            f"no ct-punc beside {model.name}: transcripts have little punctuation",
            pull_command("ct-punc"),
        )


def _without_effect(config: Config, label: str, can: Abilities) -> Iterator[Finding]:
    """Say which settings this model cannot follow."""
    for inbox in config.inbox:
        key = f"inbox {inbox.name!r}"
        if inbox.hotwords is not None and not can.takes_hotwords:
            yield Finding(
                "warning",
                f"{key}: hotwords",
                f"{label} takes no hotwords: they serve by correction of its text alone",
                "paraformer-zh takes them",
            )
        if inbox.language not in ("zh", "auto") and not can.chooses_language:
            yield Finding(
                "warning",
                f"{key}: language",
                f"{label} knows one language: language has no effect",
                "SenseVoiceSmall knows zh, yue, en, ja and ko",
            )
        if can.writes_numbers and (inbox.protect or config.itn.protect):
            yield Finding(
                "warning",
                f"{key}: protect",
                f"{label} writes numbers by itself: protected words have no effect",
                "itn = false leaves every number of the inbox as spoken",
            )


def _files(folder: Path, user: ServiceUser) -> Iterator[Finding]:
    """Look at one folder's files: readable for the service, and as the manifest says."""
    try:
        files = list(model_files(folder).values())
        manifest = read_manifest(folder)
        require_no_code(folder)
    except OSError as error:
        yield Finding(
            "error", KEY, f"{error.filename} cannot be read: {error.strerror}", to_read(user.called, folder)
        )
        return
    except ModelMissingError as error:
        yield Finding("error", KEY, str(error), way_out(folder))
        return
    for path, why in zip(files, probe([Wanted(path, "read") for path in files], user), strict=True):
        if why:
            fix = to_read(user.called, path.parent)
            yield Finding("error", KEY, f"{user.called} cannot read {path}: {why}", fix)
        elif manifest is None and path.stat().st_size == 0:
            yield Finding("error", KEY, f"{path} is empty: it was not fetched whole", "fetch the model anew")
    if manifest is None:
        yield Finding(
            "warning",
            KEY,
            f"{folder} was placed by hand and is unverified: nobody would notice a damaged file",
            f"asr-daemon models adopt {folder}, or asr-daemon models pull",
        )
        return
    found = list(faults(folder, manifest))
    yield from (Finding("error", KEY, f"{folder} is damaged: {fault}", way_out(folder)) for fault in found)
    if not found:
        text = f"{folder}: {len(manifest.files)} files as in the manifest ({manifest.origin})"
        yield Finding("ok", KEY, text)
