"""What is in work when its hours end, or when others take the card, goes on later where it was left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from room import Room, well
from structlog.testing import capture_logs
from way import PROFILE, segment

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.cards import BEGIN_LOOKS, END_LOOKS, Cards
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.dispatch.leaving import SEGMENT_WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR_S = 3600.0


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    """Return a room at 22:30, whose inbox has the nights; its recogniser says what the test lets it."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    room = Room(tmp_path, hours=("22:00-07:00",))
    room.time.pass_s(13 * HOUR_S)
    room.script = lambda order, content: []
    yield room
    monkeypatch.undo()
    time.tzset()


def recognise(room: Room, number: int) -> None:
    """Let the recogniser say a segment of its first order."""
    room.started[-1].said.append(
        protocol.Recognised(room.orders[-1].order, (segment(number, f"第{number}段"),))
    )
    room.session.step()


def test_work_stops_behind_its_segment_and_goes_on_the_next_night(night: Room) -> None:
    """No attempt is spent, and nothing that was recognised is recognised again."""
    night.way.put("a.wav", b"A")
    night.session.step()
    recognise(night, 0)
    night.time.pass_s(8.5 * HOUR_S - 60)
    night.session.step()
    assert len(night.session.state.in_work) == 1
    night.time.pass_s(60)
    night.started[0].said.append(protocol.Progress(1, 5000, 3000, 2000))
    night.session.step()
    assert night.started[0].cancelled == [], "the segment that is on the device comes first"
    recognise(night, 1)
    night.session.step()
    assert night.started[0].cancelled == [1]
    assert (night.way.job(1)["state"], night.way.job(1)["attempts"]) == ("queued", 0)
    night.time.pass_s(10 * HOUR_S)
    night.session.step()
    assert len(night.orders) == 1, "by day nothing is begun"
    night.time.pass_s(5 * HOUR_S)
    night.script = well
    night.run()
    assert night.orders[-1].done == ((0, 0, 1000), (1, 1000, 2000))
    assert night.states() == {"a.wav": "done"}
    assert night.way.job(1)["attempts"] == 1


def test_work_that_says_no_segment_is_not_waited_for_long(night: Room) -> None:
    """An hour of silence does not go on into the day."""
    night.way.put("a.wav", b"A")
    night.session.step()
    night.time.pass_s(8.5 * HOUR_S)
    for second in range(round(SEGMENT_WITHIN_S) + 5):
        night.started[0].said.append(protocol.Progress(1, 0, second, second))
        night.session.step()
        night.time.pass_s(1)
    assert night.started[0].cancelled == [1]
    assert night.way.job(1)["state"] == "queued"


def test_what_somebody_waits_for_goes_on_into_the_day(night: Room) -> None:
    """Another inbox's copy, or a person at a screen, that comes before the end keeps it in work."""
    night.way.put("a.wav", b"A")
    night.session.step()
    copy = night.way.candidate("b.wav", b"A").look
    night.way.arrivals.put("", copy, night.way.job(1)["sha256"], PROFILE, priority=-1)  # type: ignore[arg-type]
    night.time.pass_s(9 * HOUR_S)
    recognise(night, 0)
    recognise(night, 1)
    assert night.started[0].cancelled == []


def test_reload_that_takes_the_hours_away_keeps_it_in_work(night: Room) -> None:
    """The end that was noticed is forgotten."""
    night.way.put("a.wav", b"A")
    night.session.step()
    night.time.pass_s(8.5 * HOUR_S)
    night.started[0].said.append(protocol.Progress(1, 0, 1, 1))
    night.session.step()
    (section,) = night.way.config.inbox
    open_all_day = section.model_copy(update={"hours": ()})
    night.way.jobs.reload(night.way.config.model_copy(update={"inbox": (open_all_day,)}))
    recognise(night, 0)
    recognise(night, 1)
    assert night.started[0].cancelled == []


# ---------------------------------------------------------------------- others on the card


class NvmlError(Exception):
    """As pynvml's."""

    value = 6


