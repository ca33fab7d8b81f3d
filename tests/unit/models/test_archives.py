"""Carrying models: export, import, and archives that somebody made on purpose."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from model_folders import Silent, lay, there

from asr_daemon.clock import Clock
from asr_daemon.errors import OperatorError
from asr_daemon.models import archives
from asr_daemon.models.archives import pack
from asr_daemon.models.bringing import Bringer
from asr_daemon.models.manifest import MANIFEST_NAME, read_manifest
from asr_daemon.models.soundness import require_sound
from support import WITHOUT_RIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = b"model: SeacoParaformer\n"


def bringer(models_dir: Path, *, force: bool = False) -> Bringer:
    """Return what imports."""
    return Bringer(models_dir, Clock().now, Silent(), force=force)


@pytest.fixture
def adopted(tmp_path: Path) -> Path:
    """Return a model with a manifest, in another machine's models folder."""
    folder = lay(tmp_path / "elsewhere", "paraformer-zh", more={"sub/tokens.json": b"[]"})
    bringer(folder.parent).adopt(folder)
    return folder


def test_an_exported_model_is_imported_the_same(tmp_path: Path, adopted: Path) -> None:
    """Name, files and manifest arrive; importing again changes nothing."""
    manifest = read_manifest(adopted)
    assert manifest is not None
    pack(adopted, manifest, tmp_path / "a.tar")
    brought = bringer(tmp_path / "models").bring(tmp_path / "a.tar")
    assert brought.folder == tmp_path / "models" / "paraformer-zh"
    assert read_manifest(brought.folder) == manifest
    require_sound(brought.folder)
    assert there(tmp_path / "models") == {"paraformer-zh"}
    assert bringer(tmp_path / "models").bring(tmp_path / "a.tar").was_there
    with pytest.raises(OperatorError, match="is there already"):
        pack(adopted, manifest, tmp_path / "a.tar")


def test_a_folder_is_imported_under_another_name(tmp_path: Path, adopted: Path) -> None:
    """`pull NAME --from FOLDER`: the name that was asked for, known ones as their folder is called."""
    brought = bringer(tmp_path / "models").bring(adopted, "sensevoice-small")
    assert brought.folder.name == brought.manifest.name == "SenseVoiceSmall"
    require_sound(brought.folder)


def test_a_folder_without_manifest_gets_one(tmp_path: Path) -> None:
    """As FunASR downloaded it elsewhere; links to files, as in a hub's cache, become files."""
    source = lay(tmp_path / "cache", "ct-punc", "CTTransformer", more={"README.md": b"x", "fig/x.png": b"y"})
    (source / "model.pt").rename(tmp_path / "blob")
    (source / "model.pt").symlink_to(tmp_path / "blob")
    brought = bringer(tmp_path / "models").bring(source)
    assert set(brought.manifest.files) == {"config.yaml", "model.pt", "fig/x.png"}
    assert not (brought.folder / "model.pt").is_symlink()
    require_sound(brought.folder)


def test_a_damaged_source_is_refused_and_nothing_changes(tmp_path: Path, adopted: Path) -> None:
    """What differs from its own manifest is not taken over, and what is here stays."""
    models = tmp_path / "models"
    bringer(models).bring(adopted)
    (adopted / "model.pt").write_bytes(b"other")
    with pytest.raises(OperatorError, match=r"damaged: model.pt has 5 bytes"):
        bringer(models).bring(adopted)
    (adopted / MANIFEST_NAME).write_bytes(b"{")
    with pytest.raises(OperatorError, match=str(adopted / MANIFEST_NAME)):
        bringer(models).bring(adopted)
    require_sound(models / "paraformer-zh")
    assert there(models) == {"paraformer-zh"}


@pytest.mark.parametrize("name", ["auto", "builtin", "paraformer-tiny-zh", ".hidden", "a/b", ""])
def test_names_that_mean_something_else_are_refused(tmp_path: Path, adopted: Path, name: str) -> None:
    """A model called "auto" could never be asked for."""
    source = adopted.rename(tmp_path / "auto") if not name else adopted
    with pytest.raises(OperatorError, match="no name for a model folder"):
        bringer(tmp_path / "models").bring(source, name)


