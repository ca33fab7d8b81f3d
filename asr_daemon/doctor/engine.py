"""The recogniser's needs: model, ffmpeg, device, memory."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.audio import find_ffmpeg
from asr_daemon.doctor.finding import COMMAND_TIMEOUT_S, Finding
from asr_daemon.doctor.rights import ServiceUser, Wanted, probe
from asr_daemon.errors import AsrDaemonError
from asr_daemon.models.catalogue import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.doctor.finding import Machine
    from asr_daemon.models.catalogue import ModelChoice

MIB = 1 << 20
LITTLE_MEMORY_MIB = 4096  # Paraformer on a processor needs about 3 GiB
LITTLE_CARD_MIB = 3072
_SMI = (
    "nvidia-smi",
    "--query-gpu=name,memory.total,memory.free,driver_version",
    "--format=csv,noheader,nounits",
)


def look_at_engine(config: Config, user: ServiceUser, machine: Machine) -> Iterator[Finding]:
    """Say what keeps the recogniser from working, or from working well."""
    yield from _model(config, user)
    yield from _ffmpeg(config)
    yield from _device(config, machine)
    yield from _memory(machine)


def _model(config: Config, user: ServiceUser) -> Iterator[Finding]:
    key = "engine.model"
    try:
        model = resolve(config.engine.model, config.models_dir, config.engine.device)
    except AsrDaemonError as error:
        yield Finding("error", key, str(error), "put the model's folder there; see models.dir")
        return
    if model.is_builtin:
        yield Finding(
            "warning",
            key,
            f"{model.label}: small, trained on synthetic voices, only for trying out",
            f"put paraformer-zh, fsmn-vad and ct-punc into {config.models_dir}",
        )
        return
    yield Finding("ok", key, f"{model.label} ({model.family}) in {model.folder}")
    yield from _companions(model)
    folders = [Path(each) for each in (model.folder, model.vad_folder, model.punctuation_folder) if each]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    for path, why in zip(files, probe([Wanted(path, "read") for path in files], user), strict=True):
        if why:
            yield Finding(
                "error", key, f"{user.called} cannot read {path}: {why}", f"chmod -R o+rX {path.parent}"
            )
        elif path.stat().st_size == 0:
            yield Finding("error", key, f"{path} is empty: it was not fetched whole", "fetch the model anew")


def _companions(model: ModelChoice) -> Iterator[Finding]:
    if not model.vad_folder:
        yield Finding(
            "warning",
            "engine.model",
            f"no fsmn-vad beside {model.name}: silero-vad finds the speech",
            "put the folder fsmn-vad beside it",
        )
    if not model.punctuation_folder and not model.normalises:
        yield Finding(
            "warning",
            "engine.model",
            f"no ct-punc beside {model.name}: transcripts have little punctuation",
            "put the folder ct-punc beside it",
        )


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
        yield Finding("ok", "engine.ffmpeg", f"{said.stdout.splitlines()[0]} ({ffmpeg})")


def _device(config: Config, machine: Machine) -> Iterator[Finding]:
    key, device = "engine.device", config.engine.device
    has_card = machine.place("/dev/nvidiactl").exists()
    if device.startswith("cuda") and not has_card:
        yield Finding(
            "error", key, f"{device} is asked for, but there is no NVIDIA device", 'use "auto" or "cpu"'
        )
        return
    if device in ("cpu", "mps") or not has_card:
        yield Finding("ok", key, f"{device}: {'processor' if device != 'mps' else 'MPS'}")
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


def _memory(machine: Machine) -> Iterator[Finding]:
    try:
        lines = machine.place("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    total_mib = next((int(line.split()[1]) // 1024 for line in lines if line.startswith("MemTotal:")), None)
    if total_mib is not None and total_mib < LITTLE_MEMORY_MIB:
        yield Finding(
            "warning",
            "environment",
            f"{total_mib} MiB of memory: a model for work needs about 3 GiB on a processor",
            "more memory, or a smaller model",
        )
