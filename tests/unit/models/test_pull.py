"""`models pull` against a local server that speaks as both hubs do: resumed, verified, whole or not."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import resource
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from local_hub import COMMIT, LocalHub
from model_folders import Silent, lay, there

from asr_daemon.clock import Clock
from asr_daemon.errors import OperatorError
from asr_daemon.models import fetching, store
from asr_daemon.models.bringing import Bringer
from asr_daemon.models.catalogue import resolve
from asr_daemon.models.fetching import FetchError
from asr_daemon.models.hubs import look_up
from asr_daemon.models.known import HUBS, KnownModel, Source, find_known
from asr_daemon.models.manifest import read_manifest
from asr_daemon.models.soundness import require_sound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.models.known import Hub

WEIGHTS = bytes(range(256)) * 12_000  # three blocks of a megabyte
FILES = {
    "config.yaml": b"model: SeacoParaformer\n",
    "model.pt": WEIGHTS,
    "sub/tokens.json": b'["a"]',
    "README.md": b"words",
    ".gitattributes": b"x",
    "example/asr.wav": b"sound",
    "model.py": b"raise SystemExit",
    "requirements.txt": b"evil",
}
NEEDED = {"config.yaml", "model.pt", "sub/tokens.json"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """Serve the model, and let no test wait between tries."""
    hub = LocalHub(dict(FILES))
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr(fetching, "PAUSE_S", 0.0)
    yield hub
    hub.close()


def known(weights: bytes = WEIGHTS, revision: str = COMMIT) -> KnownModel:
    """Return paraformer-zh as the local hub has it."""
    source = Source("some/model", revision, hashlib.sha256(weights).hexdigest())
    model = find_known("paraformer-zh")
    assert model is not None
    return replace(model, sources=dict.fromkeys(HUBS, source))


def bringer(models_dir: Path, *, force: bool = False) -> Bringer:
    """Return what pulls."""
    return Bringer(models_dir, Clock().now, Silent(), force=force)


@pytest.mark.parametrize("name", HUBS)
def test_a_pulled_model_is_whole_verified_and_found_by_auto(tmp_path: Path, hub: LocalHub, name: Hub) -> None:
    """What is needed is there and nothing else, no code above all; the manifest says whence and what."""
    brought = bringer(tmp_path).pull(known(), name)
    assert brought.folder == tmp_path / "paraformer-zh"
    manifest = read_manifest(brought.folder)
    assert manifest == brought.manifest
    assert (manifest.hub, manifest.repository, manifest.revision) == (name, "some/model", COMMIT)
    assert set(manifest.files) == NEEDED
    require_sound(brought.folder)
    assert {path.name for path in brought.folder.rglob("*")} == {
        *("config.yaml", "model.pt", "sub", "tokens.json", "manifest.json")
    }
    assert there(tmp_path) == {"paraformer-zh"}
    assert resolve("auto", tmp_path, "cpu").name == "paraformer-zh"
    assert (brought.folder / "model.pt").stat().st_mode & 0o777 == 0o644


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path, hub: LocalHub) -> None:
    """The same revision, sound: nothing is asked of the hub. A damaged one is fetched anew."""
    bringer(tmp_path).pull(known(), "modelscope")
    hub.requests.clear()
    assert bringer(tmp_path).pull(known(), "modelscope").was_there
    assert hub.requests == []
    (tmp_path / "paraformer-zh" / "model.pt").write_bytes(WEIGHTS[:-1] + b"x")
    assert not bringer(tmp_path).pull(known(), "modelscope").was_there
    require_sound(tmp_path / "paraformer-zh")
    assert there(tmp_path) == {"paraformer-zh"}


@pytest.mark.parametrize("name", HUBS)
def test_a_broken_off_file_is_gone_on_with(tmp_path: Path, hub: LocalHub, name: Hub) -> None:
    """A connection that breaks costs what was not yet there, within one command."""
    hub.break_after["model.pt"] = 2_000_000
    progress = Silent()
    Bringer(tmp_path, Clock().now, progress).pull(known(), name)
    first, second = hub.asked_for("model.pt")
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 2_000_000
    assert progress.count_bytes == progress.total_bytes == sum(len(FILES[name]) for name in NEEDED)


def test_a_killed_pull_leaves_no_model_and_is_resumed(tmp_path: Path, hub: LocalHub) -> None:
    """SIGKILL in mid-file: "auto" finds nothing; the next command fetches only what is missing."""
    code = (
        "import sys; from pathlib import Path\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "import test_pull\n"
        f"test_pull.bringer(Path({str(tmp_path)!r})).pull(test_pull.known(), 'modelscope')\n"
    )
    hub.files["model.pt"] = hub.listed["model.pt"] = WEIGHTS
    child: list[subprocess.Popen[bytes]] = []
    hub.break_after["model.pt"] = 2_000_000
    hub.on_request = lambda path: child[0].kill() if len(hub.asked_for("model.pt")) == 2 else None
    child.append(subprocess.Popen([sys.executable, "-c", code]))
    assert child[0].wait(60) == -9
    assert resolve("auto", tmp_path, "cpu").is_builtin
    assert not (tmp_path / "paraformer-zh").exists()
    hub.requests.clear()
    hub.on_request = lambda _path: None
    bringer(tmp_path).pull(known(), "modelscope")
    (asked,) = hub.asked_for("model.pt")
    assert int(asked.removeprefix("bytes=").rstrip("-")) > 0
    assert hub.asked_for("config.yaml") == []
    require_sound(tmp_path / "paraformer-zh")


def test_a_hub_without_ranges_is_begun_anew(tmp_path: Path, hub: LocalHub) -> None:
    """A server that answers a range with the whole file does not end up with both."""
    hub.keeps_ranges = False
    hub.break_after["model.pt"] = 2_000_000
    progress = Silent()
    Bringer(tmp_path, Clock().now, progress).pull(known(), "modelscope")
    require_sound(tmp_path / "paraformer-zh")
    assert progress.count_bytes == progress.total_bytes


def test_a_busy_hub_is_asked_again_and_a_dead_one_is_given_up(tmp_path: Path, hub: LocalHub) -> None:
    """Three times 503 pass; a hub that never answers ends in one sentence, and what was fetched stays."""
    bringer(tmp_path / "one").pull(known(), "modelscope")
    hub.on_request = lambda path: setattr(hub, "busy", 1) if path == "model.pt" else None
    with pytest.raises(FetchError, match="503") as caught:
        bringer(tmp_path / "two").pull(known(), "modelscope")
    assert "\n" not in str(caught.value)
    assert len(hub.asked_for("model.pt")) == 1 + fetching.TRIES
    (staging,) = there(tmp_path / "two")
    assert staging.startswith("incoming/paraformer-zh@")
    hub.on_request = lambda _path: None
    hub.busy = 0
    bringer(tmp_path / "two").pull(known(), "modelscope")
    assert there(tmp_path / "two") == {"paraformer-zh"}


@pytest.mark.parametrize(
    ("name", "listed", "said"),
    [
        ("model.pt", WEIGHTS[:-1] + b"x", "not what this release knows"),
        ("sub/tokens.json", b'["b"]', "other digest"),
        ("sub/tokens.json", b"[]", "longer than its hub lists"),
    ],
)
@pytest.mark.parametrize("hub_name", HUBS)
def test_other_content_than_announced_is_refused(
    tmp_path: Path, hub: LocalHub, hub_name: Hub, name: str, listed: bytes, said: str
) -> None:
    """Weights other than pinned are not even fetched; a file of another digest or size is no part of it."""
    hub.listed[name] = listed
    with pytest.raises(FetchError, match=said):
        bringer(tmp_path).pull(known(), hub_name)
    assert not (tmp_path / "paraformer-zh").exists()
    if name == "model.pt":
        assert hub.asked_for("model.pt") == []


def test_weights_are_held_to_the_pin_where_the_hub_names_no_digest(tmp_path: Path, hub: LocalHub) -> None:
    """A hub that lists no digest does not get around the pinned one; --revision does, on purpose."""
    hub.files["model.pt"] = hub.listed["model.pt"] = WEIGHTS[::-1]
    hub.modelscope_list = lambda: [  # type: ignore[method-assign]
        {"Path": name, "Type": "blob", "Size": len(content)} for name, content in hub.listed.items()
    ]
    with pytest.raises(FetchError, match="not what this release knows"):
        bringer(tmp_path).pull(known(), "modelscope")
    assert there(tmp_path) == set()
    bringer(tmp_path).pull(known(), "modelscope", COMMIT)
    require_sound(tmp_path / "paraformer-zh")


@pytest.mark.parametrize("path", ["../evil.pt", "/etc/evil", "a/../../b"])
@pytest.mark.parametrize("name", HUBS)
def test_a_list_that_leads_out_of_the_folder_is_refused(
    tmp_path: Path, hub: LocalHub, name: Hub, path: str
) -> None:
    """A hub, or who poses as one, does not write elsewhere."""
    hub.listed[path] = b"evil"
    with pytest.raises(FetchError, match="no path below"):
        bringer(tmp_path / "models").pull(known(), name)
    assert there(tmp_path) == {"models"}
    assert there(tmp_path / "models") == set()


@pytest.mark.parametrize("name", HUBS)
def test_hubs_that_do_not_answer_are_one_sentence(
    tmp_path: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, name: Hub
) -> None:
    """Nobody there, no such revision, a log-in page: each is said plainly."""
    with pytest.raises(FetchError, match="has no some/model at revision v9"):
        bringer(tmp_path).pull(known(revision="v9"), name)
    hub.modelscope_list = lambda: [{"Name": "x"}]  # type: ignore[method-assign]
    hub.huggingface_list = lambda: {"error": "x"}  # type: ignore[method-assign]
    with pytest.raises(FetchError, match="does not know"):
        bringer(tmp_path).pull(known(), name)
    monkeypatch.setattr(LocalHub, "answer", lambda _self, _target: ("list", b"<html>please log in</html>"))
    with pytest.raises(FetchError, match="log-in page"):
        bringer(tmp_path).pull(known(), name)
    hub.close()
    with pytest.raises(FetchError, match="cannot be reached: no connection"):
        bringer(tmp_path).pull(known(), name)


def test_another_revision_replaces_and_its_remains_go(tmp_path: Path, hub: LocalHub) -> None:
    """An upgrade takes the old one's place in one step; half of a given-up revision does not stay."""
    bringer(tmp_path).pull(known(), "modelscope")
    (tmp_path / ".incoming" / "paraformer-zh@modelscope-older").mkdir()
    hub.revision = "v2"
    hub.files["sub/tokens.json"] = hub.listed["sub/tokens.json"] = b'["a", "b"]'
    brought = bringer(tmp_path).pull(known(revision="v2"), "modelscope")
    assert brought.manifest.revision == "v2"
    assert (brought.folder / "sub" / "tokens.json").read_bytes() == b'["a", "b"]'
    assert there(tmp_path) == {"paraformer-zh"}


