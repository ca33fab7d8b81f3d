"""What goes wrong costs what it must, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from conftest import DEMO, REPOSITORY, Driver, builtin_setup

from asr_daemon.dispatch.protocol import Broken, Cancel, Failed, Finished, Recognised
from asr_daemon.errors import RecogniserCrashedError
from asr_daemon.transcripts.profile import Profile

pytestmark = pytest.mark.slow


def write_wave(path: Path, samples: np.ndarray) -> Path:
    """Write 16 kHz mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def longer(path: Path, times: int) -> Path:
    """Write the lecture several times over."""
    with wave.open(str(DEMO / "lecture.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    return write_wave(path, np.tile(samples, times))


def test_tiny_and_silent_recordings_finish_without_speech(driver: Driver, tmp_path: Path) -> None:
    """20 ms of sound and five seconds of silence are no failures."""
    noise = np.random.default_rng(1).normal(0, 0.1, 320).astype(np.float32)
    for samples in (noise, np.zeros(80_000, np.float32)):
        outcome = driver.transcribe(write_wave(tmp_path / "a.wav", samples))
        assert isinstance(outcome.end, Finished)
        assert [flag for flag in outcome.end.flags if ":" not in flag] == ["no_speech"]  # the others tell why
        assert outcome.end.segment_count == 0
        assert outcome.end.duration_ms == len(samples) // 16


def test_a_bad_recording_fails_alone(driver: Driver, tmp_path: Path) -> None:
    """Rubbish between two good recordings gets its own error; the others are untouched."""
    (tmp_path / "rubbish.wav").write_text("no sound\n" * 100)
    (tmp_path / "empty.wav").touch()
    jobs = [
        driver.begin(path)
        for path in (
            DEMO / "lecture.wav",
            tmp_path / "rubbish.wav",
            tmp_path / "empty.wav",
            DEMO / "lecture.wav",
        )
    ]
    first, rubbish, empty, last = driver.finish(*jobs)
    assert isinstance(rubbish.end, Failed)
    assert (rubbish.end.code, empty.end.code) == ("not_decodable", "empty_file")
    assert rubbish.end.evidence
    assert first.text == last.text != ""


def test_a_cut_off_recording_keeps_what_is_there(driver: Driver, tmp_path: Path) -> None:
    """Half a recording is transcribed and flagged as truncated."""
    content = (DEMO / "lecture.wav").read_bytes()
    (tmp_path / "half.wav").write_bytes(content[: len(content) // 2])
    outcome = driver.transcribe(tmp_path / "half.wav")
    assert outcome.end.flags == ("truncated",)
    assert outcome.text.startswith("同学们今天我们来学习")


def test_a_recording_over_the_limit_fails(driver: Driver, tmp_path: Path) -> None:
    """The hour that the setup allows is not exceeded, and nothing follows the failure."""
    path = write_wave(tmp_path / "a.wav", np.zeros(3_601 * 16_000, np.float32))
    assert driver.transcribe(path).end.code == "too_long"


def test_done_segments_are_not_recognised_again(driver: Driver, tmp_path: Path) -> None:
    """Resuming recognises exactly what is missing, with the same text as without the interruption."""
    path = longer(tmp_path / "a.wav", 3)
    whole = driver.transcribe(path)
    everything = {segment.index: segment for segment in whole.segments}
    done = (*tuple(whole.places[:4]), whole.places[6])
    rest = driver.transcribe(path, done=done)
    indices = {index for index, _, _ in done}
    assert {segment.index for segment in rest.segments} == set(everything) - indices
    assert all(segment == everything[segment.index] for segment in rest.segments)
    assert rest.end.segment_count == whole.end.segment_count
    nothing = driver.transcribe(path, done=tuple(whole.places))
    assert nothing.segments == []
    assert isinstance(nothing.end, Finished)


def test_a_killed_child_s_work_is_finished_by_the_next_to_the_same_byte(
    driver: Driver, own_driver: Driver, tmp_path: Path
) -> None:
    """Killed with SIGKILL in mid-recording; what the next child adds makes the uninterrupted transcript."""
    path = longer(tmp_path / "a.wav", 8)
    job = own_driver.begin(path)
    own_driver.listen(lambda message: isinstance(message, Recognised))
    os.kill(own_driver.child.pid, signal.SIGKILL)
    with pytest.raises(RecogniserCrashedError) as caught:
        own_driver.listen(lambda _message: False)
    assert "SIGKILL" in str(caught.value)
    committed = own_driver.outcomes[job].segments
    whole = driver.transcribe(path)
    assert 0 < len(committed) < len(whole.segments)
    done = tuple((one.index, one.start_ms, one.end_ms) for one in committed)
    rest = driver.transcribe(path, done=done)
    merged = sorted([*committed, *rest.segments], key=lambda one: one.index)
    assert merged == sorted(whole.segments, key=lambda one: one.index)


def test_a_cancelled_job_is_never_heard_of_again(driver: Driver, tmp_path: Path) -> None:
    """Nothing is said of it after the next recording has begun, which is not delayed to its end."""
    cancelled = driver.begin(longer(tmp_path / "long.wav", 60))
    driver.listen(lambda message: isinstance(message, Recognised))
    driver.child.send(Cancel(cancelled))
    next_job = driver.begin(DEMO / "lecture.wav")
    (outcome,) = driver.finish(next_job)
    assert outcome.text.startswith("同学们")
    assert driver.outcomes[cancelled].end is None


def test_stop_ends_the_child_after_the_batch_in_hand(own_driver: Driver, tmp_path: Path) -> None:
    """A child with hours of work before it obeys within its time, with status 0."""
    own_driver.begin(longer(tmp_path / "long.wav", 60))
    own_driver.listen(lambda message: isinstance(message, Recognised))
    assert own_driver.child.is_alive
    assert own_driver.child.stop(20)
    assert not own_driver.child.is_alive


def test_the_child_ends_with_the_daemon(tmp_path: Path) -> None:
    """A daemon that is killed leaves no recogniser behind, not even one that is loading."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from conftest import *\n"
        "child = RecogniserProcess.spawn(builtin_setup())\n"
        "print(child.pid, flush=True)\n"
        "child.receive(100)\n"
        "import signal; signal.pause()\n"
    )
    daemon = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert daemon.stdout is not None
    pid = int(daemon.stdout.readline())
    watch = os.pidfd_open(pid)
    daemon.kill()
    daemon.wait()
    import select  # noqa: PLC0415

    assert select.select([watch], [], [], 20)[0], "the recogniser outlived its daemon"
    os.close(watch)
    daemon.stdout.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"device": "cuda:7"}, "device_missing"), ({"model_folder": "/nonexistent"}, "model_missing")],
)
def test_a_child_that_cannot_work_says_why_and_ends(changes: dict, code: str) -> None:
    """A device or model that is not there is said in the first message, never replaced silently."""
    driver = Driver(builtin_setup(**changes))
    assert isinstance(driver.first, Broken)
    assert driver.first.code == code
    with pytest.raises(RecogniserCrashedError):
        driver.child.receive(20)
    driver.child.kill()


def test_hotwords_that_the_model_cannot_write_are_counted(driver: Driver) -> None:
    """Words outside the vocabulary are kept from the model; the log says how many, never which."""
    driver.notes.clear()
    profile = Profile("m", hotwords=("龘靐齉", "http://a.b/c.txt", "顾清源"), phonetic_correction=False)
    outcome = driver.transcribe(DEMO / "finance.m4a", profile)
    assert "顾清源" in outcome.text
    (note,) = [note for note in driver.notes if note.event == "hotwords_unknown_to_model"]
    assert note.fields["count"] == 2
    assert not [word for word in profile.hotwords if word in repr(driver.notes)]
