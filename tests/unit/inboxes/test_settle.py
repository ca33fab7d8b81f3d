"""When a recording counts as finished, by a clock that the tests turn."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from asr_daemon.inboxes.candidate import Candidate
from asr_daemon.inboxes.settle import LONGEST_DEFERRAL_S, PATIENCE, REMEMBERED_S, Settler

SETTLE_S = 5.0


@dataclass
class Share:
    """A folder and a clock that the test moves."""

    now_s: float = 1000.0
    files: dict[Path, Candidate] = field(default_factory=dict)

    def write(self, name: str, size_bytes: int) -> Candidate:
        """Make, or change, a file."""
        path = Path("/in") / name
        self.files[path] = Candidate(path, size_bytes, int(self.now_s * 1e9), 1, 1, int(self.now_s * 1e9))
        return self.files[path]

    def settler(self) -> Settler:
        """Return a settler that looks at this share."""
        return Settler(lambda: self.now_s, look=self.files.get)


def test_a_quiet_recording_settles_once() -> None:
    """It is taken after its settle time, not before, and not twice."""
    share = Share()
    settler = share.settler()
    recording = share.write("a.wav", 10)
    settler.observe(recording, SETTLE_S)
    assert settler.next_due_s() == SETTLE_S
    share.now_s += SETTLE_S - 0.01
    assert settler.take_settled() == []
    share.now_s += 0.01
    assert settler.take_settled() == [recording]
    assert settler.take_settled() == []
    assert settler.next_due_s() is None
    assert len(settler) == 0


def test_growth_between_scans_is_noticed() -> None:
    """A copy that goes on, with no event and no scan in between, is looked at again when it falls due."""
    share = Share()
    settler = share.settler()
    settler.observe(share.write("a.wav", 10), SETTLE_S)
    share.now_s += SETTLE_S - 1
    longer = share.write("a.wav", 20)
    share.now_s += 1
    assert settler.take_settled() == []
    assert settler.next_due_s() == SETTLE_S
    share.now_s += SETTLE_S
    assert settler.take_settled() == [longer]


def test_same_size_and_mtime_but_written_to_waits_anew() -> None:
    """A program that sets the final size and mtime beforehand is known by the ctime."""
    share = Share()
    settler = share.settler()
    first = share.write("a.wav", 10)
    settler.observe(first, SETTLE_S)
    share.now_s += SETTLE_S
    share.files[first.path] = replace(first, ctime_ns=first.ctime_ns + 1)
    assert settler.take_settled() == []


def test_rescan_of_an_unchanged_file_does_not_put_it_off() -> None:
    """Scans more frequent than the settle time do not starve a recording."""
    share = Share()
    settler = share.settler()
    recording = share.write("a.wav", 10)
    for _ in range(6):
        settler.observe(recording, SETTLE_S)
        share.now_s += 1
    assert settler.take_settled() == [recording]


def test_an_event_rearms() -> None:
    """An event puts the recording off by its settle time; one for a path that does not wait does nothing."""
    share = Share()
    settler = share.settler()
    recording = share.write("a.wav", 10)
    settler.observe(recording, SETTLE_S)
    share.now_s += SETTLE_S - 1
    settler.touch(recording.path)
    settler.touch(Path("/in/unknown.wav"))
    share.now_s += 1
    assert settler.take_settled() == []
    share.now_s += SETTLE_S - 1
    assert settler.take_settled() == [recording]


def test_a_deleted_recording_is_forgotten() -> None:
    """Deletion while settling, told or found out, leaves nothing behind."""
    share = Share()
    settler = share.settler()
    told, found_out = share.write("told.wav", 1), share.write("found_out.wav", 1)
    settler.observe(told, SETTLE_S)
    settler.observe(found_out, SETTLE_S)
    settler.forget(told.path)
    del share.files[found_out.path]
    share.now_s += SETTLE_S
    assert settler.take_settled() == []
    assert len(settler) == 0
    assert settler.next_due_s() is None


def test_a_copy_that_pauses_is_taken_early_once_only() -> None:
    """A copy that pauses for three windows, again and again, looks finished once; then patience is longer."""
    share = Share()
    settler = share.settler()
    taken = []
    for part in range(1, 8):
        settler.observe(share.write("a.wav", part), SETTLE_S)
        for _ in range(15):  # three windows, looked at each second
            share.now_s += 1
            taken += settler.take_settled()
    share.now_s += PATIENCE * SETTLE_S
    taken += settler.take_settled()
    assert [candidate.size_bytes for candidate in taken] == [1, 7]


def test_patience_ends() -> None:
    """A new version of a recording that was taken long ago waits one window, as any other."""
    share = Share()
    settler = share.settler()
    settler.observe(share.write("a.wav", 1), SETTLE_S)
    share.now_s += SETTLE_S
    assert len(settler.take_settled()) == 1
    share.now_s += REMEMBERED_S + 1
    settler.observe(share.write("a.wav", 2), SETTLE_S)
    share.now_s += SETTLE_S
    assert [candidate.size_bytes for candidate in settler.take_settled()] == [2]


def test_a_file_held_open_for_ever_is_taken_in_the_end() -> None:
    """Deferral waits for the writer, for an hour unchanged; a change begins the hour anew."""
    share = Share()
    settler = share.settler()
    recording = share.write("a.wav", 1)
    deferred_s = 0.0
    while settler.defer(recording, SETTLE_S):
        share.now_s += SETTLE_S
        deferred_s += SETTLE_S
        assert settler.take_settled() == [recording]
    assert deferred_s == LONGEST_DEFERRAL_S
    assert len(settler) == 0
    assert settler.defer(share.write("a.wav", 2), SETTLE_S)


def test_a_moved_folder_names_its_recordings() -> None:
    """The recordings below a folder are those below it, not those of a folder whose name begins alike."""
    share = Share()
    settler = share.settler()
    for name in ("day/a.wav", "day/deep/b.wav", "day2/c.wav"):
        settler.observe(share.write(name, 1), SETTLE_S)
    assert sorted(settler.paths_below(Path("/in/day"))) == [Path("/in/day/a.wav"), Path("/in/day/deep/b.wav")]


def test_ten_thousand_recordings_settle_together() -> None:
    """A flood with many events a file loses none, and the heap does not grow with the events."""
    share = Share()
    settler = share.settler()
    for number in range(10_000):
        settler.observe(share.write(f"{number}.wav", 1), SETTLE_S)
    for _ in range(3):
        share.now_s += 1
        for path in share.files:
            settler.touch(path)
    assert len(settler._heap) == 10_000
    share.now_s += SETTLE_S
    assert len(settler.take_settled()) == 10_000


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["write", "scan", "touch", "wait", "take"])),
        max_size=60,
    )
)
def test_every_final_version_is_taken_exactly_once(steps: list[tuple[str, str]]) -> None:
    """Whatever happens in between: in the end each file's last version was taken once, and last."""
    share = Share()
    settler = share.settler()
    taken: list[Candidate] = []
    known: dict[Path, Candidate] = {}
    for number, (name, step) in enumerate(steps, 1):
        path = Path(f"/in/{name}.wav")
        share.now_s += 0.5
        if step == "write":
            share.write(path.name, number)
        elif step == "touch":
            settler.touch(path)
        elif step == "wait":
            share.now_s += 3
        elif step == "take":
            taken += settler.take_settled()
        elif path in share.files and known.get(path) != share.files[path]:
            settler.observe(share.files[path], SETTLE_S)
        known |= {candidate.path: candidate for candidate in taken}
    for _ in range(3):
        for path, candidate in share.files.items():
            if known.get(path) != candidate:
                settler.observe(candidate, SETTLE_S)
        share.now_s += PATIENCE * SETTLE_S
        taken += settler.take_settled()
        known |= {candidate.path: candidate for candidate in taken}
    assert known == share.files
    assert len({(candidate.path, candidate.size_bytes) for candidate in taken}) == len(taken)
    assert len(settler) == 0


def test_whoever_asks_how_much_waits_is_answered_while_more_comes() -> None:
    """``status`` asks from another thread while a scan goes on."""
    share = Share()
    settler = share.settler()
    candidates = [share.write(f"{number}.wav", 1) for number in range(3000)]

    def come_and_go() -> None:
        for candidate in candidates:
            settler.observe(candidate, SETTLE_S)
        for candidate in candidates:
            settler.forget(candidate.path)

    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        scan = threading.Thread(target=lambda: [come_and_go() for _ in range(3)])
        scan.start()
        while scan.is_alive():
            assert len(settler.paths_below(Path("/in"))) <= len(candidates)
        scan.join()
    finally:
        sys.setswitchinterval(before_s)
