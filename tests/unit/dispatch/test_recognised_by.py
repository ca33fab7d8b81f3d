"""What recognised a text is said by who did: a reload in mid-recording signs nothing with another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from room import Model, Room, well
from way import segment

from asr_daemon.dispatch import protocol
from asr_daemon.errors import EngineUnavailableError, ModelMissingError, RecogniserCrashedError
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.writers.facts import BUILTIN

if TYPE_CHECKING:
    from pathlib import Path

BUILT_IN = Model(label="paraformer-tiny", is_builtin=True)
NEW = Model(identity="model@2", label="paraformer-large")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Return a room whose recogniser has the built-in model and is slow to finish."""
    room = Room(tmp_path)
    room.profiles.model_or_error = BUILT_IN
    room.first = protocol.Ready("cuda:0", "whatever", 1, precision="float16")
    room.script = lambda order, content: []
    return room


def attempts(room: Room, job: int = 1) -> list[tuple[object, ...]]:
    """Return what recognised each attempt."""
    rows = room.way.history.db.execute(
        "SELECT recogniser, model_name, model_is_builtin, device, precision FROM attempts"
        " WHERE job_id = ? ORDER BY id",
        [job],
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("now", [NEW, ModelMissingError("it was taken away")])
def test_reload_in_mid_recording_signs_nothing_with_another_model(
    room: Room, now: Model | EngineUnavailableError
) -> None:
    """The new model is there, or missing: the text is the old one's, with its warning, and it is written."""
    room.way.put("a.wav", b"A")
    room.session.step()
    room.profiles.model_or_error = now
    room.started[0].said += well(room.orders[0], b"A")
    room.run()
    job = room.way.job(1)
    assert (job["state"], job["model_name"], job["model_is_builtin"]) == ("done", "paraformer-tiny", 1)
    assert (job["device"], job["precision"]) == ("cuda:0", "float16")
    text = (room.way.inbox / "a.txt").read_text(encoding="utf-8")
    assert "A0 A1" in text
    assert BUILTIN in text
    assert room.session.state.phase != "blocked"


def test_text_of_a_real_model_carries_no_warning(room: Room) -> None:
    """The built-in one that is chosen since does not put its warning there."""
    room.profiles.model_or_error = NEW
    room.way.put("a.wav", b"A", Profile("model@2"))
    room.session.step()
    room.profiles.model_or_error = BUILT_IN
    room.started[0].said += well(room.orders[0], b"A")
    room.run()
    assert room.way.job(1)["model_name"] == "paraformer-large"
    assert BUILTIN not in (room.way.inbox / "a.txt").read_text(encoding="utf-8")


def test_attempts_and_segments_name_what_recognised_them(room: Room) -> None:
    """A crash between two recognisers: each has its part, and the history says which."""
    room.way.put("a.wav", b"A")
    room.session.step()
    room.started[0].said += [
        protocol.Recognised(1, (segment(0, "A0"),)),
        RecogniserCrashedError("was ended by SIGSEGV"),
    ]
    room.first = protocol.Ready("cpu", "whatever", 1)
    room.script = well
    room.run(steps=20, pause_s=20.0)
    assert room.way.job(1)["state"] == "done"
    assert attempts(room) == [
        ("cpu", "paraformer-tiny", 1, "cuda:0", "float16"),
        ("cpu", "paraformer-tiny", 1, "cpu", "float32"),
    ]
    rows = room.way.history.db.execute(
        "SELECT segments.number, attempts.device FROM segments JOIN attempts"
        " ON attempts.id = segments.attempt_id ORDER BY segments.number"
    )
    assert [tuple(row) for row in rows] == [(0, "cuda:0"), (1, "cpu")]


def test_attempt_that_gave_segments_stays_when_the_work_goes_back_untried(room: Room) -> None:
    """The daemon's end in mid-recording: not an attempt that counts, but it did recognise something."""
    room.way.put("a.wav", b"A")
    room.session.step()
    room.started[0].said.append(protocol.Recognised(1, (segment(0, "A0"),)))
    room.session.step()
    room.session.stop()
    room.session.run()
    assert attempts(room) == [("cpu", "paraformer-tiny", 1, "cuda:0", "float16")]
    job = room.way.job(1)
    assert (job["state"], job["attempts"], job["claimed_by"]) == ("queued", 0, None)
