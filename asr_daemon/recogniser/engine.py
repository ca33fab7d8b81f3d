"""The loaded models and what they run on.

Enters: the setup. Leaves: a decoder, a detector for each recording and a postprocessor for each profile.
Fails with :class:`~asr_daemon.errors.ModelMissingError` or ``DeviceMissingError``.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from asr_daemon.errors import DeviceMissingError
from asr_daemon.files.control_group import available_bytes, usable_cores
from asr_daemon.models.abilities import ABILITIES
from asr_daemon.models.processor import read_processor
from asr_daemon.recogniser import memory, self_check
from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families import funasr_model
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.fun_asr_nano import FunAsrNano
from asr_daemon.recogniser.families.paraformer import Paraformer
from asr_daemon.recogniser.families.precision import (
    ON_PROCESSOR,
    choose_precision,
    computes_bfloat16,
)
from asr_daemon.recogniser.families.seaco import SeacoParaformer
from asr_daemon.recogniser.families.sense_voice import SenseVoice
from asr_daemon.recogniser.families.spread import Spread
from asr_daemon.recogniser.limit import BatchLimit, choose_bound_s
from asr_daemon.recogniser.postprocess import Postprocessor
from asr_daemon.recogniser.punctuation import CtPunctuator
from asr_daemon.recogniser.segmenter.fsmn import FsmnDetector, FsmnNetwork
from asr_daemon.recogniser.segmenter.silero import SileroDetector, SileroNetwork

if TYPE_CHECKING:
    from asr_daemon.dispatch.protocol import Setup
    from asr_daemon.models.abilities import Computed
    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.families.family import Exchangeable, Family
    from asr_daemon.recogniser.families.precision import Precision
    from asr_daemon.recogniser.segmenter.detector import Detector
    from asr_daemon.transcripts.profile import Profile

KEPT_PROFILES = 8  # an inbox has one
CORES_A_FEEDER = 8
MOST_FEEDERS = 16  # beyond, they wait for one another more than for ffmpeg
FEEDER_BYTES, FEEDERS_SHARE = 256 << 20, 0.125  # of the memory: ffmpeg, 30 s of every channel, the networks


class Engine:
    """All models, loaded."""

    def __init__(self, setup: Setup, note: Note) -> None:
        self.device = choose_device(setup.device)
        self.threads = setup.threads or choose_threads(setup.sharers)
        self.feeders = choose_feeders(self.device, setup.sharers, available_bytes())
        self._abilities = ABILITIES[setup.model_family]
        self.most_in_batch = self._abilities.most_in_batch[self.device != "cpu"]
        self.model_name = setup.model_name
        self._note = note
        self.was_checked = False
        if self.device == "cpu":
            self._family, self.precision = self._load_on_processor(setup)
        else:
            precision = _on_card(setup, self.device, note)
            self._family = _load_family(setup, self.device, self.threads, precision, note)
            self.precision = precision.name
        self._fsmn: FsmnNetwork | None = None
        self._silero: SileroNetwork | None = None
        if setup.vad_folder:
            vad = funasr_model.load(setup.vad_folder, "cpu", self.threads)
            self._fsmn = FsmnNetwork(vad.model, vad.kwargs["frontend"])
        else:
            vad = funasr_model.load("silero-vad", "cpu", self.threads)
            self._silero = SileroNetwork(vad.model.model)
        self._punctuator = (
            CtPunctuator(Path(setup.punctuation_folder), self.threads) if setup.punctuation_folder else None
        )
        # Word lists are turned into tables there: for a short recording, that would be most of its cost.
        self._postprocessors = functools.lru_cache(KEPT_PROFILES)(self._make_postprocessor)
        torch.set_num_threads(self.threads)
        memory.give_back()
        free_bytes = memory.free_bytes(self.device)
        self.full_bound_s = setup.batch_s or choose_bound_s(
            self.device, setup.model_family, free_bytes, setup.sharers
        )
        self.limit = BatchLimit(self.full_bound_s, begins_small=setup.begins_small)
        self.decoder = Decoder(self._family, self.limit, note)

    def _load_on_processor(self, setup: Setup) -> tuple[Family, str]:
        """Return the family and the name of the precision that it computes in."""
        offered = self._abilities.on_processor
        native = [name for name in read_processor().native if name in offered]
        wanted = setup.remembered if setup.precision == "auto" else setup.precision
        known: Computed = next((name for name in offered if name == wanted), "float32")
        if wanted and wanted != known:
            fields: dict[str, object] = {"precision": wanted, "model": setup.model_name}
            self._note("warning", "precision_not_offered", fields)
        family = _load_family(setup, "cpu", self.threads, ON_PROCESSOR[known], self._note)
        if len(offered) == 1:  # not made for exchanging, nor for several threads
            return family, known
        reader = Spread(family, self.threads)
        if setup.precision != "auto" or setup.remembered or not native:
            return reader, known
        self.was_checked = True
        return reader, self_check.check(cast("Exchangeable", family), reader, native, self._note)

    def begin_detector(self, profile: Profile) -> Detector:
        """Return a new recording's detector."""
        if self._fsmn is not None:
            return FsmnDetector(self._fsmn, profile.max_end_silence_ms)
        assert self._silero is not None  # noqa: S101 (one of the two is loaded)
        return SileroDetector(self._silero, profile.max_end_silence_ms)

    def postprocessor(self, profile: Profile) -> Postprocessor:
        """Return the steps after recognition for a recording of that profile."""
        return self._postprocessors(profile).for_another()

    def own_postprocessor(self, profile: Profile) -> Postprocessor:
        """Return one that shares nothing with another thread's."""
        return self._make_postprocessor(profile)

    def _make_postprocessor(self, profile: Profile) -> Postprocessor:
        is_punctuated = self._abilities.is_punctuated(itn=profile.itn)
        return Postprocessor(
            profile,
            model_writes_numbers=self._abilities.writes_numbers,
            punctuator=None if is_punctuated else self._punctuator,
            note=self._note,
        )

    def request(self, profile: Profile) -> Request:
        """Return what of that profile concerns the model; profiles that differ elsewhere share batches."""
        can = self._abilities
        return Request(
            language=profile.language if can.chooses_language else Request().language,
            hotwords=profile.hotwords[: can.most_hotwords] if can.takes_hotwords else (),
            itn=profile.itn if can.writes_numbers else Request().itn,
        )

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return the hotwords that the model cannot write."""
        return self._family.unknown_hotwords(request)


def choose_device(asked: str) -> str:
    """Return "cuda:0", "mps" or "cpu" for what the configuration asks; never another than asked.

    Raises :class:`DeviceMissingError`.
    """
    if asked == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if asked == "mps" and not torch.backends.mps.is_available():
        raise DeviceMissingError("engine.device asks for mps, which this machine does not have.")
    if asked.startswith("cuda"):
        number = int(asked.partition(":")[2] or 0)
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if number >= count:
            raise DeviceMissingError(
                f"engine.device asks for {asked}; this process sees {count} CUDA devices."
            )
        return f"cuda:{number}"
    return asked


def choose_threads(sharers: int = 1) -> int:
    """Return the threads for torch: this recogniser's part of what the process may use at once.

    Decoding and segmenting take a twentieth of a core or less: one kept for them would idle.
    """
    return max(1, usable_cores() // sharers)


def choose_feeders(device: str, sharers: int, available_bytes: int | None) -> int:
    """Return how many threads decode and segment ahead of that device.

    On a processor that is a twentieth of the work: one for every so many cores. A card is faster than any
    core can feed it, so that all cores do it but one, which the card's own thread and the teller need.
    """
    cores = usable_cores() // sharers
    wanted = cores // CORES_A_FEEDER if device == "cpu" else cores - 1
    fit = MOST_FEEDERS if available_bytes is None else int(available_bytes * FEEDERS_SHARE // FEEDER_BYTES)
    return max(1, min(wanted, fit, MOST_FEEDERS))


def _on_card(setup: Setup, device: str, note: Note) -> Precision:
    precision = choose_precision(
        device,
        ABILITIES[setup.model_family].halves,
        wanted=setup.half_precision,
        has_bfloat16=computes_bfloat16(device),
    )
    if precision.half is not None:
        note("info", "half_precision_chosen", {"device": device, "precision": str(precision.half)})
    return precision


def _load_family(setup: Setup, device: str, threads: int, precision: Precision, note: Note) -> Family:
    folder = Path(setup.model_folder)
    match setup.model_family:
        case "seaco_paraformer":
            return SeacoParaformer(folder, device, threads, precision)
        case "paraformer":
            return Paraformer(folder, device, threads, precision)
        case "sense_voice":
            return SenseVoice(folder, device, threads, precision)
        case "fun_asr_nano":
            return FunAsrNano(folder, device, threads, precision, note)
