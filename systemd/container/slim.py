"""What a container's image does without: removed from a finished environment, by the step that builds it.

    python slim.py /opt/asr-daemon [--without-nano]

FunASR asks pip for far more than this program's way through it uses. The packages stay dependencies, because
an environment that people make themselves may be used for more; an image has one purpose, and the step after
this one proves it (`asr-daemon demo`). What is removed is said with its size. Enters: an environment, made
with ``pip install --no-compile``. Fails where the environment is none.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

# Distributions that nothing imports on our way, and who asks for them.
UNUSED = {
    "llvmlite": "numba",
    "numba": "librosa and umap-learn, for what is computed in neither",
    "umap-learn": "FunASR's own clustering of voices; ours is in grouping/",
    "pynndescent": "umap-learn",
    "scikit-learn": "FunASR's own clustering of voices",
    "modelscope": "FunASR's own download of models; ours is `asr-daemon models pull`",
    "modelscope-hub": "modelscope",
    "oss2": "FunASR, for training data in a cloud",
    "aliyun-python-sdk-core": "oss2",
    "aliyun-python-sdk-kms": "oss2",
    "crcmod": "oss2",
    "pycryptodome": "oss2",
    "cryptography": "aliyun-python-sdk-core",
    "tensorboardX": "FunASR, for training",
    "protobuf": "tensorboardX",
    "pip": "nobody: the image is not changed, but built anew",
}
OF_NANO = {  # Fun-ASR-Nano's language model
    "transformers": "Fun-ASR-Nano",
    "tokenizers": "transformers",
    "safetensors": "transformers",
    "huggingface-hub": "transformers",
    "hf-xet": "huggingface-hub",
}
# Files of packages that are used: patterns below site-packages.
UNUSED_FILES = {
    "torch/include": "to compile against torch",
    "torch/share": "to compile against torch",
    "torch/bin/protoc*": "to compile with",
    "torch/bin/*test*": "tests",
    "torch/bin/*Test*": "tests",
    "torch/test": "tests",
    "torch/lib/*test*.so": "tests",
    "jieba/analyse": "word frequencies; we read its dictionary alone",
    "jieba/lac_small": "another segmenter",
    "jieba/posseg": "parts of speech",
    "*/**/tests": "tests",
    "**/*.a": "to link against",
}


def main() -> None:
    """Remove, and say what."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment", type=Path)
    parser.add_argument("--without-nano", action="store_true", help="Fun-ASR-Nano will not be used")
    given = parser.parse_args()
    (site,) = given.environment.glob("lib/python3*/site-packages")
    before = size_mb(given.environment)
    unused = UNUSED | (OF_NANO if given.without_nano else {})
    for name, why in unused.items():
        say(name, remove_distribution(site, name), why)
    for pattern, why in UNUSED_FILES.items():
        say(pattern, sum(remove(path) for path in sorted(site.glob(pattern))), why)
    say("symbols of torch", strip(sorted(site.glob("torch/lib/libtorch*.so"))), "for debuggers")
    sys.stdout.write(f"{before:.0f} MB -> {size_mb(given.environment):.0f} MB\n")


def remove_distribution(site: Path, name: str) -> float:
    """Remove what pip installed under that name; return its size in MB."""
    found = next(iter(metadata.distributions(name=name, path=[str(site)])), None)
    if found is None:
        return 0.0
    paths = {site / file.parts[0] for file in found.files or () if ".." not in file.parts}
    shared = {site / "__pycache__", site}
    return sum(remove(path) for path in sorted(paths - shared))


def remove(path: Path) -> float:
    """Remove a file or a folder; return its size in MB."""
    if not path.exists() and not path.is_symlink():
        return 0.0
    freed = size_mb(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return freed


def strip(libraries: list[Path]) -> float:
    """Take the symbols out that only a debugger wants; nothing where there is no `strip` (binutils).

    Not of others: there is little in them, and those that auditwheel has changed (numpy's OpenBLAS) break.
    """
    program, freed = shutil.which("strip"), 0.0
    for library in libraries if program else ():
        before = size_mb(library)
        subprocess.run([str(program), "--strip-unneeded", library], check=True)
        freed += before - size_mb(library)
    return freed


def size_mb(path: Path) -> float:
    """Return what lies there, in MB (10^6 bytes)."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size / 1e6
    sizes = (
        os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 (tens of thousands)
        for folder, _, names in os.walk(path)
        for name in names
    )
    return sum(sizes) / 1e6


def say(what: str, freed_mb: float, why: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{freed_mb:8.1f} MB  {what}: {why}\n")


if __name__ == "__main__":
    main()
