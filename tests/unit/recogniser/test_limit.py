"""How much goes into a batch follows from the memory that is free, and never takes it all."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_daemon.files.control_group import available_bytes
from asr_daemon.models.abilities import ABILITIES
from asr_daemon.recogniser.engine import choose_feeders
from asr_daemon.recogniser.limit import (
    BYTES_PER_PADDED_S,
    LEAST_CHOSEN_S,
    MOST_ON_CPU_S,
    MOST_ON_DEVICE_S,
    choose_bound_s,
)
from asr_daemon.recogniser.memory import free_bytes

GIB = 2**30


@pytest.mark.parametrize("family", BYTES_PER_PADDED_S)
@pytest.mark.parametrize("device", ["cpu", "cuda:1", "mps"])
def test_bound_fits_into_half_of_what_is_free_and_grows_with_it(device: str, family: str) -> None:
    """Never more than half of the free memory at the measured rate, never over the device's own bound."""
    most_s = MOST_ON_CPU_S if device == "cpu" else MOST_ON_DEVICE_S
    bounds = [choose_bound_s(device, family, free * GIB) for free in (1, 2, 4, 8, 24, 80, 1000)]
    assert bounds == sorted(bounds)
    assert bounds[-1] == most_s
    for free, bound in zip((1, 2, 4, 8, 24, 80, 1000), bounds, strict=True):
        assert bound * BYTES_PER_PADDED_S[family] <= free * GIB / 2 or bound == LEAST_CHOSEN_S
        assert LEAST_CHOSEN_S <= bound <= most_s


def test_known_machines_get_what_is_good_for_them() -> None:
    """A laptop's CPU gets the 120 s that are best there, a small card what it holds, a large one 600 s."""
    assert choose_bound_s("cpu", "seaco_paraformer", 8 * GIB) == 120.0
    assert choose_bound_s("cpu", "seaco_paraformer", GIB // 2) == 22.0
    assert choose_bound_s("cuda:0", "seaco_paraformer", 2 * GIB) == 178.0
    assert choose_bound_s("cuda:0", "seaco_paraformer", 24 * GIB) == 600.0
    assert choose_bound_s("cuda:0", "fun_asr_nano", 4 * GIB) < choose_bound_s(
        "cuda:0", "sense_voice", 4 * GIB
    )


def test_every_family_has_its_figure() -> None:
    """A new one is measured, and does not silently get another's."""
    assert set(BYTES_PER_PADDED_S) == set(ABILITIES)


def test_device_that_says_nothing_and_one_that_is_full_get_little() -> None:
    """Not knowing is no reason to try a lot; a full device gets single segments nearly."""
    assert choose_bound_s("cpu", "seaco_paraformer", None) == MOST_ON_CPU_S
    assert choose_bound_s("cuda:0", "seaco_paraformer", None) == MOST_ON_CPU_S
    assert choose_bound_s("cuda:0", "seaco_paraformer", 0) == LEAST_CHOSEN_S
    assert choose_bound_s("cuda:0", "a new one", 8 * GIB) == choose_bound_s("cuda:0", "fun_asr_nano", 8 * GIB)


def test_limit_of_the_control_group_counts_where_it_is_less_than_the_machine_s(tmp_path: Path) -> None:
    """MemoryMax= of the unit bounds what can be taken, however large the machine is."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/unit").mkdir(parents=True)
    assert available_bytes(tmp_path) is None
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n")
    assert available_bytes(tmp_path) == 8_000_000 * 1024
    (tmp_path / "proc/self/cgroup").write_text("0::/unit\n")
    (tmp_path / "sys/fs/cgroup/unit/memory.max").write_text("max\n")
    (tmp_path / "sys/fs/cgroup/unit/memory.current").write_text("1000\n")
    assert available_bytes(tmp_path) == 8_000_000 * 1024
    (tmp_path / "sys/fs/cgroup/unit/memory.max").write_text("5000\n")
    assert available_bytes(tmp_path) == 4000


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux says it there")
def test_this_machine_s_memory_is_known() -> None:
    """The CPU's figure is that of a machine, not a fault of reading it."""
    free = free_bytes("cpu")
    assert free is not None
    assert 2**24 < free < 2**50


@pytest.mark.parametrize(
    ("device", "cores", "sharers", "free", "feeders"),
    [
        ("cpu", 2, 1, 8 * GIB, 1),  # decoding is a twentieth of the work
        ("cpu", 64, 1, 64 * GIB, 8),
        ("cpu", 64, 4, 64 * GIB, 2),
        ("cuda:0", 2, 1, 8 * GIB, 1),
        ("cuda:0", 16, 1, 64 * GIB, 15),
        ("cuda:0", 16, 2, 64 * GIB, 7),
        ("cuda:0", 128, 1, 512 * GIB, 16),
        ("cuda:0", 16, 1, 4 * GIB, 2),  # their memory has to be there
        ("cuda:0", 16, 1, None, 15),
        ("cuda:0", 1, 4, GIB // 4, 1),
    ],
)
def test_decoding_threads_follow_from_device_cores_and_memory(
    monkeypatch: pytest.MonkeyPatch, device: str, cores: int, sharers: int, free: int | None, feeders: int
) -> None:
    """One beside a small processor, all cores but one beside a card, never more than fit."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(cores)))
    assert choose_feeders(device, sharers, free) == feeders