@dataclass
class FakeNvml:
    """A card and what is done on it, as pynvml tells it: percent by process."""

    NVML_SUCCESS, NVML_ERROR_NOT_FOUND = 0, 6
    NVMLError = NvmlError
    use: dict[int, int] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    time: int = 0

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802 (pynvml's)
        """Return a card."""
        self.asked.append(f"#{index}")
        return "card"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        """Return a card."""
        self.asked.append(uuid)
        return "card"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[Any]:  # noqa: N802
        """Return the processes on it."""
        return [SimpleNamespace(pid=pid) for pid in {*self.use, *self.running}]

    def nvmlDeviceGetProcessUtilization(self, handle: str, since: int) -> list[Any]:  # noqa: N802
        """Return new samples; there is an error where there are none."""
        self.time += 1
        if not self.use:
            raise NvmlError
        return [SimpleNamespace(pid=pid, timeStamp=self.time, smUtil=use) for pid, use in self.use.items()]

    def nvmlSystemGetProcessName(self, pid: int) -> bytes:  # noqa: N802
        """Return its program."""
        return b"/usr/bin/train.py"


OTHER, OURS = 999_999_999, 4711


def cards_of(nvml: FakeNvml, threshold: float = 20.0, **environment: str) -> Cards:
    """Return the cards as that library tells of them."""
    return Cards(threshold, load=lambda: nvml, environment=environment)


def look(cards: Cards, times: int, own: set[int] | None = None) -> str:
    """Look so many times; return who has the card."""
    for _ in range(times):
        cards.look({"auto": own or set()})
    return cards.taken_by("auto")


def test_others_have_the_card_after_a_while_and_leave_it_after_a_while() -> None:
    """A burst takes nothing, and a pause gives nothing back: begin and end are held apart."""
    nvml = FakeNvml({OTHER: 90})
    cards = cards_of(nvml)
    assert look(cards, BEGIN_LOOKS - 1) == ""
    assert look(cards, 1) == "the queue waits for the card: train.py (process 999999999) uses it"
    nvml.use = {OTHER: 15}
    assert look(cards, 3 * END_LOOKS) != "", "less than the threshold, but more than half of it"
    nvml.use = {}
    assert look(cards, END_LOOKS - 1) != ""
    nvml.use = {OTHER: 90}
    look(cards, 1)
    nvml.use = {}
    assert look(cards, END_LOOKS - 1) != "", "a pause in training"
    assert look(cards, 1) == ""


def test_our_own_work_is_not_others() -> None:
    """The recogniser at full speed does not wait for itself; small ones of others add up."""
    nvml = FakeNvml({OURS: 99, OTHER: 5})
    cards = cards_of(nvml)
    assert look(cards, 20, {OURS}) == ""
    nvml.use = {OURS: 50, OTHER: 12, OTHER - 1: 13}
    assert "process 999999998" in look(cards, 20, {OURS})


def test_container_whose_process_numbers_are_not_the_drivers_does_not_wait_for_itself() -> None:
    """Our own process goes by another number there: whose work is that? The log says so once."""
    nvml = FakeNvml({OTHER: 99})
    cards = cards_of(nvml)
    with capture_logs() as logs:
        assert look(cards, 20, {OURS}) == ""
    assert [line["event"] for line in logs] == ["card_not_watched"]


def test_machine_without_the_library_says_so_once() -> None:
    """Nothing else happens."""

    def load() -> None:
        raise ModuleNotFoundError("No module named 'pynvml'")

    cards = Cards(20.0, load=load)
    with capture_logs() as logs:
        assert look(cards, 20) == ""
    assert [line["event"] for line in logs] == ["card_not_watched"]


def test_off_is_off() -> None:
    """By default nobody asks the library anything."""
    nvml = FakeNvml({OTHER: 99})
    assert look(cards_of(nvml, threshold=0.0), 20) == ""
    assert nvml.asked == []


@pytest.mark.parametrize(
    ("device", "visible", "asked"),
    [
        ("cuda", None, "#0"),
        ("cuda:1", None, "#1"),
        ("cuda:1", "2,3", "#3"),
        ("cuda", "GPU-5fd4", "GPU-5fd4"),
    ],
)
def test_card_is_the_one_that_the_recogniser_uses(device: str, visible: str | None, asked: str) -> None:
    """Also where CUDA is told which of them it may see."""
    nvml = FakeNvml({OTHER: 99})
    cards = cards_of(nvml, **({"CUDA_VISIBLE_DEVICES": visible} if visible else {}))
    cards.look({device: set(), "cpu": set()})
    assert nvml.asked == [asked]


def test_queue_waits_for_the_card_and_goes_on(tmp_path: Path) -> None:
    """It says for whom; what is in work stops behind its segment, who waits at a screen goes on."""
    room = Room(tmp_path)
    nvml = FakeNvml()
    room.around.cards.threshold, room.around.cards.load = 20.0, lambda: nvml
    room.script = lambda order, content: []
    room.way.put("a.wav", b"A")
    room.session.step()
    nvml.use = {OTHER: 90}
    look(room.around.cards, BEGIN_LOOKS)
    room.started[0].said.append(protocol.Progress(1, 0, 1, 1))
    room.session.step()
    recognise(room, 0)
    room.session.step()
    assert room.started[0].cancelled == [1]
    room.session.step()
    assert room.session.state.phase is Phase.YIELDING
    assert "train.py" in room.session.state.reason
    urged = room.way.candidate("b.wav", b"B").look
    room.way.arrivals.put("", urged, "b" * 64, PROFILE, priority=-1)
    room.script = well
    room.run(steps=5)
    assert room.states() == {"a.wav": "queued", "b.wav": "done"}
    nvml.use = {}
    look(room.around.cards, END_LOOKS)
    room.run()
    room.session.step()
    assert room.states() == {"a.wav": "done", "b.wav": "done"}
    assert (room.session.state.phase, room.session.state.reason) == (Phase.IDLE, "")
