"""A recogniser on another machine, without Ray: all in one process but a fake child."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("grpc")

from clustered import BUILTIN, Hired, sha256

from asr_daemon import __version__
from asr_daemon.cluster import hire as bridge_side
from asr_daemon.cluster.machine import Machine, decode_about, encode_about
from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.channel import Channel
from asr_daemon.dispatch.cluster_messages import Hire
from asr_daemon.models.weights import describe
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAKE = (str(Path(__file__).parents[2] / "fake_recogniser.py"),)
MIB = 1 << 20


class NearMachine:
    """A machine in this process, called as over Ray: a thread for each group, answers as futures."""

    def __init__(self, crossed: list[Any], **about: Any) -> None:
        self.ended = threading.Event()
        self.machine = Machine(program=FAKE, end=self.ended.set)
        self.is_frozen = False
        self.sent_bytes = 0
        self.wanted: list[bool] = []
        self._about = about
        self._crossed = crossed
        self._groups = {name: ThreadPoolExecutor(1) for name in ("orders", "sound", "words")}

    def _call(self, group: str, method: Callable[..., Any], *arguments: Any, **named: Any) -> Future[Any]:
        self._crossed += arguments
        if self.is_frozen:
            return Future()
        answer = self._groups[group].submit(method, *arguments, **named)
        answer.add_done_callback(lambda done: self._crossed.append(done.result()))
        return answer

    def about(self) -> Future[bytes]:
        """What it is."""
        answer: Future[bytes] = Future()
        answer.set_result(encode_about(replace(decode_about(self.machine.about("n1")), **self._about)))
        return answer

    def start(self, hire_line: bytes, setup_line: bytes, key: bytes) -> None:
        """Begin."""
        self._call("orders", self.machine.start, hire_line, setup_line, key)

    def hear(self, lease: int, *, wants_words: bool) -> Future[bytes]:
        """Ask."""
        self.wanted.append(wants_words)
        return self._call("words", self.machine.hear, lease, wants_words=wants_words)

    def tell(self, lease: int, sealed: bytes) -> None:
        """Order."""
        self._call("orders", self.machine.tell, lease, sealed)

    def take(self, lease: int, number: int, sealed: bytes) -> Future[bool]:
        """Announce."""
        return self._call("sound", self.machine.take, lease, number, sealed)

    def sound(self, lease: int, order: int, offset: int, sealed: bytes) -> Future[None]:
        """Send."""
        self.sent_bytes += len(sealed)
        return self._call("sound", self.machine.sound, lease, order, offset, sealed)

    def kill(self) -> None:
        """End it."""
        self.ended.set()
        if self.machine._child is not None:
            self.machine._child.kill()


class NearCluster:
    """Hands out one machine."""

    def __init__(self, machine: NearMachine) -> None:
        self.machine = machine

    def hire(self) -> NearMachine:
        """The one."""
        return self.machine

    def name_of(self, node_id: str, otherwise: str) -> str:
        """Its name."""
        return "gpu2" if node_id == "n1" else otherwise

    def lost(self, name: str, node_id: str, error: BaseException) -> protocol.Lost:
        """Whatever it was."""
        return protocol.Lost("cluster_away", f"{name}: {type(error).__name__}")


class Office:
    """A daemon's end of a hire, and what is behind it."""

    def __init__(
        self,
        weights: tuple[Any, ...] | None = None,
        lost_s: float = 15.0,
        insecure: bool = True,
        **about: Any,
    ) -> None:
        self.crossed: list[Any] = []  # whatever Ray would have seen
        self.machine = NearMachine(self.crossed, **about)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.hired = Hired(ours)
        self.hire = bridge_side.Hired(
            Hire(7, "remote 1", describe(BUILTIN) if weights is None else weights),
            Channel(theirs),
            NearCluster(self.machine),  # type: ignore[arg-type]
            insecure=insecure,
            patience=bridge_side.Patience(placed_s=1.0, lost_s=lost_s),
        )
        self.hire.begin()


