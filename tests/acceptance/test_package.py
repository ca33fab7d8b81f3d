"""What people install: the sdist and the wheel hold what they must and nothing else, and the wheel works.

Both are built from a copy of the checkout into which strays were laid. Building and installing fetch packages
as pip does; without a package index these tests skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from asr_daemon import __version__
from asr_daemon.models.catalogue import BUILTIN_NAME

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
NAME = f"asr_daemon-{__version__}"
# Of use in a checkout alone.
NOT_SHIPPED = (".ci/", ".pictures/", ".gitignore", "tests/", "constraints.txt", "CHANGELOG.md")
MADE = {"PKG-INFO", "setup.cfg"}  # by setuptools, beside its egg-info
STRAYS = (
    "notes.md",
    "data/corpus.bin",
    "shared/audio/secret.wav",
    ".venv/lib/thing.py",
    ".pytest_cache/README.md",
    "asr_daemon/__pycache__/cli.cpython-311.pyc",
    "asr_daemon/itn/.protected_words.txt.swp",
    "asr_daemon/demo/state/history.db",
    "asr_daemon/models/paraformer-zh/model.pt",
    "tests/unit/__pycache__/test_queue.cpython-311.pyc",
)


@dataclass(frozen=True)
class Built:
    """The two archives, and what they were made from."""

    sources: frozenset[str]  # paths in the checkout, of what is part of the project
    sdist: Path
    wheel: Path


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a program as a person would who has no checkout in the path; return what it prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ended = subprocess.run(
        command, cwd=cwd, env={**clean, **environment}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return ended.stdout


def without_network() -> tuple[str, ...]:
    """Return what to put before a command so that it has no network, where the kernel lets us."""
    prefix = ("unshare", "--map-root-user", "--net")
    possible = shutil.which(prefix[0]) and subprocess.run([*prefix, "true"], check=False).returncode == 0
    return prefix if possible else ()


def project_files() -> frozenset[str]:
    """Return the paths of the project's own files: what git tracks, or would."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git checkout: which files are the project's own is not known")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    return frozenset(path for path in listed.split("\0") if path and (ROOT / path).is_file())


@pytest.fixture(scope="module")
def package_index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where pip reaches no package index."""
    folder = tmp_path_factory.mktemp("index")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "1", "-d", folder]
    if subprocess.run([*command, "setuptools>=77"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no package index can be reached, which building and installing need")


@pytest.fixture(scope="module")
def built(package_index: None, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return both archives, the wheel made from the unpacked sdist."""
    folder = tmp_path_factory.mktemp("package")
    sources = project_files()
    for path in sources:
        (folder / "checkout" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / "checkout" / path)
    for stray in STRAYS:
        (folder / "checkout" / stray).parent.mkdir(parents=True, exist_ok=True)
        (folder / "checkout" / stray).write_bytes(b"stray")
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "checkout")
    made = {path.name: path for path in (folder / "dist").iterdir()}
    assert set(made) == {f"{NAME}.tar.gz", f"{NAME}-py3-none-any.whl"}
    return Built(sources, made[f"{NAME}.tar.gz"], made[f"{NAME}-py3-none-any.whl"])


def test_the_sdist_holds_what_the_wheel_is_made_of(built: Built) -> None:
    """The package, units, configuration and what describes them; neither strays nor what a checkout needs."""
    with tarfile.open(built.sdist) as archive:
        files = {Path(member.name).relative_to(NAME).as_posix() for member in archive if member.isfile()}
    held = {path for path in files if not path.startswith("asr_daemon.egg-info/")} - MADE
    assert held == {path for path in built.sources if not path.startswith(NOT_SHIPPED)}


def test_the_wheel_holds_the_package_and_what_is_installed_beside_it(built: Built) -> None:
    """The package's files without exception (model, samples, SQL, word lists), units, configuration."""
    with zipfile.ZipFile(built.wheel) as archive:
        files = {info.filename for info in archive.infolist() if not info.is_dir()}
        metadata = archive.read(f"{NAME}.dist-info/METADATA").decode()
    data = f"{NAME}.data/data/share/asr-daemon/"
    beside = {path.removeprefix(data) for path in files if path.startswith(data)}
    package = {path for path in files if path.startswith("asr_daemon/")}
    assert package == {path for path in built.sources if path.startswith("asr_daemon/")}
    model = f"asr_daemon/models/{BUILTIN_NAME}/"
    assert {model + name for name in ("model.pt", "config.yaml", "tokens.json", "am.mvn")} <= package
    assert beside == {path for path in built.sources if path == "config.toml" or path.startswith("systemd/")}
    assert {"config.toml", "systemd/asr-daemon.service"} <= beside
    rest = {path for path in files - package if not path.startswith(data)}
    assert all(path.startswith(f"{NAME}.dist-info/") for path in rest)
    assert "Requires-Python: >=3.10" in metadata
    assert "License-Expression: MIT" in metadata


def test_the_wheel_alone_runs_the_demonstration(built: Built, tmp_path: Path) -> None:
    """In a bare environment, far from the checkout, without network: versions, the whole way, the units."""
    run(sys.executable, "-m", "venv", tmp_path / "bare")
    program = tmp_path / "bare" / "bin"
    run(program / "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt", built.wheel)
    told = run(program / "asr-daemon", "--version", cwd=tmp_path)
    assert told.startswith(f"asr-daemon {__version__}\n")
    assert f"\nmodel {BUILTIN_NAME}@" in told
    assert "not installed" not in told
    demo = (program / "asr-daemon", "demo", "--keep", "example")
    shown = run(*without_network(), *demo, cwd=tmp_path, COLUMNS="120")
    assert "Everything is as it should be." in shown
    assert (tmp_path / "example").is_dir()
    found = run(
        program / "python",
        "-c",
        "from asr_daemon.install.shipped import shipped_file as f;"
        "print(f('config.toml')); print(f('systemd/asr-daemon.service.d/gpu.conf'))",
        cwd=tmp_path,
    )
    assert all(line.startswith(os.fspath(tmp_path / "bare")) for line in found.splitlines())
