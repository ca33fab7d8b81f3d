"""What a batch takes of memory beyond the weights, per padded second: where limit.py has its figures from.

    export MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=1000000 MALLOC_TRIM_THRESHOLD_=1000000
    python tests/benchmarks/bench_batch_memory.py [--model FOLDER] [--device cpu|cuda] [--hotwords N]

Without a folder: the built-in model's classes at Paraformer-large's size, with random weights. On a card it
is the allocator's own peak; on the CPU the process's, with the allocator told to give back what is freed.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from asr_daemon.models.catalogue import BUILTIN_FOLDER
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.seaco import SeacoParaformer
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

BATCHES = ((1, 10), (1, 30), (8, 10), (2, 30), (4, 20), (1, 60), (20, 4))  # segments, seconds of each
LARGE = {
    "inner_dim: 192": "inner_dim: 512",
    "output_size: 192": "output_size: 512",
    "idim: 192": "idim: 512",
    "linear_units: 768": "linear_units: 2048",
    "linear_units: 384": "linear_units: 1024",
    "num_blocks: 8": "num_blocks: 50",
    "num_blocks: 3": "num_blocks: 16",
    "att_layer_num: 3": "att_layer_num: 16",
    "NO_BIAS: 1803": "NO_BIAS: 8377",
}
LARGE_VOCABULARY = 8404


def as_large(folder: Path) -> Path:
    """Write the built-in model's configuration at that size; without a file of weights FunASR makes some."""
    shutil.copytree(BUILTIN_FOLDER, folder)
    (folder / "model.pt").unlink()
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    for small, large in LARGE.items():
        config = config.replace(small, large)
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    tokens = json.loads((folder / "tokens.json").read_text(encoding="utf-8"))
    more = [f"x{number}" for number in range(LARGE_VOCABULARY - len(tokens))]
    (folder / "tokens.json").write_text(json.dumps([*tokens[:-1], *more, tokens[-1]]), encoding="utf-8")
    return folder


def process_bytes(field: str) -> int:
    """Return "VmRSS" or "VmHWM" of this process."""
    told = re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    assert told
    return int(told[1]) * 1024


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--hotwords", type=int, default=0)
    given = parser.parse_args()
    folder = given.model or as_large(Path(tempfile.mkdtemp()) / "large")
    family = SeacoParaformer(folder, given.device, 1)
    words = ("".join(pair) for pair in itertools.permutations("会议预算年度清源报告", 2))
    request = Request("zh", tuple(itertools.islice(words, given.hotwords)))
    chance = np.random.default_rng(0)
    on_card = given.device.startswith("cuda")
    family.transcribe([family.prepare(np.zeros(SAMPLE_RATE_HZ, np.float32))], request)  # what is made once
    for count, seconds in BATCHES:
        sounds = chance.normal(0, 0.1, (count, seconds * SAMPLE_RATE_HZ)).astype(np.float32)
        batch = [family.prepare(sound) for sound in sounds]
        gc.collect()
        if on_card:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        else:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
            before = process_bytes("VmRSS")
        family.transcribe(batch, request)
        peak = torch.cuda.max_memory_allocated() if on_card else process_bytes("VmHWM")
        per_s = (peak - before) / (count * seconds)
        print(f"{count:3} x {seconds:3} s: {per_s / 1e6:6.2f} MB a padded second", flush=True)


if __name__ == "__main__":
    main()
