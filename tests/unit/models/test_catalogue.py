"""Which model is used, and what is said when it is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr_daemon.errors import ModelMissingError
from asr_daemon.models.catalogue import BUILTIN_FOLDER, resolve


def lay(models: Path, name: str, model_class: str) -> Path:
    """Lay a model folder."""
    folder = models / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"# a model\nmodel: {model_class}\nmodel_conf:\n  model: no\n")
    (folder / "model.pt").write_bytes(name.encode())
    return folder


def test_without_models_the_built_in_one_is_taken_and_says_so(tmp_path: Path) -> None:
    """An empty or missing models folder gives the built-in model, labelled for what it is."""
    choice = resolve("auto", tmp_path / "none", "auto")
    assert choice.is_builtin
    assert Path(choice.folder) == BUILTIN_FOLDER
    assert choice.vad_folder == ""
    assert "built-in" in choice.label
    assert "trying out" in choice.label


def test_auto_takes_the_best_with_its_companions(tmp_path: Path) -> None:
    """paraformer-zh goes before the built-in model and brings VAD and punctuation from beside it."""
    folder = lay(tmp_path, "paraformer-zh", "SeacoParaformer")
    vad = lay(tmp_path, "fsmn-vad", "FsmnVADStreaming")
    punctuation = lay(tmp_path, "ct-punc", "CTTransformer")
    choice = resolve("auto", tmp_path, "auto")
    assert (choice.name, choice.family) == ("paraformer-zh", "seaco_paraformer")
    assert (choice.folder, choice.vad_folder) == (str(folder), str(vad))
    assert choice.punctuation_folder == str(punctuation)
    assert choice.label == "paraformer-zh"
    assert choice.abilities.takes_hotwords
    assert not choice.abilities.writes_numbers


def test_a_model_without_an_adapter_is_passed_over_or_refused(tmp_path: Path) -> None:
    """With "auto" it is left alone; asked for by name, one sentence says what is supported instead."""
    folder = lay(tmp_path, "whisper", "WhisperWarp")
    assert resolve("auto", tmp_path, "cpu").is_builtin
    with pytest.raises(ModelMissingError, match=r"SeacoParaformer.*FunASRNano") as caught:
        resolve("whisper", tmp_path, "cpu")
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("model_class", "family", "brings_punctuation"),
    [
        ("SeacoParaformer", "seaco_paraformer", True),
        ("Paraformer", "paraformer", True),
        ("BiCifParaformer", "paraformer", True),
        ("SenseVoiceSmall", "sense_voice", True),  # for inboxes that want no written numbers
        ("FunASRNano", "fun_asr_nano", False),
    ],
)
def test_every_supported_class_has_its_family_and_companions(
    tmp_path: Path, model_class: str, family: str, brings_punctuation: bool
) -> None:
    """ct-punc comes along where the model does not punctuate by itself in every case; fsmn-vad always."""
    lay(tmp_path, "mine", model_class)
    lay(tmp_path, "ct-punc", "CTTransformer")
    lay(tmp_path, "fsmn-vad", "FsmnVADStreaming")
    choice = resolve("mine", tmp_path, "cpu")
    assert choice.family == family
    assert bool(choice.punctuation_folder) == brings_punctuation
    assert choice.vad_folder


def test_auto_prefers_by_family_and_device(tmp_path: Path) -> None:
    """Hotwords before languages before neither; Nano first on a card, last without; names do not matter."""
    for name, model_class in (
        ("a-nano", "FunASRNano"),
        ("b-plain", "Paraformer"),
        ("c-voice", "SenseVoiceSmall"),
        ("e-zh", "SeacoParaformer"),
        ("d-zh", "SeacoParaformer"),
        ("paraformer-tiny-zh", "SeacoParaformer"),
        ("fsmn-vad", "FsmnVADStreaming"),
    ):
        lay(tmp_path, name, model_class)
    order = []
    while not (choice := resolve("auto", tmp_path, "auto")).is_builtin:
        order.append(choice.name)
        (Path(choice.folder) / "config.yaml").unlink()
    assert order == ["d-zh", "e-zh", "c-voice", "b-plain", "a-nano"]
    lay(tmp_path, "f-nano", "FunASRNano")
    lay(tmp_path, "g-zh", "SeacoParaformer")
    assert resolve("auto", tmp_path, "cuda:1").name == "f-nano"


def test_a_name_or_an_absolute_folder_is_taken_as_said(tmp_path: Path) -> None:
    """Both ways of naming a model lead to the same folder."""
    folder = lay(tmp_path, "mine", "SeacoParaformer")
    assert resolve("mine", tmp_path, "cpu") == resolve(str(folder), tmp_path, "cpu")
    assert resolve("builtin", tmp_path, "cpu").is_builtin


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("absent", "does not exist"),
        ("empty", "config.yaml"),
        ("odd", "Whisper"),
        ("light", "weights"),
        ("a/b", "absolute"),
    ],
)
def test_what_is_missing_is_said_with_its_place(tmp_path: Path, setting: str, said: str) -> None:
    """One sentence: what is missing, and where."""
    (tmp_path / "empty").mkdir()
    lay(tmp_path, "odd", "Whisper")
    (lay(tmp_path, "light", "SeacoParaformer") / "model.pt").unlink()
    with pytest.raises(ModelMissingError, match=said) as caught:
        resolve(setting, tmp_path, "cpu")
    assert str(tmp_path) in str(caught.value)


def test_the_identity_follows_the_content_of_all_folders(tmp_path: Path) -> None:
    """Other weights, or another VAD beside them, are another identity; the same files elsewhere are not."""
    one, two = tmp_path / "one", tmp_path / "two"
    for models in (one, two):
        lay(models, "paraformer-zh", "SeacoParaformer")
    before = resolve("auto", one, "cpu").identity
    assert before == resolve("auto", two, "cpu").identity
    assert before.startswith("paraformer-zh@")
    lay(one, "fsmn-vad", "FsmnVADStreaming")
    with_vad = resolve("auto", one, "cpu").identity
    assert with_vad != before
    weights = one / "paraformer-zh" / "model.pt"
    weights.write_bytes(b"others_zh_bytes")
    os.utime(weights, (1, 1))
    assert resolve("auto", one, "cpu").identity not in (before, with_vad)


def test_deciding_needs_no_torch() -> None:
    """The daemon can resolve models and drive the recogniser without loading torch or funasr."""
    code = (
        "import sys, pathlib; from asr_daemon.models import catalogue; "
        "import asr_daemon.dispatch.local_process, asr_daemon.ffmpeg; "
        "catalogue.resolve('auto', pathlib.Path('/none'), 'auto').abilities; "
        "catalogue.resolve('auto', pathlib.Path('/none'), 'auto').identity; "
        "sys.exit(bool({'torch', 'funasr', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
