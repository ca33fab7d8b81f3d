"""What an inbox asks of the model that lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from model_folders import Silent
from way import make_config

from asr_daemon.clock import Clock
from asr_daemon.inboxes.share import Shares
from asr_daemon.models.bringing import Bringer
from asr_daemon.models.catalogue import BUILTIN_FOLDER
from asr_daemon.models.manifest import MANIFEST_NAME, read_manifest
from asr_daemon.models.soundness import require_sound
from asr_daemon.queue.inbox_profiles import InboxProfiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("model_class", ["SeacoParaformer", "SenseVoiceSmall", "FunASRNano"])
@pytest.mark.parametrize("itn", [True, False])
def test_the_inbox_decides_whether_numbers_are_written_whoever_does_it(
    tmp_path: Path, model_class: str, itn: bool
) -> None:
    """The wish reaches a model that writes numbers by itself, too: ``itn = false`` has a meaning there."""
    folder = tmp_path / "state" / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"model: {model_class}\n", encoding="utf-8")
    (folder / "model.pt").write_bytes(b"weights")
    (tmp_path / "inbox").mkdir()
    profile = InboxProfiles(make_config(tmp_path, itn=itn, language="yue"), Shares()).profile("inbox")
    assert profile.model.startswith("mine@")
    assert (profile.itn, profile.language) == (itn, "yue")


def own_model(folder: Path, manifest: str = "") -> Path:
    """Lay a model that the profiles find, with what its manifest says."""
    model = folder / "state" / "models" / "mine"
    model.mkdir(parents=True)
    (model / "config.yaml").write_text("model: SeacoParaformer\n", encoding="utf-8")
    (model / "model.pt").write_bytes(b"weights")
    if manifest:
        head = '"name": "mine", "hub": "", "repository": "", "revision": "", "written_at": "", "files": {}'
        (model / MANIFEST_NAME).write_text(f"{{{head}, {manifest}}}", encoding="utf-8")
    return model


@pytest.mark.parametrize(
    ("manifest", "said", "silence_ms"),
    [
        ("", None, 800),
        ('"schema": 1', None, 800),
        ('"segmentation": {"max_end_silence_ms": 450}', None, 450),
        ('"segmentation": {"max_end_silence_ms": 450}', 0, 450),
        ('"segmentation": {"max_end_silence_ms": 450}', 900, 900),
    ],
    ids=["no manifest", "an older manifest", "the model's wish", "0 in config.toml", "the inbox's word"],
)
def test_the_model_says_how_its_sound_is_cut_unless_the_inbox_does(
    tmp_path: Path, manifest: str, said: int | None, silence_ms: int
) -> None:
    """What the manifest wishes counts in every inbox that says nothing, and on the command line."""
    own_model(tmp_path, manifest)
    (tmp_path / "inbox").mkdir()
    profiles = InboxProfiles(make_config(tmp_path, max_end_silence_ms=said), Shares())
    assert profiles.profile("inbox").max_end_silence_ms == silence_ms
    assert profiles.profile("").max_end_silence_ms == (450 if "segmentation" in manifest else 800)


def test_the_built_in_model_is_cut_sentence_by_sentence(tmp_path: Path) -> None:
    """It was trained on single sentences; its folder is still what its manifest says."""
    (tmp_path / "inbox").mkdir()
    profiles = InboxProfiles(make_config(tmp_path), Shares())
    assert profiles.model.is_builtin
    assert profiles.profile("inbox").max_end_silence_ms == 300
    require_sound(BUILTIN_FOLDER)


def test_adopting_anew_keeps_the_models_wish(tmp_path: Path) -> None:
    """A new manifest of the files as they are says of the segmentation what the old one said."""
    model = own_model(tmp_path, '"segmentation": {"max_end_silence_ms": 450}')
    Bringer(tmp_path, Clock().now, Silent(), force=True).adopt(model)
    manifest = read_manifest(model)
    assert manifest is not None
    assert manifest.segmentation is not None
    assert manifest.segmentation.max_end_silence_ms == 450