@pytest.fixture
def make_office() -> Iterator[Callable[..., Office]]:
    made: list[Office] = []

    def make(**how: Any) -> Office:
        made.append(Office(**how))
        return made[-1]

    yield make
    for office in made:
        office.hire.dismiss()


@pytest.fixture(scope="module")
def offices() -> Iterator[list[Office]]:
    """Those that tests leave alive: the last one is used."""
    made: list[Office] = []
    yield made
    for office in made:
        office.hire.dismiss()


@pytest.fixture
def office(offices: list[Office]) -> Office:
    """One that has loaded, for a test that leaves it alive."""
    if not offices or offices[-1].hire.is_over:
        offices.append(Office())
        offices[-1].hired.load()
    one = offices[-1]
    one.crossed.clear()
    one.hired.notes.clear()
    one.machine.sent_bytes = 0
    return one


@pytest.fixture
def own_office(make_office: Callable[..., Office]) -> Office:
    """One that has loaded, for a test that ends it."""
    made = make_office()
    made.hired.load()
    return made


def recording(folder: Path, name: str = "a.wav", more: bytes = b"", **orders: Any) -> Path:
    """Write a recording for the fake recogniser."""
    path = folder / name
    path.write_bytes(b"FAKE " + json.dumps(orders).encode() + b"\n" + more)
    return path


def child_of(office: Office) -> int:
    assert office.machine.machine._child is not None
    return office.machine.machine._child.pid


def test_a_recording_arrives_byte_for_byte_and_its_text_comes_back(office: Office, tmp_path: Path) -> None:
    """In pieces, of which the last is short."""
    path = recording(tmp_path, more=os.urandom(20 * MIB + 17), segments=3)
    heard = office.hired.transcribe(path)
    assert [one.raw_text for one in heard.segments] == [
        f"第{number}段{sha256(path.read_bytes())}" for number in range(3)
    ]
    assert isinstance(heard.end, protocol.Finished)


def test_ready_says_where_and_how_much_fits(office: Office) -> None:
    """So that status can show it, and what is too large goes elsewhere."""
    ready = office.hired.first
    assert isinstance(ready, protocol.Ready)
    assert ready.machine == "gpu2"
    assert ready.most_bytes > MIB


def test_an_empty_recording_arrives(office: Office, tmp_path: Path) -> None:
    """The child says what it is."""
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    end = office.hired.transcribe(path).end
    assert isinstance(end, protocol.Failed)
    assert end.code == "not_decodable"


def test_segments_that_are_done_are_not_said_again(office: Office, tmp_path: Path) -> None:
    """Work resumes behind what was committed."""
    heard = office.hired.transcribe(recording(tmp_path, segments=3), done=((0, 0, 1000), (1, 1000, 2000)))
    assert [one.index for one in heard.segments] == [2]


def test_neither_sound_nor_names_nor_text_cross_in_the_clear(office: Office, tmp_path: Path) -> None:
    """Ray may write to a disk whatever it carries."""
    secret = b"board meeting, in the clear"
    path = recording(tmp_path, "预算会议.wav", more=secret, segments=1)
    text = office.hired.transcribe(path).text
    crossed = b"\n".join(each for each in office.crossed if isinstance(each, bytes))
    assert len(crossed) > 200
    assert secret not in crossed
    assert text.encode() not in crossed
    assert "预算会议".encode() not in crossed


def test_a_recording_that_was_changed_is_not_recognised(office: Office, tmp_path: Path) -> None:
    """Whether it has other bytes than were hashed, or fewer."""
    path = recording(tmp_path, segments=1)
    for source in ({"sha256": "0" * 64}, {"size_bytes": path.stat().st_size + 5}):
        heard = office.hired.transcribe(path, **source)
        assert isinstance(heard.end, protocol.Failed)
        assert heard.end.code == "recording_gone"
        assert heard.end.message == "The recording was changed after it had been queued."
        assert not heard.segments
    recordings = office.machine.machine._recordings
    eventually(lambda: not recordings._arriving, within_s=5, what="the end of the memory held for them")
    assert office.hired.transcribe(path).segments  # and the recogniser goes on


