"""A recording that memory does not suffice for is tried in every way there is, and keeps nobody from his."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from room import Room, well
from way import Way, segment

from asr_daemon.dispatch import protocol
from asr_daemon.errors import KilledForMemoryError, OutOfMemoryError
from asr_daemon.queue.memory_ladder import Rung, climb

if TYPE_CHECKING:
    from pathlib import Path

    from room import Scripted


class Machine(Room):
    """One whose own device is ``device``; its recognisers say where they run."""

    def __init__(self, folder: Path, device: str = "cuda:0", **settings: object) -> None:
        super().__init__(folder, **settings)
        self.device = device

    def start(self, setup: protocol.Setup) -> Scripted:
        """Start a recogniser on the device that it is asked to use."""
        device = "cpu" if setup.device == "cpu" else self.device
        self.first = protocol.Ready(device, "model", 1)
        return super().start(setup)

    @property
    def ways(self) -> list[tuple[bytes, str, bool]]:
        """What each order was tried with: (device asked for, whether it began small), in order."""
        return [
            (setup.device, setup.begins_small)
            for setup, recogniser in zip(self.setups, self.started, strict=True)
            for _ in recogniser.orders
        ]  # type: ignore[misc]

    @property
    def steps(self) -> dict[str, int]:
        """What was counted of the rungs that are not the child's own."""
        return {step: self.session.state.memory_steps[step] for step in ("process", "cpu")}


