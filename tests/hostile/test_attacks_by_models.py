"""Model folders that carry code, or name further folders that do: none runs, every door says why."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from model_folders import Silent, lay

from asr_daemon.clock import Clock
from asr_daemon.errors import AsrDaemonError, ModelMissingError
from asr_daemon.models.bringing import Bringer
from asr_daemon.models.catalogue import BUILTIN_FOLDER, resolve
from asr_daemon.models.code import code_asked_for
from asr_daemon.models.manifest import MANIFEST_NAME
from asr_daemon.models.soundness import require_sound

if TYPE_CHECKING:
    from pathlib import Path


def bringer(models_dir: Path) -> Bringer:
    """Return who brings models there."""
    return Bringer(models_dir, Clock().now, Silent(), force=True)


def aliases() -> bytes:
    """Return a YAML of 500 bytes that stands for ten thousand million lists."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(["model: SeacoParaformer", *lines, "vad_model: evil"]).encode()


ASKING: list[dict[str, bytes]] = [
    {"config.yaml": b"model: SeacoParaformer\nvad_model: evil\n"},
    {"config.yaml": b"model: SeacoParaformer\npunc_model: {model: evil}\n"},
    {"config.yaml": b"model: SeacoParaformer\nmore: {spk_model: evil}\n"},
    {"config.yaml": b'model: SeacoParaformer\n"vad\\u005fmodel": evil\n'},
    {"config.yaml": b"model: SeacoParaformer\nllm_conf: [{load: {trust_remote_code: true}}]\n"},
    {"config.yaml": b"model: SeacoParaformer\nremote_code: ./model.py\n"},
    {"config.yaml": aliases()},
    {"evil/config.yaml": b"trust_remote_code: yes\n"},
    {"configuration.json": b'{"file_path_metas": {"tokenizer_conf": {"trust_remote_code": "x"}}}'},
    {"configuration.json": b'{"file_path_metas": {"config": "c.txt"}}', "c.txt": b"vad_model: evil\n"},
    {"model.py": b"print('it ran')\n"},
    {"docs/deep/x.PY": b"print('it ran')\n"},
    {"docs/x.so": b"\x7fELF"},
]


@pytest.mark.parametrize("files", ASKING, ids=range(len(ASKING)))
def test_every_door_refuses_a_folder_that_asks_for_code(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Chosen by name or by "auto", imported as folder or archive, adopted, verified: one clear sentence."""
    models = tmp_path / "models"
    folder = lay(models, "nice", more=files)
    elsewhere = tmp_path / "elsewhere"
    doors = (
        lambda: resolve("nice", models, "cpu"),
        lambda: resolve("auto", models, "cpu"),
        lambda: bringer(elsewhere).bring(folder),
        lambda: bringer(models).adopt(folder),
        lambda: require_sound(folder),
    )
    for door in doors:
        with pytest.raises(AsrDaemonError, match=r"refused: .*(fetch|Fetch) the model anew") as refused:
            door()
        assert "\n" not in str(refused.value)
    assert not (folder / MANIFEST_NAME).exists()
    assert not (elsewhere / "nice").exists()


def test_an_archive_with_code_is_refused(tmp_path: Path) -> None:
    """The same out of a tar file."""
    folder = lay(tmp_path / "here", "nice", more=ASKING[0])
    with tarfile.open(tmp_path / "nice.tar", "w") as archive:
        archive.add(folder, "nice")
    with pytest.raises(AsrDaemonError, match="vad_model"):
        bringer(tmp_path / "models").bring(tmp_path / "nice.tar")
    assert not (tmp_path / "models" / "nice").exists()


def test_what_asks_for_nothing_is_taken(tmp_path: Path) -> None:
    """Keys that say no, and a hub's own remarks outside what is loaded, keep no honest model away."""
    about = {"vad_model": "iic/speech_fsmn_vad", "file_path_metas": {"init_param": "model.pt"}}
    more = {
        "config.yaml": b"model: SeacoParaformer\nvad_model: null\ntrust_remote_code: false\n",
        "configuration.json": json.dumps(about).encode(),
    }
    folder = lay(tmp_path, "nice", more=more)
    assert code_asked_for(folder) == ""
    assert code_asked_for(BUILTIN_FOLDER) == ""
    assert resolve("auto", tmp_path, "cpu").name == "nice"


@pytest.mark.slow
@pytest.mark.parametrize("key", ["vad_model", "punc_model", "spk_model"])
def test_funasr_builds_no_second_model(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the look at the configuration is passed by, a sub-folder's code does not run."""
    from asr_daemon.recogniser.families import funasr_model  # noqa: PLC0415 (torch: seconds)

    folder = tmp_path / "mine"
    shutil.copytree(BUILTIN_FOLDER, folder, ignore=lambda *_: {MANIFEST_NAME})
    evil, proof = folder / "evil", tmp_path / "it-ran"
    shutil.copytree(BUILTIN_FOLDER, evil, ignore=lambda *_: {MANIFEST_NAME})
    (evil / "model.py").write_text(f"open({os.fspath(proof)!r}, 'w')\n", encoding="utf-8")
    with (evil / "config.yaml").open("a", encoding="utf-8") as config:
        config.write(f"trust_remote_code: true\nremote_code: {evil / 'model.py'}\n")
    with (folder / "config.yaml").open("a", encoding="utf-8") as config:
        config.write(f"{key}: {evil}\n")
    with pytest.raises(ModelMissingError, match="refused"):
        funasr_model.load(str(folder), "cpu", 1)
    monkeypatch.setattr(funasr_model, "_refuse_more_than_weights", lambda _folder: None)
    assert getattr(funasr_model.load(str(folder), "cpu", 1), key) is None
    assert not proof.exists()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_as_large_as_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    """A sparse archive whose header says 1.3 GB is one sentence, before anything of it is read."""
    header = tarfile.TarInfo("nice/x")
    header.type, header.size = kind, 1_300_000_000
    path = tmp_path / "nice.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT))
    os.truncate(path, 1_300_000_000 + 4096)
    tracemalloc.start()
    with pytest.raises(AsrDaemonError, match="header of 1,300 MB"):
        bringer(tmp_path / "models").bring(path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_headers_upon_headers_and_sparse_members_are_refused(tmp_path: Path) -> None:
    """A thousand headers one behind the other, and a sparse file, end in one sentence."""
    path = tmp_path / "nice.tar"
    one = tarfile.TarInfo("x")
    one.type, one.size = tarfile.XHDTYPE, 0
    path.write_bytes(one.tobuf(tarfile.GNU_FORMAT) * 3000)
    with pytest.raises(AsrDaemonError, match="no sound archive"):
        bringer(tmp_path / "models").bring(path)
    one.type = tarfile.GNUTYPE_SPARSE
    path.write_bytes(one.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(AsrDaemonError, match="sparse"):
        bringer(tmp_path / "models").bring(path)
