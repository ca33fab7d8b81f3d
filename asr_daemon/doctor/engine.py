"""The recogniser's needs: models (their own module), ffmpeg, device, memory."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.dispatch.precision_memory import PrecisionMemory
from asr_daemon.doctor.finding import COMMAND_TIMEOUT_S, Finding
from asr_daemon.doctor.models import look_at_models
from asr_daemon.errors import AsrDaemonError
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.files.control_group import memory_limit_bytes, usable_cores
from asr_daemon.models.catalogue import resolve
from asr_daemon.models.manifest import model_files
from asr_daemon.models.processor import read_processor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.doctor.finding import Machine
    from asr_daemon.doctor.rights import ServiceUser
    from asr_daemon.models.processor import Processor

MIB = 1 << 20
# What a recogniser takes of the machine's memory, measured on the built-in model (593 MB with batches) and
# on one of paraformer-zh's size: Python with torch and FunASR, the weights as the file has them and once more
# while they are loaded, and a batch of 80 padded seconds at 6 MB each.
PROGRAM_MIB, BATCH_MIB = 450, 480
MOST_SHARE = 0.8  # of the machine's memory: the system and its file cache want some, too
LITTLE_CARD_MIB = 3072
_SMI = (
    "nvidia-smi",
    "--query-gpu=name,memory.total,memory.free,driver_version",
    "--format=csv,noheader,nounits",
)


def look_at_engine(config: Config, user: ServiceUser, machine: Machine) -> Iterator[Finding]:
    """Say what keeps the recogniser from working, or from working well."""
    yield from look_at_models(config, user)
    yield from _ffmpeg(config)
    for device in dict.fromkeys(config.engine.recognisers):
        yield from _device("engine.devices" if config.engine.devices else "engine.device", device, machine)
    yield from _precision(config, machine)
    yield from _memory(config, machine)


def _ffmpeg(config: Config) -> Iterator[Finding]:
    try:
        ffmpeg = find_ffmpeg(config.engine.ffmpeg)
        said = subprocess.run(
            [ffmpeg, "-version"], capture_output=True, text=True, check=True, timeout=COMMAND_TIMEOUT_S
        )
    except (AsrDaemonError, OSError, subprocess.SubprocessError) as error:
        yield Finding(
            "error", "engine.ffmpeg", f"ffmpeg does not run: {error}", "install ffmpeg or imageio-ffmpeg"
        )
    else:
        yield Finding("ok", "engine.ffmpeg", f"{said.stdout.partition(chr(10))[0]} ({ffmpeg})")


def _device(key: str, device: str, machine: Machine) -> Iterator[Finding]:
    has_card = machine.place("/dev/nvidiactl").exists()
    if device.startswith("cuda") and not has_card:
        yield Finding(
            "error", key, f"{device} is asked for, but there is no NVIDIA device", 'use "auto" or "cpu"'
        )
        return
    if device in ("cpu", "mps") or not has_card:
        what = f"processor, {usable_cores(machine.root)} threads" if device != "mps" else "MPS"
        yield Finding("ok", key, f"{device}: {what}")
        return
    cards = [line.split(", ") for line in (machine.run(*_SMI) or "").splitlines() if line.count(", ") >= 3]  # noqa: PLR2004
    if not cards:
        yield Finding(
            "warning", key, "there is an NVIDIA device, but nvidia-smi does not answer", "look at the driver"
        )
        return
    wanted = int(device.partition(":")[2] or 0)
    if wanted >= len(cards):
        yield Finding("error", key, f"{device}: there are only {len(cards)} cards", 'use "cuda:0"')
        return
    name, total, free, driver = (field.strip() for field in cards[wanted][:4])
    text = f"{name}, {total} MiB of memory, {free} MiB free, driver {driver}"
    if free.isdigit() and int(free) < LITTLE_CARD_MIB:
        yield Finding("warning", key, text, "end what else uses the card, or set engine.batch_s")
    else:
        yield Finding("ok", key, text)


def _precision(config: Config, machine: Machine) -> Iterator[Finding]:
    """Say what a processor computes in; on a card, engine.half_precision counts."""
    key, device, wanted = "engine.precision", config.engine.recognisers[0], config.engine.precision
    if device not in ("auto", "cpu") or (device == "auto" and machine.place("/dev/nvidiactl").exists()):
        return
    processor = read_processor(machine.place("/proc/cpuinfo"))
    if wanted in ("float32", *processor.native):
        yield Finding("ok", key, f"{wanted} on {processor}")
    elif wanted != "auto":
        text = f"{wanted} is asked for, but {processor.name} has no instructions for it: slower than float32"
        yield Finding("warning", key, text, 'use "auto"')
    else:
        yield Finding("ok", key, f"{processor}: {_taken(config, processor)}")


def _taken(config: Config, processor: Processor) -> str:
    """Return what "auto" comes to there."""
    try:
        model = resolve(config.engine.model, config.models_dir, config.engine.recognisers[0])
        taken = PrecisionMemory(config.state_dir, processor).recall(model.identity)
    except AsrDaemonError:  # the model's own findings say it
        taken = None
    if taken is not None:
        return f"{taken}, by a self-check"
    return "tried when the model is loaded next" if processor.native else "float32"


def _memory(config: Config, machine: Machine) -> Iterator[Finding]:
    """Say what the recognisers will need of the machine's memory, all of them together."""
    try:
        lines = machine.place("/proc/meminfo").read_text(encoding="ascii").splitlines()
        model = resolve(config.engine.model, config.models_dir, config.engine.recognisers[0])
    except (OSError, AsrDaemonError):  # the model's own finding says what is wrong with it
        return
    total_mib = next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemTotal:")), None)
    if total_mib is None:
        return
    whose, limit = "the machine's", memory_limit_bytes(machine.root)
    if limit is not None and limit // MIB < total_mib:
        whose, total_mib = "the control group's", limit // MIB
    count = len(config.engine.recognisers)
    needed_mib = count * needed_mib_of(Path(model.folder))
    who = "the recogniser" if count == 1 else f"{count} recognisers ({', '.join(config.engine.recognisers)})"
    text = f"{who} will need about {needed_mib} MiB of {whose} {total_mib} MiB of memory"
    if needed_mib > MOST_SHARE * total_mib:
        fix = "more memory, or a smaller model" if count == 1 else "fewer engine.devices, or more memory"
        yield Finding("warning", "environment", text, fix)
    else:
        yield Finding("ok", "environment", text)


def needed_mib_of(model_folder: Path) -> int:
    """Return what one recogniser takes of the machine's memory at most, about, with that model."""
    weights = sum(path.stat().st_size for path in model_files(model_folder).values())
    return PROGRAM_MIB + BATCH_MIB + 2 * weights // MIB
