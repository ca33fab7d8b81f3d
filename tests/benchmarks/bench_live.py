"""How far live captions are behind the speaker, alone and beside a full queue, and what they cost the queue.

Run: python tests/benchmarks/bench_live.py AUDIO_FOLDER [--seconds 60] [--model builtin]

The folder holds NAME.ref.json (sentences with start_ms, end_ms, text) beside each recording. They are played
in real time, in pieces of 100 ms, into sessions of a real daemon. Prints for each scene:

- final: seconds from the end of a sentence, as the reference has it, to its final text;
- interim: seconds from when the last sound of a reading was spoken to the reading;
- behind: how old what one reads is at worst: the same, to when the next reading or the final comes;
- queue: seconds of speech of the queue recognised a second, and how much that is of what it is without;
- load: the machine's load average, which is everybody's.

At the end: character errors of the live text and of the same recordings transcribed from the file, Chinese
characters only, before normalisation.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rapidfuzz.distance import Levenshtein
from talking import Talker

from asr_daemon.config import load_config
from asr_daemon.control.socket import ask
from asr_daemon.transcripts import live
from support import DaemonUnderTest, convert, eventually

PIECE_S = 0.1
NOT_HANZI = re.compile(r"[^\u4e00-\u9fff]")
RAW = ("-f", "s16le", "-ar", "16000", "-ac", "1")
QUEUED = 160  # recordings of some minutes: the scenes do not come to their end


@dataclass
class Recording:
    """A recording with its reference."""

    path: Path
    sound: bytes
    sentences: list[dict]

    @property
    def text(self) -> str:
        """Chinese characters of the reference."""
        return NOT_HANZI.sub("", "".join(one["text"] for one in self.sentences))


@dataclass
class Played:
    """One session that was played, and what came when."""

    recording: Recording
    talker: Talker
    began_s: float = 0.0
    until_ms: int = 0

    def play(self, seconds: float) -> None:
        """Speak as fast as a person does."""
        sound = self.recording.sound[: int(seconds * live.BYTES_PER_S)]
        self.until_ms = len(sound) * 1000 // live.BYTES_PER_S
        piece = int(PIECE_S * live.BYTES_PER_S)
        self.began_s = time.monotonic()
        for number, at in enumerate(range(0, len(sound), piece), 1):
            time.sleep(max(0.0, self.began_s + number * PIECE_S - time.monotonic()))
            self.talker.say(sound[at : at + piece])
        self.talker.end_speech()
        self.talker.wait_for_end()

    def finals_s(self) -> list[float]:
        """Return how long each sentence's final text took; those that have no pause behind them left out."""
        found = []
        sentences = self.recording.sentences
        starts = [one["start_ms"] for one in sentences[1:]] + [1 << 40]
        for sentence, next_ms in zip(sentences, starts, strict=True):
            for at_s, event in zip(self.talker.times_s, self.talker.events, strict=True):
                ends_here = (
                    isinstance(event, live.Final)
                    and event.start_ms < sentence["end_ms"] <= event.end_ms + 300
                    and event.end_ms <= next_ms
                    and sentence["end_ms"] < self.until_ms - 1000
                )
                if ends_here:
                    found.append(at_s - self.began_s - sentence["end_ms"] / 1000)
                    break
        return found

    def interims_s(self) -> tuple[list[float], list[float]]:
        """Return the age of each reading when it came, and when the next took its place."""
        fresh, old = [], []
        before: float | None = None
        for at_s, event in zip(self.talker.times_s, self.talker.events, strict=True):
            if not isinstance(event, (live.Interim, live.Final)):
                continue
            if before is not None:
                old.append(at_s - before)
            before = None
            if isinstance(event, live.Interim):
                before = self.began_s + event.heard_ms / 1000
                fresh.append(at_s - before)
        return fresh, old


@dataclass
class Scene:
    """A measurement."""

    name: str
    sessions: int
    is_queue_full: bool
    finals_s: list[float] = field(default_factory=list)
    fresh_s: list[float] = field(default_factory=list)
    old_s: list[float] = field(default_factory=list)
    queue_rtfx: float = 0.0
    load: float = 0.0