# ------------------------------------------------------------------ hostile archives


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """Return an entry of an archive."""
    entry = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(entry, key, value)
    entry.size = len(content) if entry.isreg() else 0
    return entry, content


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (member("/etc/evil"), "does not lie in a folder"),
        (member("m/../../evil"), "does not lie in a folder"),
        (member("evil"), "does not lie in a folder"),
        (member("other/config.yaml"), "does not hold one folder"),
        (member("m/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "no regular file"),
        (member("m/link", type=tarfile.LNKTYPE, linkname="m/config.yaml"), "no regular file"),
        (member("m/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "no regular file"),
        (member("m/pipe", type=tarfile.FIFOTYPE), "no regular file"),
        (member("../evil/", b"", type=tarfile.DIRTYPE), "leads out of its folder"),
        (member("m/config.yaml"), "is there twice"),
        (member("m/./config.yaml"), "does not lie in a folder"),
    ],
)
def test_an_archive_with_anything_else_is_refused(
    tmp_path: Path, entry: tuple[tarfile.TarInfo, bytes], said: str
) -> None:
    """Paths out of the folder, links, devices, a name twice: the whole archive is refused."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for info, content in (member("m/config.yaml", CONFIG), entry):
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(OperatorError, match=said):
        bringer(tmp_path / "models").bring(tmp_path / "a.tar")
    assert there(tmp_path / "models") == set()
    assert there(tmp_path) == {"a.tar", "models"}


def test_an_archive_beyond_all_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb, or ten thousand files, is not unpacked at all."""
    monkeypatch.setattr(archives, "LARGEST_BYTES", 1000)
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        for info, content in (member("m/config.yaml", CONFIG), member("m/model.pt", bytes(10_000))):
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(OperatorError, match="larger than any model"):
        bringer(tmp_path / "models").bring(tmp_path / "a.tar.xz")
    monkeypatch.setattr(archives, "LARGEST_BYTES", 10**9)
    monkeypatch.setattr(archives, "MOST_FILES", 1)
    with pytest.raises(OperatorError, match="larger than any model"):
        bringer(tmp_path / "models").bring(tmp_path / "a.tar.xz")


@pytest.mark.parametrize(
    "harm", [lambda content: content[: len(content) // 2], lambda _content: b"no archive"]
)
def test_a_cut_off_archive_is_refused(tmp_path: Path, adopted: Path, harm: Callable[[bytes], bytes]) -> None:
    """A stick that was pulled out too early: one sentence, nothing here."""
    manifest = read_manifest(adopted)
    assert manifest is not None
    pack(adopted, manifest, tmp_path / "a.tar")
    (tmp_path / "a.tar").write_bytes(harm((tmp_path / "a.tar").read_bytes()))
    with pytest.raises(OperatorError, match="no sound archive"):
        bringer(tmp_path / "models").bring(tmp_path / "a.tar")
    assert there(tmp_path / "models") == set()


def test_hidden_files_of_an_archive_stay_out(tmp_path: Path) -> None:
    """Dot files and READMEs of an archive are left where they are; modes are not taken over."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for info, content in (
            member("./m/config.yaml", CONFIG, mode=0o4777),
            member("./m/.hidden", b"x"),
            member("./m/README.md", b"x"),
        ):
            archive.addfile(info, io.BytesIO(content))
    before = os.umask(0o077)  # an administrator's, whose files the service must read all the same
    try:
        brought = bringer(tmp_path / "models").bring(tmp_path / "a.tar.gz")
    finally:
        os.umask(before)
    assert {path.name for path in brought.folder.iterdir()} == {"config.yaml", MANIFEST_NAME}
    assert (brought.folder / "config.yaml").stat().st_mode & 0o7777 == 0o644
    assert brought.folder.stat().st_mode & 0o777 == 0o755


# ------------------------------------------------------------------ a read-only share


def test_a_read_only_models_folder(tmp_path: Path, adopted: Path) -> None:
    """Listing and verifying work; pulling says in one sentence what to do instead."""
    if os.geteuid() == 0 and subprocess.run([*WITHOUT_RIGHTS, "true"], check=False).returncode:
        pytest.skip("rights of files cannot be taken away from root here")
    share = adopted.parent
    (tmp_path / "config.toml").write_text(f'[models]\ndir = "{share}"\n[daemon]\nstate_dir = "state"\n')
    share.chmod(0o555)
    try:
        ran = {
            command: subprocess.run(
                [
                    *(WITHOUT_RIGHTS if os.geteuid() == 0 else ()),
                    *(sys.executable, "-m", "asr_daemon", "models", *command.split()),
                    *("-c", str(tmp_path / "config.toml")),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            for command in ("list", "verify", "pull fsmn-vad", f"import {adopted}")
        }
    finally:
        share.chmod(0o755)
    assert ran["list"].returncode == ran["verify"].returncode == 0
    assert "paraformer-zh: sound" in ran["verify"].stdout
    for command in ("pull fsmn-vad", f"import {adopted}"):
        assert ran[command].returncode == 1
        assert "read-only share" in ran[command].stderr
        assert "models.dir" in ran[command].stderr
        assert ran[command].stderr.count("\n") == 1
    assert there(share) == {"paraformer-zh"}