def test_what_does_not_fit_into_the_machine_is_refused(
    make_office: Callable[..., Office], tmp_path: Path
) -> None:
    """In one sentence with both figures."""
    office = make_office(available_bytes=4 * MIB)
    office.hired.load()
    heard = office.hired.transcribe(recording(tmp_path, more=bytes(3 * MIB), segments=1))
    assert isinstance(heard.end, protocol.Failed)
    assert heard.end.code == "out_of_memory"
    assert heard.end.message == "The recording has 3 MB, the machine takes 2 MB at most."


def test_recordings_share_the_memory_and_the_small_one_goes_first(
    make_office: Callable[..., Office], tmp_path: Path
) -> None:
    """One that does not fit beside others waits until they are done."""
    office = make_office(available_bytes=8 * MIB)
    office.hired.load()
    first = office.hired.begin(recording(tmp_path, "1.wav", bytes(2 * MIB), segments=4, ms=50))
    large = office.hired.begin(recording(tmp_path, "2.wav", bytes(3 * MIB), segments=1))
    small = office.hired.begin(recording(tmp_path, "3.wav", b"x", segments=1))
    office.hired.finish(first, large, small)
    ends = {order: office.hired.heard[order].ended_s for order in (first, large, small)}
    assert max(ends, key=lambda order: ends[order]) == large


def test_a_machine_that_sees_the_file_reads_it_itself(office: Office, tmp_path: Path) -> None:
    """Nothing of it is sent."""
    path = recording(tmp_path, segments=2)
    heard = office.hired.transcribe(path, root=tmp_path)
    assert heard.text.count(sha256(path.read_bytes())) == 2
    assert office.machine.sent_bytes == 0


