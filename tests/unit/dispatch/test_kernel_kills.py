"""A SIGKILL by the kernel for want of memory is told from one by a person, as far as the counters show."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from attack import recording

from asr_daemon.dispatch.kernel_kills import KernelKills, Verdict
from asr_daemon.dispatch.local_process import RecogniserProcess
from asr_daemon.dispatch.protocol import Ready, Recognise, Setup
from asr_daemon.errors import KilledForMemoryError, RecogniserCrashedError
from asr_daemon.transcripts.profile import Profile

FAKE = Path(__file__).parents[2] / "fake_recogniser.py"
SETUP = Setup("fake", "seaco_paraformer", "/m", "", "", "auto", 0.0, 0, "/f", 1.0)


def system(root: Path, files: dict[str, str]) -> Path:
    """Write a system's files below a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")
    return root


EVENTS = "low 0\nhigh 3\nmax 7\noom 2\noom_kill {}\noom_group_kill 0\n"


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        (
            {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.events": EVENTS.format(4)},
            KernelKills(4, None),
        ),
        (
            {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.events": EVENTS.format(5)},
            KernelKills(5, None),
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/\n4:memory:/a\n0::/\n",
                "sys/fs/cgroup/memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n",
                "proc/vmstat": "nr_free_pages 100\noom_kill 9\n",
            },
            KernelKills(6, 9),
        ),
        ({"proc/self/cgroup": "0::/\n", "proc/vmstat": "oom_kill 9\n"}, KernelKills(None, 9)),
        ({}, KernelKills(None, None)),
    ],
    ids=["group", "the group above", "version 1", "machine alone", "nothing"],
)
def test_counters_are_read_where_the_system_keeps_them(
    tmp_path: Path, files: dict[str, str], kills: KernelKills
) -> None:
    """Control groups of both versions, the machine's own counter, and systems that show neither."""
    assert KernelKills.read(system(tmp_path, files)) == kills


def test_group_s_counter_decides_where_there_is_one() -> None:
    """Another service's end on the same machine is not taken for ours."""
    assert KernelKills(2, 9).since(KernelKills(1, 9)) is Verdict.FOR_MEMORY
    assert KernelKills(1, 9).since(KernelKills(1, 8)) is Verdict.NOT_FOR_MEMORY
    assert KernelKills(None, 9).since(KernelKills(None, 8)) is Verdict.PROBABLY_FOR_MEMORY
    assert KernelKills(None, 8).since(KernelKills(None, 8)) is Verdict.NOT_FOR_MEMORY
    assert KernelKills(None, None).since(KernelKills(None, None)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("counts", "number", "is_for_memory"),
    [
        ([0, 3, 4], signal.SIGKILL, True),
        ([0, 3, 3], signal.SIGKILL, False),
        ([0, 3, 4], signal.SIGSEGV, False),
    ],
    ids=["killed for memory", "killed by a person", "crashed"],
)
def test_end_of_a_real_child_is_called_what_it_was(
    tmp_path: Path, counts: list[int], number: signal.Signals, is_for_memory: bool
) -> None:
    """Only what the kernel counted since the recording was begun counts, and only after SIGKILL."""
    readings = iter(counts)
    child = RecogniserProcess.spawn(
        SETUP, program=(os.fspath(FAKE),), read_kills=lambda: KernelKills(next(readings), None)
    )
    assert isinstance(child.receive(60), Ready)
    path = tmp_path / "a.wav"
    path.write_bytes(recording(1, crash_at=0, signal=int(number)))

    def recognise() -> None:
        with path.open("rb") as file:
            child.send(Recognise(1, 1, "a.wav", Profile("m")), file.fileno())
        while child.receive(60) is not None:
            pass

    with pytest.raises(RecogniserCrashedError) as caught:
        recognise()
    assert isinstance(caught.value, KilledForMemoryError) == is_for_memory
    assert caught.value.code == ("out_of_memory" if is_for_memory else "recogniser_crashed")
    assert number.name in caught.value.evidence
    assert ("for want of memory" in caught.value.evidence) == is_for_memory
    child.kill()
