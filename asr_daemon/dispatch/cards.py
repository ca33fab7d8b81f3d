"""Whether others use the card: while they do, the queue waits (``engine.yield_to_others``).

Enters: what NVIDIA's management library says of the processes on each card, every few seconds. Leaves: for a
recogniser's device a sentence that names who has it, or "". Without the library (``pynvml``), without a card,
and where processes cannot be told apart (a container that sees other process numbers than the driver),
nothing waits, and the log says so once.

The queue waits after :data:`BEGIN_LOOKS` looks above the threshold, and goes on after :data:`END_LOOKS` below
half of it, so that a short burst, or a pause in training, changes nothing. Cards are numbered as the library
does it, by their place on the bus: on a machine with several kinds, CUDA does so only with
``CUDA_DEVICE_ORDER=PCI_BUS_ID``.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr_daemon.config import Config

log = structlog.get_logger()

LOOK_S = 5.0
BEGIN_LOOKS, END_LOOKS = 2, 6


class NotTellingError(Exception):
    """The processes on a card cannot be told apart."""


@dataclass(slots=True)
class _Card:
    """What was seen of a card of late."""

    looks_above: int = 0
    looks_below: int = 0
    seen_until: int = 0  # the library's time of the newest sample
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class _Use:
    """What other processes do on a card: together, and who does most."""

    percent: float = 0.0
    pid: int = 0
    name: str = ""


def _load() -> Any:
    import pynvml  # noqa: PLC0415 (optional)

    pynvml.nvmlInit()
    return pynvml


@dataclass(slots=True)
class Cards:
    """The cards of the recognisers; :meth:`look` belongs to one thread, :meth:`taken_by` to any."""

    threshold: float = 0.0  # percent; 0: nobody looks
    load: Callable[[], Any] = _load
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _nvml: Any = None
    _is_missing: bool = False
    _cards: dict[str, _Card] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reload(self, config: Config) -> None:
        """Take up another threshold; whoever has a card is found out anew."""
        with self._lock:
            self.threshold = config.engine.yield_to_others
            self._cards = {}

    def taken_by(self, device: str) -> str:
        """Return who has the card of a recogniser on that device, in a sentence; "" where it may work."""
        card = self._cards.get(device)
        return card.taken_by if card is not None and self.threshold else ""

    def look(self, own: Mapping[str, set[int]]) -> bool:
        """Look at the cards of these devices; return whether somebody came or went.

        ``own`` holds, for each device, the processes of our recognisers that are loaded there.
        """
        if not self.threshold or self._is_missing:
            return False
        with self._lock:
            changed = [self._look_at(device, pids) for device, pids in own.items() if _is_card(device)]
            return any(changed)

    def _look_at(self, device: str, own: set[int]) -> bool:
        card = self._cards.setdefault(device, _Card())
        before = card.taken_by
        try:
            use = self._use_by_others(device, card, own)
        except Exception as error:  # noqa: BLE001 (the library's own errors, or that there is none)
            self._say_once(device, error)
            use = _Use()
        is_above, is_below = use.percent > self.threshold, use.percent <= self.threshold / 2
        card.looks_above = card.looks_above + 1 if is_above else 0
        card.looks_below = card.looks_below + 1 if is_below else 0
        if card.looks_above >= BEGIN_LOOKS:
            card.taken_by = _sentence(use)
        elif card.looks_below >= END_LOOKS:
            card.taken_by = ""
        if bool(card.taken_by) != bool(before):
            event = "card_taken_by_others" if card.taken_by else "card_free_again"
            log.info(event, device=device, pid=use.pid, process=use.name, percent=round(use.percent))
        return bool(card.taken_by) != bool(before)

    def _say_once(self, device: str, error: Exception) -> None:
        if self._nvml is None:
            self._is_missing = True
        said = f"{type(error).__name__}: {error}"
        if said not in self._said:
            self._said.add(said)
            log.warning("card_not_watched", device=device, problem=said, key="engine.yield_to_others")

    # ------------------------------------------------------------------ what the library says

    def _use_by_others(self, device: str, card: _Card, own: set[int]) -> _Use:
        """Return what others do on the card, on the average since the last look."""
        if self._nvml is None:
            self._nvml = self.load()
        nvml = self._nvml
        handle = self._handle(device)
        there = {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
        if own and not own & there:
            raise NotTellingError("our own process is not among the card's: are they in another container?")
        try:
            samples = nvml.nvmlDeviceGetProcessUtilization(handle, card.seen_until)
        except nvml.NVMLError as error:
            if error.value in (nvml.NVML_ERROR_NOT_FOUND, nvml.NVML_SUCCESS):  # nobody did anything
                return _Use()
            raise
        used: dict[int, list[int]] = defaultdict(list)
        for sample in samples:
            if sample.timeStamp > card.seen_until and sample.pid not in own:
                used[sample.pid].append(sample.smUtil)
        card.seen_until = max((sample.timeStamp for sample in samples), default=card.seen_until)
        percent = {pid: sum(each) / len(each) for pid, each in used.items()}
        if not percent:
            return _Use()
        most = max(percent, key=lambda pid: percent[pid])
        return _Use(sum(percent.values()), most, _name_of(nvml, most))

    def _handle(self, device: str) -> Any:
        _, _, number = device.partition(":")
        visible = [each.strip() for each in self.environment.get("CUDA_VISIBLE_DEVICES", "").split(",")]
        wanted = visible[int(number or 0)] if visible[0] else number or "0"
        if wanted.isdigit():
            return self._nvml.nvmlDeviceGetHandleByIndex(int(wanted))
        return self._nvml.nvmlDeviceGetHandleByUUID(wanted)


def _is_card(device: str) -> bool:
    return device == "auto" or device.startswith("cuda")


def _name_of(nvml: Any, pid: int) -> str:
    """Return what a process is called; "" where nobody says."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        pass
    try:
        name = nvml.nvmlSystemGetProcessName(pid)
    except nvml.NVMLError:
        return ""
    return Path(name.decode(errors="replace") if isinstance(name, bytes) else name).name


def _sentence(use: _Use) -> Sentence:
    who = f"{use.name} (process {use.pid})" if use.name else f"process {use.pid}"
    named = f"{use.name}（进程 {use.pid}）" if use.name else f"进程 {use.pid}"
    return Sentence(
        f"the queue waits for the card: {who} uses it",
        f"显卡正被其他程序占用（{named}），空闲后自动继续转写。",
    )
