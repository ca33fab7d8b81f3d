"""Manifests: what is compared before a model is loaded, and what is said of each difference."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from model_folders import Silent, lay

from asr_daemon.clock import Clock
from asr_daemon.errors import ModelMissingError, OperatorError
from asr_daemon.models.bringing import Bringer
from asr_daemon.models.catalogue import BUILTIN_FOLDER, ModelChoice, find_folder, resolve
from asr_daemon.models.known import KNOWN, find_known
from asr_daemon.models.manifest import MANIFEST_NAME, read_manifest, record_files
from asr_daemon.models.soundness import faults, require_sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EMPTY = {**dict.fromkeys(("name", "hub", "repository", "revision", "written_at"), ""), "files": {}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an adopted model folder, with a sub-folder."""
    folder = lay(tmp_path, "paraformer-zh", more={"Qwen3-0.6B/config.json": b"{}"})
    Bringer(tmp_path, Clock().now, Silent()).adopt(folder)
    return folder


def test_a_sound_folder_passes_with_documentation_and_junk(folder: Path) -> None:
    """READMEs, dot files and what a NAS leaves about are no part of a model."""
    for name in ("README.md", ".gitattributes", "Thumbs.db", "@eaDir/x.jpg", ".cache/y"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("anything")
    require_sound(folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert set(manifest.files) == {"config.yaml", "model.pt", "Qwen3-0.6B/config.json"}


def flip(path: Path) -> None:
    """Flip one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: flip(folder / "model.pt"), "model.pt differs from its SHA-256"),
        (lambda folder: flip(folder / "Qwen3-0.6B" / "config.json"), "Qwen3-0.6B/config.json differs"),
        (lambda folder: (folder / "model.pt").write_bytes(b""), "model.pt has 0 bytes instead of"),
        (lambda folder: (folder / "config.yaml").unlink(), "config.yaml is missing"),
        (lambda folder: (folder / "model.py").write_text("raise"), "model.py does not belong to the model"),
        (lambda folder: (folder / "Qwen3-0.6B" / "x.py").write_text(""), "Qwen3-0.6B/x.py does not belong"),
        (lambda folder: (folder / "more").symlink_to("/etc"), "more does not belong"),
    ],
)
def test_each_difference_refuses_the_model(folder: Path, harm: Callable[[Path], object], said: str) -> None:
    """One flipped bit, one file too few or too many: named, with the command that mends it."""
    require_sound(folder)
    harm(folder)
    with pytest.raises(ModelMissingError) as caught:
        require_sound(folder)
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "`asr-daemon models pull paraformer-zh`" in str(caught.value)


def test_the_way_out_fits_the_model(tmp_path: Path) -> None:
    """A model of no known name is copied anew, the built-in one is installed again."""
    own = lay(tmp_path, "our-own")
    Bringer(tmp_path, Clock().now, Silent()).adopt(own)
    flip(own / "model.pt")
    with pytest.raises(ModelMissingError, match=f"asr-daemon models adopt {own}"):
        require_sound(own)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"schema": 1}',
        json.dumps({**EMPTY, "schema": 2}).encode(),
        json.dumps({**EMPTY, "files": {"../passwd": {"size_bytes": 1, "sha256": "0" * 64}}}).encode(),
    ],
)
def test_a_damaged_manifest_refuses(folder: Path, content: bytes) -> None:
    """A manifest that is cut off, of another release, or names files elsewhere is no permission to load."""
    (folder / MANIFEST_NAME).write_bytes(content)
    with pytest.raises(ModelMissingError, match=MANIFEST_NAME):
        require_sound(folder)


def test_a_folder_without_manifest_is_loaded(tmp_path: Path) -> None:
    """What an administrator placed by hand counts as unverified, not as broken."""
    require_sound(lay(tmp_path, "paraformer-zh"))


def test_the_built_in_model_is_what_its_manifest_says() -> None:
    """After a change: `asr-daemon models adopt --force asr_daemon/models/paraformer-tiny-zh/`."""
    manifest = read_manifest(BUILTIN_FOLDER)
    assert manifest is not None
    assert manifest.files == record_files(BUILTIN_FOLDER)
    assert list(faults(BUILTIN_FOLDER, manifest)) == []


def test_identity_is_the_same_with_and_without_manifest(tmp_path: Path) -> None:
    """Adopting a model does not make recordings be transcribed again; its digests spare the reading."""
    folder = lay(tmp_path, "paraformer-zh")
    before = resolve("auto", tmp_path, "cpu").identity
    Bringer(tmp_path, Clock().now, Silent()).adopt(folder)
    (folder / "README.md").write_text("words")
    assert resolve("auto", tmp_path, "cpu").identity == before
    (folder / "model.pt").unlink()
    folder_alone = ModelChoice("paraformer-zh", "seaco_paraformer", str(folder), "", "", is_builtin=False)
    assert folder_alone.identity == before


def test_identity_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    """It is the model that is missing then, not the daemon that fails."""
    folder = lay(tmp_path, "paraformer-zh")
    choice = resolve("auto", tmp_path, "cpu")
    (folder / "more").symlink_to(tmp_path)  # cannot be read as a file, for root neither
    with pytest.raises(ModelMissingError, match="more"):
        _ = choice.identity


def test_adopting_twice_is_asked_for(folder: Path) -> None:
    """A manifest is not replaced by the files as they happen to be, unless somebody says so."""
    flip(folder / "model.pt")
    with pytest.raises(OperatorError, match="--force"):
        Bringer(folder.parent, Clock().now, Silent()).adopt(folder)
    Bringer(folder.parent, Clock().now, Silent(), force=True).adopt(folder)
    require_sound(folder)


# ------------------------------------------------------------------ names


def test_known_names_lead_to_the_folders_that_auto_looks_for(tmp_path: Path) -> None:
    """What `pull` writes is what "auto" finds, and a companion is found under its name."""
    for name in ("paraformer-zh", "SenseVoiceSmall", "Fun-ASR-Nano-2512", "fsmn-vad", "ct-punc", "cam++"):
        known = find_known(name)
        assert known is not None
        assert known.folder == name
        assert find_known(known.name.upper()) is known
        assert find_folder(known.name.upper(), tmp_path) == tmp_path / name
        assert set(known.sources) <= {"modelscope", "huggingface"}
        assert all(len(source.weights_sha256) == 64 for source in known.sources.values())
        assert len(known.sources) == 2 or known.not_on
    assert len(KNOWN) == 6


def test_a_known_name_is_taken_in_any_case(tmp_path: Path) -> None:
    """Paraformer-ZH means the folder paraformer-zh; a folder of that very name goes before."""
    folder = lay(tmp_path, "paraformer-zh")
    assert resolve("Paraformer-ZH", tmp_path, "cpu").folder == str(folder)
    shutil.move(folder, tmp_path / "Paraformer-ZH")
    assert resolve("Paraformer-ZH", tmp_path, "cpu").folder == str(tmp_path / "Paraformer-ZH")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SenseVoice-Small", "`asr-daemon models pull sensevoice-small` brings it"),
        ("our-own", "paraformer-zh, sensevoice-small"),
    ],
)
def test_a_missing_model_is_said_with_its_command(tmp_path: Path, name: str, said: str) -> None:
    """The sentence of status, check and journal names the command that brings the model."""
    with pytest.raises(ModelMissingError) as caught:
        resolve(name, tmp_path, "cpu")
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)