@pytest.mark.parametrize("how", ["not there", "another time", "other bytes", "a link", "not below"])
def test_a_path_that_is_another_file_there_is_refused_and_the_bytes_are_sent(
    office: Office, tmp_path: Path, how: str
) -> None:
    """Said as a warning with the reason."""
    path, there = recording(tmp_path, segments=1), tmp_path / "share"
    there.mkdir()
    as_seen = recording(there, segments=1)
    os.utime(as_seen, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    source: dict[str, Any] = {"path": str(as_seen), "root": str(there)}
    if how == "not there":
        as_seen.unlink()
    elif how == "another time":
        os.utime(as_seen, ns=(1, 1))
    elif how == "other bytes":
        as_seen.write_bytes(path.read_bytes().replace(b"1", b"2"))
        os.utime(as_seen, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    elif how == "a link":
        as_seen.unlink()
        as_seen.symlink_to(path)
    else:
        source["path"] = str(path)
    heard = office.hired.transcribe(path, **source)
    assert heard.text == f"第0段{sha256(path.read_bytes())}"
    assert office.machine.sent_bytes
    (note,) = [note for note in office.hired.notes if note.event == "shared_path_refused"]
    assert note.level == "warning"
    assert note.fields["problem"]


def test_a_cancelled_recording_is_not_recognised(office: Office, tmp_path: Path) -> None:
    """And nothing of it is said any more; others go on."""
    order = office.hired.begin(recording(tmp_path, "1.wav", segments=1000, ms=20))
    office.hired.listen(lambda: office.hired.heard[order].segments)
    office.hired.cancel(order)
    office.hired.transcribe(recording(tmp_path, "2.wav", segments=1))
    said = len(office.hired.heard[order].segments)
    office.hired.transcribe(recording(tmp_path, "3.wav", segments=5, ms=20))
    assert len(office.hired.heard[order].segments) == said
    assert office.hired.heard[order].end is None


def test_other_weights_are_refused_by_machine_and_file(make_office: Callable[..., Office]) -> None:
    """The text would be another."""
    (weights,) = describe(BUILTIN)
    other = replace(weights, files={**weights.files, "model.pt": "0" * 64})
    said = make_office(weights=(other,)).hired.load().first
    assert isinstance(said, protocol.Broken)
    assert said.code == "model_missing"
    assert said.message.startswith(
        "On gpu2: The model paraformer-tiny-zh differs from the daemon's: model.pt is another."
    )


def test_another_release_is_refused_and_both_are_named(make_office: Callable[..., Office]) -> None:
    """Before anything is said to it."""
    said = make_office(release="9.9").hired.load().first
    assert isinstance(said, protocol.Broken)
    assert said.message == (
        f"On gpu2 asr-daemon is 9.9, here it is {__version__}: install the same on all machines."
    )


def test_a_machine_whose_ray_asks_nobody_is_refused(make_office: Callable[..., Office]) -> None:
    """Unless the administrator says that this is all right."""
    office = make_office(insecure=False, is_guarded=False)
    said = office.hired.load().first
    assert isinstance(said, protocol.Broken)
    assert "RAY_AUTH_MODE=token" in said.message
    assert "start" not in {type(each).__name__ for each in office.crossed}
    assert isinstance(make_office(insecure=False, is_guarded=True).hired.load().first, protocol.Ready)


def test_a_child_that_crashes_is_a_loss_with_its_last_words(own_office: Office, tmp_path: Path) -> None:
    """The recording may be why: it counts as an attempt, as locally. Nothing is said after it."""
    own_office.hired.begin(recording(tmp_path, segments=3, crash_at=1))
    own_office.hired.listen(lambda: own_office.hired.is_over)
    lost = own_office.hired.lost
    assert lost is not None
    assert lost.code == "recogniser_crashed"
    assert lost.message == "On gpu2: The recogniser process was ended by SIGSEGV."
    assert "about to crash" in lost.evidence
    assert own_office.hired.after_lost == 0
    assert own_office.machine.ended.wait(10)


def test_a_child_killed_from_outside_is_a_loss(own_office: Office) -> None:
    """Also while it has nothing to do."""
    os.kill(child_of(own_office), signal.SIGKILL)
    own_office.hired.listen(lambda: own_office.hired.is_over)
    assert own_office.hired.lost is not None


def test_a_machine_that_does_not_answer_is_lost_for_no_recordings_fault(
    make_office: Callable[..., Office], tmp_path: Path
) -> None:
    """Frozen, or parted from us."""
    office = make_office(lost_s=0.3)
    office.hired.load()
    office.machine.is_frozen = True
    office.hired.listen(lambda: office.hired.is_over)
    assert office.hired.lost is not None
    assert office.hired.lost.code == "cluster_away"  # what this cluster says of a call without answer


def test_dismissed_it_ends_at_once(own_office: Office) -> None:
    """The daemon hangs up; no word is wanted."""
    pid = child_of(own_office)
    own_office.hired.hang_up()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), within_s=10)
    assert own_office.hire.is_over


def test_told_to_stop_it_ends_without_a_loss(own_office: Office) -> None:
    """As a child does."""
    own_office.hired.stop()
    own_office.hired.listen(lambda: own_office.hired.is_over)
    assert own_office.hired.lost is None


def test_a_daemon_that_does_not_listen_keeps_its_machine(office: Office, tmp_path: Path) -> None:
    """Its disk may be full: the lease goes on, and what was said waits."""
    order = office.hired.begin(recording(tmp_path, segments=700))
    eventually(lambda: not office.machine.wanted[-1], within_s=30)
    time.sleep(0.2)
    assert office.hired.lost is None
    office.hired.finish(order)
    assert len(office.hired.heard[order].segments) == 700


def test_nobody_free_is_said(make_office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue waits."""
    monkeypatch.setattr(NearMachine, "about", lambda _self: Future())
    hired = make_office().hired.load()
    assert isinstance(hired.first, protocol.Lost)
    assert hired.first.code == "cluster_away"
    assert hired.first.message == "No card of the cluster was free within 1 s."
