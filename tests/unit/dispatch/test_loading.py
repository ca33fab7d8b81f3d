"""Several recognisers load one after the other, and read the model's files once."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest
from model_folders import lay
from room import Model, Room
from way import HandClock

from asr_daemon.dispatch import loading, protocol
from asr_daemon.dispatch.loading import VERIFIED_FOR_S, LoadGate
from asr_daemon.dispatch.precision_memory import PrecisionMemory
from asr_daemon.errors import RecogniserNotStartedError

FILES = (("model.pt", 1, 2, 3),)


def test_loads_never_overlap() -> None:
    """Who comes second waits until the first has loaded, or failed to."""
    gate = LoadGate(HandClock().clock, PrecisionMemory(Path("/nowhere")))
    loading_now, most = 0, 0
    lock, begun = threading.Lock(), threading.Barrier(4)

    def hold_the_turn() -> None:
        nonlocal loading_now, most
        with gate.turn(lambda: False):
            with lock:
                loading_now += 1
                most = max(most, loading_now)
            threading.Event().wait(0.02)
            with lock:
                loading_now -= 1
            raise OSError("no room")

    def load() -> None:
        begun.wait(10)
        with contextlib.suppress(OSError):
            hold_the_turn()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1


def test_daemon_that_stops_waits_for_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one may load for minutes."""
    monkeypatch.setattr(loading, "POLL_S", 0.01)
    gate = LoadGate(HandClock().clock, PrecisionMemory(Path("/nowhere")))
    with (
        gate.turn(lambda: False),
        pytest.raises(RecogniserNotStartedError, match="stopping"),
        gate.turn(lambda: True),
    ):
        pass


def test_verification_serves_others_for_a_while_and_while_no_file_changes() -> None:
    """Other files, later ones, and files that nobody could see are compared again."""
    time = HandClock()
    gate = LoadGate(time.clock, PrecisionMemory(Path("/nowhere")))
    assert not gate.is_verified(FILES)
    gate.verified(FILES)
    assert gate.is_verified(FILES)
    assert not gate.is_verified((("model.pt", 1, 2, 4),))
    time.pass_s(VERIFIED_FOR_S - 1)
    assert gate.is_verified(FILES)
    time.pass_s(2)
    assert not gate.is_verified(FILES)
    gate.verified(())
    assert not gate.is_verified(())


def test_one_model_folder_is_verified_once_for_all_recognisers(tmp_path: Path) -> None:
    """The second child is told so; one after a file has changed is not."""
    room = Room(tmp_path)
    folder = lay(tmp_path / "models", "paraformer-zh")
    room.profiles.model_or_error = Model(folder=str(folder))
    room.script = lambda order, content: []
    sessions = [room.session, room.begin_session("second"), room.begin_session("third")]
    for name, session in zip("abc", sessions, strict=True):
        if name == "c":
            (folder / "model.pt").write_bytes(b"another")
        room.way.put(f"{name}.wav", name.encode())
        session.step()
    assert [setup.is_verified for setup in room.setups] == [False, True, False]


def test_what_was_found_damaged_serves_nobody(tmp_path: Path) -> None:
    """A verification that failed is none."""
    room = Room(tmp_path)
    room.profiles.model_or_error = Model(folder=str(lay(tmp_path / "models", "paraformer-zh")))
    room.first = protocol.Broken("model_missing", "model.pt differs")
    for name in "ab":
        room.way.put(f"{name}.wav", name.encode())
    room.session.step()
    room.begin_session("second").step()
    assert [setup.is_verified for setup in room.setups] == [False, False]


def test_child_that_lives_is_not_loaded_again_because_its_files_are_verified(tmp_path: Path) -> None:
    """Whether they were compared is no difference between children."""
    room = Room(tmp_path)
    room.profiles.model_or_error = Model(folder=str(lay(tmp_path / "models", "paraformer-zh")))
    for name in "abc":
        room.way.put(f"{name}.wav", name.encode())
        room.run()
    assert len(room.started) == 1