def test_a_folder_placed_by_hand_is_not_replaced_unasked(tmp_path: Path, hub: LocalHub) -> None:
    """It may be somebody's own training."""
    own = lay(tmp_path, "paraformer-zh")
    with pytest.raises(OperatorError, match="adopt paraformer-zh"):
        bringer(tmp_path).pull(known(), "modelscope")
    assert (own / "model.pt").read_bytes() != WEIGHTS
    bringer(tmp_path, force=True).pull(known(), "modelscope")
    assert (own / "model.pt").read_bytes() == WEIGHTS


def test_a_model_that_a_hub_has_not_is_said(tmp_path: Path) -> None:
    """Hugging Face's paraformer-zh is another model: the sentence says so, and where the right one is."""
    model = find_known("paraformer-zh")
    assert model is not None
    with pytest.raises(OperatorError, match=r"without hotwords.*--hub modelscope"):
        bringer(tmp_path).pull(model, "huggingface")


# ------------------------------------------------------------------ disks


def test_a_full_disk_installs_nothing(tmp_path: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is said before anything is fetched."""
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage(1000))
    with pytest.raises(OperatorError, match="make room"):
        bringer(tmp_path).pull(known(), "modelscope")
    assert hub.asked_for("model.pt") == []


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_disk_that_fills_up_meanwhile_keeps_what_was_fetched(tmp_path: Path, hub: LocalHub) -> None:
    """A write that the disk refuses in mid-file: one sentence, no model; with room the rest is fetched."""
    with _file_size_limit(1_500_000), pytest.raises(OperatorError) as caught:
        bringer(tmp_path).pull(known(), "modelscope")
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert not (tmp_path / "paraformer-zh").exists()
    hub.requests.clear()
    bringer(tmp_path).pull(known(), "modelscope")
    (asked,) = hub.asked_for("model.pt")
    assert asked.startswith("bytes=1")
    require_sound(tmp_path / "paraformer-zh")


def test_a_real_disk_that_fills_up_says_so(
    tmp_path: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a small disk that somebody else fills in mid-file: the sentence, no model, and on with it later."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    monkeypatch.setattr(store, "_SPARE_BYTES", 0)
    ballast = tmp_path / "ballast"
    hub.break_after["model.pt"] = 1_500_000

    def fill(path: str) -> None:
        if path == "model.pt" and len(hub.asked_for(path)) == 2:
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))

    hub.on_request = fill
    try:
        with pytest.raises(OperatorError, match=r"the disk of .* is full: make room") as caught:
            bringer(tmp_path / "models").pull(known(), "modelscope")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "models" / "paraformer-zh").exists()
        ballast.unlink()
        bringer(tmp_path / "models").pull(known(), "modelscope")
        assert hub.asked_for("model.pt")[2].startswith("bytes=1")
        require_sound(tmp_path / "models" / "paraformer-zh")
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@contextlib.contextmanager
def _file_size_limit(most_bytes: int) -> Iterator[None]:
    """Let no file grow beyond that; Python ignores the signal, so a write fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_two_commands_at_once_do_not_mix(tmp_path: Path, hub: LocalHub) -> None:
    """The second is refused while the first fetches."""
    refused: list[str] = []

    def pull_too(path: str) -> None:
        if path == "model.pt" and not refused:
            refused.append("")
            with pytest.raises(OperatorError) as caught:
                bringer(tmp_path).pull(known(), "modelscope")
            refused[0] = str(caught.value)

    hub.on_request = pull_too
    bringer(tmp_path).pull(known(), "modelscope")
    assert "another `models` command" in refused[0]


# ------------------------------------------------------------------ the stand-in is true


def test_the_hubs_own_libraries_understand_the_local_server(
    tmp_path: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ours is tested against is what theirs can read: the same files, the same sizes and digests."""
    import requests  # noqa: PLC0415

    hf_api = pytest.importorskip("huggingface_hub").HfApi(endpoint=hub.url)
    theirs = hf_api.model_info("some/model", revision=COMMIT, files_metadata=True)
    source = known().sources["huggingface"]
    ours = look_up(requests.Session(), "huggingface", source, known())
    assert ours.revision == theirs.sha
    by_name = {sibling.rfilename: sibling for sibling in theirs.siblings}
    for file in ours.files:
        assert by_name[file.path].size == file.size_bytes
        assert by_name[file.path].lfs or by_name[file.path]
    monkeypatch.setenv("HOME", str(tmp_path))
    client_of = pytest.importorskip("modelscope_hub").HubApi(endpoint=hub.url)
    listed = client_of.list_repo_files("some/model", "model", revision=COMMIT)
    assert {getattr(entry, "path", entry) for entry in listed} >= NEEDED