class Hall:
    """A daemon with recordings to play."""

    def __init__(self, folder: Path, recordings: list[Recording], model: str) -> None:
        self.recordings = recordings
        self.daemon = DaemonUnderTest(
            folder,
            inboxes={"queue": "", "live": 'formats = ["json"]'},
            extra=f'[engine]\nmodel = "{model}"\n',
        )
        self.folder = folder
        self.daemon.start()
        self.socket = load_config(self.daemon.config_path).socket_path
        self.pieces: dict[str, list[str]] = {}

    def open(self, recording: Recording) -> Played:
        """Begin a session."""
        ours, theirs = socket.socketpair()
        with theirs:
            ask(self.socket, "live_open", inbox="live", descriptors=[theirs.fileno()])
        return Played(recording, Talker(ours).listen())

    def fill_queue(self) -> None:
        """Put in more than can be recognised meanwhile."""
        for number in range(QUEUED):
            sound = self.recordings[number % len(self.recordings)].sound
            made = self.folder / f"{number}.wav"
            with wave.open(os.fspath(made), "wb") as file:
                file.setparams((1, 2, 16_000, 0, "NONE", ""))
                file.writeframes(bytes(2 * number) + sound * 9)
            made.rename(self.folder / "queue" / made.name)
        eventually(lambda: self.daemon.live()["in_work"], within_s=300)

    def recognised_s(self) -> float:
        """Return how much speech of the queue was recognised so far."""
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "history.db")) as history:
            ((ms,),) = history.execute(
                "SELECT coalesce(sum(end_ms - start_ms), 0) FROM segments WHERE raw_text IS NOT NULL"
            )
        return float(ms) / 1000

    def measure(self, scene: Scene, seconds: float) -> list[Played]:
        """Play a scene."""
        played = [self.open(self.recordings[number]) for number in range(scene.sessions)]
        before_s, began_s = self.recognised_s(), time.monotonic()
        threads = [threading.Thread(target=each.play, args=(seconds,)) for each in played]
        for number, thread in enumerate(threads):
            thread.start()
            time.sleep(0.05 * number)
        if not threads:
            time.sleep(seconds)
        for thread in threads:
            thread.join()
        scene.queue_rtfx = (self.recognised_s() - before_s) / (time.monotonic() - began_s)
        scene.load = os.getloadavg()[0]
        for each in played:
            scene.finals_s += each.finals_s()
            fresh, old = each.interims_s()
            scene.fresh_s += fresh
            scene.old_s += old
        return played


def read(folder: Path, scratch: Path) -> list[Recording]:
    """Return the recordings, the longest first."""
    found = []
    for reference in sorted(folder.glob("*.ref.json")):
        stem = reference.name.removesuffix(".ref.json")
        if stem.startswith("espeak"):
            continue  # no voice that a model knows
        path = next(each for each in folder.glob(f"{stem}.*") if ".ref." not in each.name)
        raw = convert(path, scratch / f"{stem}.pcm", *RAW)
        found.append(Recording(path, raw.read_bytes(), json.loads(reference.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda one: -len(one.sound))


def percentile(values: list[float], share: float) -> float:
    """Return the value that so many lie at or below."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def show(scene: Scene, alone_rtfx: float) -> None:
    """Print a line of the table."""
    figures = [
        f"{percentile(values, share):6.2f}"
        for values in (scene.finals_s, scene.fresh_s, scene.old_s)
        for share in (0.5, 0.95)
    ]
    queue = (
        f"{scene.queue_rtfx:6.1f} {scene.queue_rtfx / alone_rtfx:5.0%}" if scene.is_queue_full else " " * 12
    )
    print(
        f"{scene.name:28} {len(scene.finals_s):4}  {'  '.join(figures)}  {queue}  {scene.load:5.1f}",
        flush=True,
    )


def errors(said: str, recording: Recording) -> int:
    """Return the character errors of a text."""
    return int(Levenshtein.distance(recording.text, NOT_HANZI.sub("", said)))


def compare(hall: Hall) -> None:
    """Print how right the live text is, against the transcript of the same file."""
    live_wrong = offline_wrong = length = 0
    for recording in hall.recordings:
        played = hall.open(recording)
        played.talker.say(recording.sound)
        played.talker.end_speech()
        played.talker.wait_for_end()
        name = f"offline_{recording.path.name}"
        (hall.folder / "live" / name).write_bytes(recording.path.read_bytes())
        result = (hall.folder / "live" / name).with_suffix(".json")
        eventually(result.exists, within_s=300)
        offline = "".join(
            one["raw_text"] for one in json.loads(result.read_text(encoding="utf-8"))["segments"]
        )
        live_wrong += errors("".join(one.raw_text for one in played.talker.of(live.Final)), recording)
        offline_wrong += errors(offline, recording)
        length += len(recording.text)
    print(
        f"characters wrong of {length}: live {live_wrong / length:.2%}, offline {offline_wrong / length:.2%}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each scene")
    parser.add_argument("--model", default="builtin")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hall = Hall(folder, read(options.folder, folder), options.model)
        try:
            hall.measure(Scene("warm", 1, False), 3.0)
            print(f"{'':28} {'':4}  {'final s':>14}  {'interim s':>14}  {'behind s':>14}  {'queue':>12}")
            print(f"{'':28} {'n':>4}  " + "  ".join(["   p50", "   p95"] * 3) + "    rtfx share   load")
            for scene in (Scene("idle, one session", 1, False), Scene("idle, two sessions", 2, False)):
                hall.measure(scene, options.seconds)
                show(scene, 1.0)
            compare(hall)
            hall.fill_queue()
            alone = Scene("full queue, nobody speaks", 0, True)
            hall.measure(alone, options.seconds)
            show(alone, alone.queue_rtfx)
            for sessions in (1, 2):
                scene = Scene(f"full queue, {sessions} session{'s' * (sessions > 1)}", sessions, True)
                hall.measure(scene, options.seconds)
                show(scene, alone.queue_rtfx)
            again = Scene("full queue, nobody, again", 0, True)
            hall.measure(again, options.seconds)
            show(again, alone.queue_rtfx)
        finally:
            hall.daemon.kill()


if __name__ == "__main__":
    main()
