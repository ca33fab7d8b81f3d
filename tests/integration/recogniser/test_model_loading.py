"""What a real recogniser does before and while it loads: compares, refuses, executes nothing, asks no one."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import DEMO, REPOSITORY, SHARED, Driver, builtin_setup
from model_folders import Silent

from asr_daemon.clock import Clock
from asr_daemon.dispatch.protocol import Broken, Ready
from asr_daemon.errors import ModelMissingError
from asr_daemon.models.bringing import Bringer
from asr_daemon.models.catalogue import BUILTIN_FOLDER
from asr_daemon.models.manifest import MANIFEST_NAME
from asr_daemon.recogniser.families import funasr_model

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the built-in model as somebody placed it: without a manifest."""
    return Path(shutil.copytree(BUILTIN_FOLDER, tmp_path / "mine", ignore=lambda *_: {MANIFEST_NAME}))


def first_word(folder: Path, **changes: object) -> Ready | Broken:
    """Return what a recogniser says first when it is given that model."""
    driver = Driver(builtin_setup(model_folder=str(folder), **changes))
    driver.child.kill()
    assert isinstance(driver.first, (Ready, Broken)), driver.lines
    return driver.first


def adopt(folder: Path) -> None:
    """Write its manifest."""
    Bringer(folder.parent, Clock().now, Silent()).adopt(folder)


def test_a_flipped_bit_is_refused_before_torch_is_there(folder: Path) -> None:
    """The weights' last bit, or a companion's: said with the file's name, without the seconds of loading."""
    vad = Path(shutil.copytree(BUILTIN_FOLDER, folder.parent / "vad"))
    adopt(folder)
    for harmed, others in ((folder, {}), (vad, {"vad_folder": str(vad)})):
        weights = harmed / "model.pt"
        sound = weights.read_bytes()
        weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        said = first_word(folder, **others)
        assert isinstance(said, Broken)
        assert said.code == "model_missing"
        assert f"{harmed} is damaged: model.pt differs from its SHA-256" in said.message
        weights.write_bytes(sound)


def test_weights_that_are_code_do_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle that would start a program is refused, even where the environment asks torch to trust."""
    proof = folder.parent / "it-ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {proof}",)

    torch.save({"state_dict": Evil()}, folder / "model.pt")
    with (folder / "model.pt").open("rb") as file, pytest.raises(pickle.UnpicklingError):
        torch.load(file, weights_only=True)
    assert not proof.exists()
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    said = first_word(folder)
    assert isinstance(said, Broken)
    assert said.code == "model_missing"
    assert "refused" in said.message
    assert "\n" not in said.message
    assert not proof.exists()


def test_code_in_a_model_folder_is_not_executed(folder: Path) -> None:
    """A model.py that the configuration says to trust: the folder is refused, with what to do."""
    proof = folder.parent / "it-ran"
    (folder / "model.py").write_text(f"open({str(proof)!r}, 'w')\n")
    (folder / "requirements.txt").write_text("-e /nonexistent-package\n")
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    trusting = f"trust_remote_code: true\nremote_code: {folder / 'model.py'}\n"
    (folder / "config.yaml").write_text(config + trusting, encoding="utf-8")
    about = json.loads((folder / "configuration.json").read_text(encoding="utf-8"))
    about["file_path_metas"].update({"trust_remote_code": "model.py", "remote_code": "model.py"})
    (folder / "configuration.json").write_text(json.dumps(about), encoding="utf-8")
    said = first_word(folder)
    assert isinstance(said, Broken)
    assert said.code == "model_missing"
    assert "is refused: " in said.message
    assert not proof.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('"model": QwenAudioWarp\n', "duplicate"),
        ("llm_conf:\n  load_kwargs:\n    trust_remote_code: true\n", "trust_remote_code"),
        ("audio_encoder_conf:\n  hub: ms\n", "asks for code, or for a hub"),
    ],
)
def test_a_configuration_that_asks_for_more_than_weights_is_refused(
    folder: Path, more: str, said: str
) -> None:
    """Another class, another model's code, a hub: FunASR would obey."""
    with (folder / "config.yaml").open("a", encoding="utf-8") as config:
        config.write(more)
    with pytest.raises(ModelMissingError, match=said):
        funasr_model.load(str(folder), "cpu", 1)


def test_the_class_counts_that_funasr_would_build(folder: Path) -> None:
    """A configuration.json may name another file than the config.yaml that was looked at."""
    shutil.copy(folder / "config.yaml", folder / "other.yaml")
    config = (folder / "other.yaml").read_text(encoding="utf-8")
    other = config.replace("SeacoParaformer", "QwenAudioWarp", 1)
    (folder / "other.yaml").write_text(other, encoding="utf-8")
    about = json.loads((folder / "configuration.json").read_text(encoding="utf-8"))
    about["file_path_metas"]["config"] = "other.yaml"
    (folder / "configuration.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(ModelMissingError, match="QwenAudioWarp is not supported"):
        funasr_model.load(str(folder), "cpu", 1)


def test_a_model_whose_weights_are_named_wrongly_is_refused(folder: Path) -> None:
    """FunASR would go on with random weights and recognise rubbish."""
    about = json.loads((folder / "configuration.json").read_text(encoding="utf-8"))
    about["file_path_metas"]["init_param"] = "model.pb"
    (folder / "configuration.json").write_text(json.dumps(about), encoding="utf-8")
    said = first_word(folder)
    assert isinstance(said, Broken)
    assert "has no weights" in said.message


def test_a_cut_off_checkpoint_is_one_sentence(folder: Path) -> None:
    """Half a copy without a manifest: the model is broken, the recogniser says so."""
    content = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(content[: len(content) // 2])
    said = first_word(folder)
    assert isinstance(said, Broken)
    assert said.code == "model_missing"
    assert str(folder) in said.message


def test_the_shared_voice_activity_model_loads_as_weights_alone() -> None:
    """fsmn-vad as FunASR publishes it; silero-vad and the built-in model load in every other test."""
    vad = SHARED / "models" / "fsmn-vad"
    if not vad.is_dir():
        pytest.skip("the shared fsmn-vad is not beside the checkout")
    assert isinstance(first_word(BUILTIN_FOLDER, vad_folder=str(vad)), Ready)


def test_a_recogniser_without_a_network_starts_and_recognises() -> None:
    """In a network name space of its own, where not even the loopback is up."""
    script = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
        "from conftest import DEMO, Driver, builtin_setup\n"
        "driver = Driver(builtin_setup())\n"
        "print(driver.first)\n"
        "print(driver.transcribe(DEMO / 'lecture.wav').text)\n"
        "driver.child.stop(20)\n"
    )
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("network name spaces are not permitted here")
    interfaces = subprocess.run(
        [*unshare, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True
    ).stdout
    assert [line.split(":")[0].strip() for line in interfaces.splitlines()[2:]] == ["lo"]
    ended = subprocess.run(
        [*unshare, sys.executable, "-c", script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.startswith("Ready("), ended.stdout
    assert "同学们今天我们来学习" in ended.stdout
    assert DEMO.is_dir()