USUAL, FRESH, ON_CPU = ("auto", False), ("auto", True), ("cpu", True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return one with a GPU."""
    return Machine(tmp_path)


def big(machine: Machine, fits: str) -> None:
    """Let the recording "big" fit into memory only there ("fresh", "cpu", "nowhere")."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        setup = machine.setups[-1]
        is_enough = {"fresh": setup.begins_small, "cpu": setup.device == "cpu", "nowhere": False}[fits]
        if content == b"big" and not is_enough:
            return [protocol.Failed(order.order, "out_of_memory", "not even a second", "tried 2 GiB")]
        return well(order, content)

    machine.script = script


def test_rungs_go_up_one_by_one_to_the_last_that_can_help() -> None:
    """From as usual to a fresh process to the CPU; without another device there is no third rung."""
    assert climb(Rung.USUAL, Rung.CPU, has_progressed=False) is Rung.FRESH_PROCESS
    assert climb(Rung.USUAL, Rung.CPU, has_progressed=True) is Rung.FRESH_PROCESS
    assert climb(Rung.FRESH_PROCESS, Rung.CPU, has_progressed=False) is Rung.CPU
    assert climb(Rung.FRESH_PROCESS, Rung.CPU, has_progressed=True) is Rung.FRESH_PROCESS
    assert climb(Rung.FRESH_PROCESS, Rung.FRESH_PROCESS, has_progressed=False) is Rung.FRESH_PROCESS
    assert climb(Rung.CPU, Rung.FRESH_PROCESS, has_progressed=False) is Rung.CPU


def test_what_fits_into_a_fresh_process_is_done_in_one(machine: Machine) -> None:
    """It is tried at once, alone, one segment a batch; the next recording goes on in that process."""
    big(machine, "fresh")
    machine.way.put("big.wav", b"big")
    machine.run()
    machine.run()
    machine.way.put("next.wav", b"next")
    machine.run()
    assert machine.states() == {"big.wav": "done", "next.wav": "done"}
    assert machine.ways == [USUAL, FRESH, FRESH]
    assert [recogniser.is_alive for recogniser in machine.started] == [False, True]
    assert machine.steps == {"process": 1, "cpu": 0}


def test_what_does_not_fit_on_the_device_is_done_on_the_cpu_and_the_rest_on_the_device(
    machine: Machine,
) -> None:
    """The configured device is taken up again by the next recording; the batch bound is not the GPU's."""
    engine = machine.way.config.engine.model_copy(update={"batch_s": 600.0})
    machine.session.reload(engine, machine.session.hiring)
    big(machine, "cpu")
    machine.way.put("big.wav", b"big")
    machine.way.put("next.wav", b"next")
    machine.run(steps=40, pause_s=0.1)
    assert machine.states() == {"big.wav": "done", "next.wav": "done"}
    machine.way.put("later.wav", b"later")
    machine.run()
    assert machine.ways == [USUAL, USUAL, FRESH, ON_CPU, USUAL]
    assert [setup.batch_s for setup in machine.setups] == [600.0, 600.0, 0.0, 600.0]
    assert machine.steps == {"process": 1, "cpu": 1}


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_what_fits_nowhere_is_quarantined_with_what_was_tried(tmp_path: Path, max_attempts: int) -> None:
    """Every rung is tried, however few attempts are configured; the evidence of each is kept."""
    machine = Machine(tmp_path, max_attempts=max_attempts)
    big(machine, "nowhere")
    machine.way.put("big.wav", b"big")
    machine.run(steps=60, pause_s=30.0)
    assert machine.states() == {"big.wav": "quarantined"}
    assert machine.ways == [USUAL, FRESH, ON_CPU]
    attempts = machine.way.history.all("attempts_of_job", job=1)
    assert [row["error_code"] for row in attempts] == ["out_of_memory"] * 3
    assert [row["evidence"] for row in attempts] == ["tried 2 GiB"] * 3
    assert "内存" in (machine.way.inbox / "big.转写失败.txt").read_text(encoding="utf-8")


def test_machine_without_another_device_skips_the_cpu(tmp_path: Path) -> None:
    """Where the device is the CPU, the attempts that are left are made in fresh processes, after pauses."""
    machine = Machine(tmp_path, device="cpu")
    big(machine, "nowhere")
    machine.way.put("big.wav", b"big")
    machine.run(steps=20, pause_s=1.0)
    assert machine.ways == [USUAL, FRESH], "the second pause is not over"
    machine.run(steps=60, pause_s=10.0)
    assert machine.ways == [USUAL, FRESH, FRESH]
    assert machine.states() == {"big.wav": "quarantined"}


def test_rung_survives_a_restart_and_ends_with_a_persons_retry(tmp_path: Path) -> None:
    """It lies in the history; `retry` begins at the bottom again."""
    way = Way(tmp_path)
    way.put()
    way.jobs.fail(way.claim().id, OutOfMemoryError())
    assert way.claim().rung is Rung.FRESH_PROCESS
    way.jobs.recover()
    job = way.claim()
    assert job.rung is Rung.FRESH_PROCESS
    way.jobs.fail(job.id, OutOfMemoryError())
    job = way.claim()
    assert job.rung is Rung.CPU
    assert way.jobs.fail(job.id, OutOfMemoryError()) == "quarantined"
    way.arrivals.retry(1)
    assert way.claim().rung is Rung.USUAL


def test_fresh_processes_that_get_further_each_time_are_all_that_is_needed(machine: Machine) -> None:
    """A process whose memory fills up is replaced as often as it brings the recording on."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        number = len(order.done)
        if number == 6:
            return [protocol.Finished(order.order, 6000, 6)]
        return [
            protocol.Recognised(order.order, (segment(number, f"第{number}段"),)),
            protocol.Failed(order.order, "out_of_memory", "full"),
        ]

    machine.script = script
    machine.way.put("leaky.wav", b"leaky")
    machine.run(steps=100, pause_s=20.0)
    assert machine.states() == {"leaky.wav": "done"}
    assert machine.ways == [USUAL, *[FRESH] * 6]
    assert machine.way.job(1)["strikes"] == 0


def test_kernel_that_ends_the_child_for_memory_is_an_out_of_memory_of_the_machine(machine: Machine) -> None:
    """Tried again small in a fresh process, never on the CPU, which would take yet more of that memory."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"big":
            return [KilledForMemoryError("was ended by SIGKILL", evidence="the kernel")]
        return well(order, content)

    machine.script = script
    machine.way.put("big.wav", b"big")
    machine.run(steps=60, pause_s=20.0)
    assert machine.states() == {"big.wav": "quarantined"}
    assert machine.way.job(1)["error_code"] == "out_of_memory"
    assert machine.ways == [USUAL, FRESH, FRESH]


def test_kernel_s_kill_of_several_leaves_the_ladder_to_the_one_that_does_it_alone(machine: Machine) -> None:
    """Those that were only beside it are done as usual."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"big" and not machine.setups[-1].begins_small:
            return [KilledForMemoryError()]
        return well(order, content)

    machine.script = script
    for name in ("one", "big", "two"):
        machine.way.put(f"{name}.wav", name.encode())
    machine.script = lambda order, content: []
    machine.session._feed()
    machine.script = script
    machine.started[0].said.append(KilledForMemoryError())
    machine.run(steps=60, pause_s=20.0)
    assert set(machine.states().values()) == {"done"}
    assert machine.steps == {"process": 1, "cpu": 0}


def test_cpu_that_cannot_load_the_model_either_holds_up_nobody(machine: Machine) -> None:
    """That is the recording's failure; the queue is not blocked, and others go on on the device."""
    big(machine, "cpu")
    usual = machine.start

    def start(setup: protocol.Setup) -> Scripted:
        recogniser = usual(setup)
        if setup.device == "cpu":
            recogniser.said[0] = protocol.Broken("out_of_memory", "while loading")
        return recogniser

    machine.start = start  # type: ignore[method-assign]
    machine.way.put("big.wav", b"big")
    machine.way.put("next.wav", b"next")
    machine.run(steps=60, pause_s=20.0)
    assert machine.states() == {"big.wav": "quarantined", "next.wav": "done"}
    assert machine.session.state.phase != "blocked"
    assert "while loading" in str(machine.way.job(1)["error_message"])


def test_steps_within_the_child_are_counted(machine: Machine) -> None:
    """Its notes say what was halved; `status` and the metrics show how often."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        notes = [
            protocol.Note("warning", "batch_out_of_memory", {"step": step})
            for step in ("batch", "batch", "segment")
        ]
        return [*notes, *well(order, content)]

    machine.script = script
    machine.way.put("a.wav", b"A")
    machine.run()
    assert machine.session.state.memory_steps == {"batch": 2, "segment": 1, "process": 0, "cpu": 0}
