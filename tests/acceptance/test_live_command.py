"""``asr-daemon live``: words in a terminal while somebody speaks, from a real daemon."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import SAMPLES, DaemonUnderTest, convert, eventually, reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonUnderTest]:
    """A running daemon with an inbox."""
    daemon = DaemonUnderTest(
        tmp_path_factory.mktemp("hall"),
        inboxes={"讲座": f'hotwords = "{SAMPLES / "finance.hotwords.txt"}"'},
        extra='[engine]\nprecision = "float32"\nlive = 2\n',
    ).start()
    yield daemon
    daemon.kill()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw sound of somebody who speaks."""
    target = tmp_path_factory.mktemp("sound") / "finance.pcm"
    return convert(SAMPLES / "finance.m4a", target, "-f", "s16le", "-ar", "16000", "-ac", "1")


def begin(hall: DaemonUnderTest, *arguments: str, **pipes: object) -> subprocess.Popen[bytes]:
    """Start the command."""
    command = [sys.executable, "-m", "asr_daemon", "live", "-c", os.fspath(hall.config_path), *arguments]
    return subprocess.Popen(command, **{"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, **pipes})  # type: ignore[call-overload]


def run(hall: DaemonUnderTest, source: Path, *arguments: str) -> tuple[int, str, str]:
    """Run it to its end; return its code and what it prints."""
    with source.open("rb") as stdin, begin(hall, *arguments, stdin=stdin) as process:
        out, errors = process.communicate(timeout=120)
    return process.returncode, out.decode(), errors.decode()


def test_what_is_spoken_is_printed_also_while_the_queue_is_paused(hall: DaemonUnderTest, sound: Path) -> None:
    """A line a sentence, as a transcript has it; nothing of it is kept."""
    assert hall.command("pause").returncode == 0
    code, out, errors = run(hall, sound, "--inbox", "讲座")
    assert (code, errors) == (0, "")
    assert "".join(out.split()) == reference("finance")
    assert len(out.splitlines()) >= 2
    assert hall.command("resume").returncode == 0
    assert hall.history() == []
    (opened,), (ended,) = hall.events("live_session_opened"), hall.events("live_session_ended")
    assert (opened["inbox"], ended["segments"]) == ("讲座", len(out.splitlines()))


def test_programs_read_json(hall: DaemonUnderTest, sound: Path) -> None:
    """Every event is an object, the last says that all was said."""
    code, out, _ = run(hall, sound, "--inbox", "讲座", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert events[-1] == {"type": "Ended"}
    assert {"Final", "Heard"} <= {event["type"] for event in events}


def test_a_terminal_shows_the_sentence_that_is_being_spoken(hall: DaemonUnderTest, sound: Path) -> None:
    """In place, until the sentence is whole; Ctrl-C ends it with the last words."""
    ours, theirs = pty.openpty()
    with begin(hall, "--inbox", "讲座", stdin=subprocess.PIPE, stdout=theirs) as process:
        os.close(theirs)
        assert process.stdin is not None
        process.stdin.write(sound.read_bytes()[:96_000])
        process.stdin.flush()
        shown = b""
        while b"\x1b[K" not in shown:
            shown += os.read(ours, 4096)
        eventually(lambda: len(hall.live()["live"]["sessions"]) == 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    while b"\n" not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    last = shown.decode().split("\x1b[K")[-1].strip()
    assert last.startswith("2025年3月15日")


@pytest.fixture
def loudspeaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A PulseAudio of our own, whose loudspeaker can be recorded; return the loudspeaker's name."""
    if not (shutil.which("pulseaudio") and shutil.which("paplay")):
        pytest.skip("PulseAudio is not installed")
    address = tmp_path / "loudspeaker"
    for name in ("HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, os.fspath(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{address}")
    socket_ = f"module-native-protocol-unix auth-anonymous=1 socket={address}"
    command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--load", socket_, "--load"]
    with subprocess.Popen([*command, "module-null-sink sink_name=hall"], stderr=subprocess.DEVNULL) as server:
        eventually(address.exists)
        yield "hall"
        server.terminate()


def test_a_device_is_recorded(hall: DaemonUnderTest, loudspeaker: str, tmp_path: Path) -> None:
    """What a sound card hears; Ctrl-C ends it with the last words. One that is not there is told."""
    with begin(hall, "--inbox", "讲座", "--device", "nowhere") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"cannot record from nowhere" in errors

    played = convert(SAMPLES / "finance.m4a", tmp_path / "played.wav", "-af", "apad=pad_dur=1")
    before = len(hall.events("live_session_opened"))
    with begin(hall, "--inbox", "讲座", "--device", f"{loudspeaker}.monitor") as process:
        eventually(lambda: len(hall.events("live_session_opened")) > before)
        eventually(lambda: "RUNNING" in listed("sources"), what="the recording")
        subprocess.run(["paplay", "-d", loudspeaker, os.fspath(played)], check=True)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert "".join(out.decode().split()) == reference("finance")


def listed(what: str) -> str:
    """Return what PulseAudio has of that kind."""
    return subprocess.run(["pactl", "list", "short", what], capture_output=True, text=True, check=True).stdout


def test_what_is_no_sound_is_refused(hall: DaemonUnderTest, tmp_path: Path) -> None:
    """One sentence, and what is expected instead."""
    source = tmp_path / "source"
    source.write_text("讲稿：今天我们讨论三个问题。\n" * 200, encoding="utf-8")
    code, out, errors = run(hall, source, "--inbox", "讲座")
    assert (code, out) == (1, "")
    assert "This is text." in errors
    assert "16 kHz" in errors
    assert len(errors.splitlines()) == 1


def test_one_too_many_is_refused_and_a_killed_recogniser_ends_the_others(
    hall: DaemonUnderTest, sound: Path
) -> None:
    """Each with its reason; the next session has a recogniser again."""
    speakers = [begin(hall, "--inbox", "讲座", stdin=subprocess.PIPE) for _ in range(2)]
    eventually(lambda: len(hall.live()["live"]["sessions"]) == 2)
    code, _, errors = run(hall, sound, "--inbox", "讲座")
    assert code == 1
    assert "2 live sessions are open" in errors
    os.kill(hall.live()["recogniser"]["pid"], signal.SIGKILL)
    for process in speakers:
        with process:
            assert process.wait(60) == 1
            assert process.stderr is not None
            assert "the recogniser was ended" in process.stderr.read().decode()
    code, out, _ = run(hall, sound, "--inbox", "讲座")
    assert (code, "".join(out.split())) == (0, reference("finance"))
    assert len(hall.events("live_session_lost")) == 2


def test_without_a_daemon_nobody_listens(tmp_path: Path, sound: Path) -> None:
    """The sentence says what to start."""
    code, out, errors = run(DaemonUnderTest(tmp_path, inboxes={"讲座": ""}), sound, "--inbox", "讲座")
    assert (code, out) == (1, "")
    assert "no daemon is running" in errors
