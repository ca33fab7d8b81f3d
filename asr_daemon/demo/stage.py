"""The demonstration's folder and its daemon, a process of its own as under systemd."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from asr_daemon.clock import Clock
from asr_daemon.config import Config, load_config
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.control.status import collect
from asr_daemon.errors import OperatorError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.reading import Which, newest
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typing_extensions import Self

    from asr_daemon.history.reading import Entry

TIMEOUT_S = 120.0
POLL_S = 0.2
STOP_TIMEOUT_S = 10.0
RUBBISH = "会议纪要.wav"
TWIN = "预算会议 - 副本.m4a"
RUBBISH_TEXT = "这不是录音，只是一段改了名字的文字。\n" * 20

CONFIGURATION = """\
[daemon]
state_dir = "state"
log = "json"
log_level = "info"

[backup]
schedule = ""

[engine]
model = "builtin"
"""
INBOX = """
[[inbox]]
name = "{name}"
path = "{name}"
{hotwords}
formats = ["txt", "srt", "json"]
settle_s = 1.0
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording of the package and where it is dropped."""

    source: str  # in the package
    inbox: str
    name: str

    @property
    def key(self) -> str:
        """The name that its references go by: "finance"."""
        return self.source.partition(".")[0]


SAMPLES = (
    Sample("finance.m4a", "finance", "预算会议.m4a"),
    Sample("support.mp3", "support", "客服来电.mp3"),
    Sample("lecture.wav", "lectures", "公开课.wav"),
)
WITH_HOTWORDS = ("finance", "support")
# Two voices, and a sample of one of them, from another recording, by which it is known.
INTERVIEW = Sample("interview.ogg", "interviews", "采访.ogg")
VOICE, SOMEBODY = "voice.ogg", "顾清源"
DEPARTMENTS = ("finance", "support", "lectures", "interviews")


@dataclass(frozen=True, slots=True)
class Results:
    """What the demonstration left behind."""

    folder: Path
    transcripts: dict[str, dict[str, Any]]  # by sample: the .json beside the recording
    without_hotwords: dict[str, dict[str, Any]]  # the same, recognised without the list
    history: list[Entry]
    exit_code: int | None  # of the daemon

    def reference(self, key: str, kind: str) -> list[str]:
        """Return what a sample says, a line a segment: as spoken ("ref") or as written ("written")."""
        return sample_text(f"{key}.{kind}.txt").split()


def sample_text(name: str) -> str:
    """Return a text file that lies beside the samples."""
    return files("asr_daemon.demo").joinpath("audio", name).read_text(encoding="utf-8")


class Stage:
    """Builds the folder on entering and starts the daemon; ends it on leaving."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exit_code: int | None = None
        self._plain: dict[str, int] = {}  # recordings without hotwords, by sample

    def __enter__(self) -> Self:
        text = CONFIGURATION
        self._drop(VOICE, self.folder / "voices" / f"{SOMEBODY}.ogg")
        for name in DEPARTMENTS:
            (self.folder / name).mkdir()
            hotwords = 'speakers = "voices"' if name == INTERVIEW.inbox else ""
            if name in WITH_HOTWORDS:
                (self.folder / f"{name}.hotwords.txt").write_text(
                    sample_text(f"{name}.hotwords.txt"), encoding="utf-8"
                )
                hotwords = f'hotwords = "{name}.hotwords.txt"'
            text += INBOX.format(name=name, hotwords=hotwords)
        config_path = self.folder / "config.toml"
        config_path.write_text(text, encoding="utf-8")
        self.config: Config = load_config(config_path)
        self._start()
        return self

    @contextlib.contextmanager
    def open_again(self, further: str) -> Iterator[Config]:
        """Run the daemon once more, with further lines in its configuration."""
        config_path = self.folder / "config.toml"
        with config_path.open("a", encoding="utf-8") as config:
            config.write(further)
        self.config = load_config(config_path)
        self._start()
        try:
            next(self._statuses())
            yield self.config
        finally:
            self.__exit__()

    def _start(self) -> None:
        with (self.folder / "daemon.log").open("ab") as daemon_log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "asr_daemon", "run", "-c", os.fspath(self.folder / "config.toml")],
                stdin=subprocess.DEVNULL,
                stdout=daemon_log,
                stderr=daemon_log,
            )

    def __exit__(self, *_: object) -> None:
        self._daemon.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self._daemon.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()

    def drop_recordings(self) -> None:
        """Drop what an office drops: four recordings, one of them twice, and something that is none."""
        for sample in (*SAMPLES, INTERVIEW):
            self._drop(sample.source, self.folder / sample.inbox / sample.name)
        shutil.copyfile(self.folder / "finance" / SAMPLES[0].name, self.folder / "finance" / TWIN)
        (self.folder / "finance" / RUBBISH).write_text(RUBBISH_TEXT, encoding="utf-8")

    def _drop(self, source: str, target: Path) -> None:
        target.parent.mkdir(exist_ok=True)
        with as_file(files("asr_daemon.demo").joinpath("audio", source)) as lies_at:
            shutil.copyfile(lies_at, target)

    def wait_for_voice(self) -> None:
        """Wait until the voice of the sample is known."""
        for _ in self._statuses():
            if ask(self.config.socket_path, "speakers_enrolled")["voices"]:
                return

    def wait(self, show: Callable[[dict[str, Any]], None]) -> None:
        """Wait until every recording has its transcript or its failure file, showing how far it is."""
        awaited = len(SAMPLES) + 3
        for status in self._statuses():
            show(status)
            if sum(inbox["done"] + inbox["failed"] for inbox in status["inboxes"]) == awaited:
                return

    def recognise_without_hotwords(self) -> None:
        """Recognise the departments' recordings once more under the default profile, to compare."""
        chosen = [sample for sample in SAMPLES if sample.inbox in WITH_HOTWORDS]
        paths = [os.fspath(self.folder / sample.inbox / sample.name) for sample in chosen]
        answer = ask(self.config.socket_path, "submit", paths=paths)
        self._plain = {
            sample.key: result["recording"] for sample, result in zip(chosen, answer["results"], strict=True)
        }
        history = open_history_read_only(self.config.history_path)
        recordings = Recordings(history, Clock())
        for _ in self._statuses():
            filed = [recordings.get(number) for number in self._plain.values()]
            if all(one is not None and one.work and one.work.state is JobState.DONE for one in filed):
                break
        history.close()

    def _statuses(self) -> Iterator[dict[str, Any]]:
        """Yield the status again and again; raises when the daemon ends or time is up."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s:
            if self._daemon.poll() is not None:
                raise OperatorError(f"the daemon ended with {self._daemon.returncode}:\n{self.last_words()}")
            try:
                status = collect(self.config)
            except (NotRunningError, OperatorError):
                status = {"running": False}  # it is starting
            if status["running"]:
                yield status
            time.sleep(POLL_S)
        raise OperatorError(f"the demonstration was not done within {TIMEOUT_S:.0f} s:\n{self.last_words()}")

    def results(self) -> Results:
        """Return what lies in the folder and in the history now that the daemon has ended."""
        from asr_daemon.delivery.rendering import render  # noqa: PLC0415

        history = open_history_read_only(self.config.history_path)
        plain = {}
        for key, number in self._plain.items():
            filed = Recordings(history, Clock()).get(number)
            if filed is not None:
                plain[key] = json.loads(render(history, filed, "json"))
        entries = newest(history, Which(), limit=len(SAMPLES) * 5)
        history.close()
        transcripts = {}
        for sample in (*SAMPLES, INTERVIEW):
            beside = (self.folder / sample.inbox / sample.name).with_suffix(".json")
            if beside.exists():
                transcripts[sample.key] = json.loads(beside.read_text(encoding="utf-8"))
        return Results(self.folder, transcripts, plain, entries, self.exit_code)

    def last_words(self) -> str:
        """Return the end of the daemon's log."""
        lines = (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-15:])
