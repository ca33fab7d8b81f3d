"""A model told to another machine: what is described is found there, file by file, or refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from model_folders import lay

from asr_daemon.errors import ModelMissingError
from asr_daemon.models.catalogue import BUILTIN_FOLDER, ModelChoice, resolve
from asr_daemon.models.manifest import Manifest, encode_manifest, record_files
from asr_daemon.models.speakers import BUILTIN_SPEAKERS_FOLDER, with_speakers
from asr_daemon.models.weights import Weights, describe, find


def choice(models_dir: Path) -> ModelChoice:
    """Return a model with its companions, laid into a daemon's models folder."""
    lay(models_dir, "paraformer-zh")
    lay(models_dir, "fsmn-vad", "FsmnVADStreaming")
    lay(models_dir, "ct-punc", "CTTransformer")
    return with_speakers(resolve("paraformer-zh", models_dir, "cpu"), "", models_dir)


def test_every_folder_of_a_model_is_found_in_another_machines_models_folder(tmp_path: Path) -> None:
    """By its name there; what is built in, in the package."""
    described = describe(choice(tmp_path / "daemon"))
    shutil.copytree(tmp_path / "daemon", tmp_path / "machine")
    found = {weights.role: find(weights, tmp_path / "machine") for weights in described}
    assert found == {
        "model": tmp_path / "machine/paraformer-zh",
        "vad": tmp_path / "machine/fsmn-vad",
        "punctuation": tmp_path / "machine/ct-punc",
        "speaker": BUILTIN_SPEAKERS_FOLDER,
    }


def test_the_built_in_model_is_the_packages() -> None:
    """Whatever the models folder is: there may be none."""
    (described,) = describe(resolve("builtin", Path("/nowhere"), "cpu"))
    assert described.is_builtin
    assert find(described, Path("/nowhere")) == BUILTIN_FOLDER


def test_a_manifest_spares_reading(tmp_path: Path) -> None:
    """What it says is told on; the machine reads what lies there."""
    folder = lay(tmp_path, "paraformer-zh")
    manifest = Manifest("paraformer-zh", "", "", "", "2026-11-27T00:00:00Z", record_files(folder))
    (folder / "manifest.json").write_bytes(encode_manifest(manifest))
    (folder / "model.pt").write_bytes(b"rotten")
    (described,) = describe(resolve("paraformer-zh", tmp_path, "cpu"))
    assert described.files["model.pt"] == manifest.files["model.pt"].sha256
    with pytest.raises(ModelMissingError, match=r"paraformer-zh differs from the daemon's: model\.pt is"):
        find(described, tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.pt", b"other weights", "model.pt is another"),
        ("model.pt", None, "model.pt is missing"),
        ("am.mvn", b"more than there", "am.mvn does not belong to it"),
    ],
)
def test_what_differs_is_refused_by_the_files_name(
    tmp_path: Path, file: str, content: bytes | None, said: str
) -> None:
    """Changed, missing, or one too many."""
    described = describe(choice(tmp_path))[0]
    path = tmp_path / "paraformer-zh" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(ModelMissingError, match=said):
        find(described, tmp_path)


@pytest.mark.parametrize("name", ["", "..", "../other", "/etc", ".incoming"])
def test_a_name_leads_out_of_no_models_folder(tmp_path: Path, name: str) -> None:
    """Whoever the message came from."""
    with pytest.raises(ModelMissingError, match="no name for a model folder"):
        find(Weights("model", name, is_builtin=False), tmp_path)


def test_a_missing_folder_is_named_with_the_way_to_it(tmp_path: Path) -> None:
    """The command that brings it there."""
    with pytest.raises(ModelMissingError, match=r"does not exist.*models pull paraformer-zh"):
        find(Weights("model", "paraformer-zh", is_builtin=False), tmp_path)
