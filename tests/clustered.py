"""A Ray cluster on this machine, whose nodes have cards that nobody has seen; one who plays the daemon."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr_daemon.control.listening import short_name
from asr_daemon.dispatch import cluster_messages, protocol
from asr_daemon.dispatch.channel import Channel
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.files.passing import receive_some, send_line
from asr_daemon.inboxes.fingerprint import fingerprint
from asr_daemon.models.catalogue import resolve
from asr_daemon.models.weights import describe
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.models.weights import Weights

STORE_BYTES = 100 << 20
PLAIN = Profile("m")
PATIENCE_S = 60.0
BUILTIN = resolve("builtin", Path("/nonexistent"), "cpu")


def setup(**changes: object) -> protocol.Setup:
    """Return what a daemon with the built-in model says to a child, on a processor with one thread."""
    fields: dict[str, Any] = {
        "model_name": BUILTIN.name,
        "model_family": BUILTIN.family,
        "model_folder": BUILTIN.folder,
        "vad_folder": "",
        "punctuation_folder": "",
        "device": "cpu",
        "batch_s": 0.0,
        "threads": 1,
        "ffmpeg": str(find_ffmpeg()),
        "max_duration_s": 3600.0,
    }
    return protocol.Setup(**{**fields, **changes})


class RayCluster:
    """A head without cards, and nodes with one each; in a folder of its own, gone with it."""

    def __init__(self, nodes: int = 2, environment: dict[str, str] | None = None) -> None:
        from ray.cluster_utils import Cluster  # noqa: PLC0415 (where Ray is not installed, tests skip)

        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short names
        self.client_port = free_port()
        self._environment = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": str(self.folder),
            **(environment or {}),
        }
        self.nodes: dict[str, Any] = {}
        (self.folder / "ray").mkdir()
        with self._surrounded():
            self._start(Cluster, nodes)

    def _start(self, make: Any, nodes: int) -> None:
        self._cluster = make(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "num_gpus": 0,
                "object_store_memory": STORE_BYTES,
                "include_dashboard": False,
                "ray_client_server_port": self.client_port,
            },
        )
        for number in range(1, nodes + 1):
            self.add_node(f"gpu{number}")

    @contextlib.contextmanager
    def _surrounded(self) -> Iterator[None]:
        """Be the environment that Ray's processes are started in."""
        kept = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        try:
            yield
        finally:
            for name, value in kept.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})

    def add_node(self, name: str, cards: int = 1) -> None:
        """Add a machine."""
        with self._surrounded():
            self.nodes[name] = self._cluster.add_node(
                num_cpus=1, num_gpus=cards, object_store_memory=STORE_BYTES, node_name=name
            )

    @property
    def address(self) -> str:
        """The head's own address."""
        return str(self._cluster.address)

    @property
    def client_address(self) -> str:
        """The address for who is no part of it."""
        return f"ray://127.0.0.1:{self.client_port}"

    def raylet(self, name: str) -> int:
        """Return the process number of a machine's raylet."""
        return int(self.nodes[name].all_processes["raylet"][0].process.pid)

    def workers(self, name: str) -> list[int]:
        """Return those of the processes that a machine has started, with theirs."""
        return descendants(self.raylet(name))

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """Return the numbers of a process's children, and theirs."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in thread.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def rss_mb(pid: int) -> float:
    """Return the memory that a process has to itself and shares, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Heard:
    """Everything that was said of one order, and of the recogniser."""

    segments: list[Any] = field(default_factory=list)
    end: protocol.Finished | protocol.Failed | None = None
    ended_s: float = 0.0

    @property
    def text(self) -> str:
        """What was recognised."""
        return "".join(one.raw_text for one in sorted(self.segments, key=lambda one: one.index))


class Remote:
    """A recogniser as the daemon has it: hired, or a child here."""

    def __init__(self, send: Callable[..., None], receive: Callable[[float], Any]) -> None:
        self._send, self._receive = send, receive
        self.first: protocol.Ready | protocol.Broken | protocol.Lost | None = None
        self.lost: protocol.Lost | None = None
        self.lost_s = 0.0
        self.is_over = False
        self.after_lost = 0  # messages
        self.notes: list[protocol.Note] = []
        self.heard: dict[int, Heard] = {}
        self._orders = 0

    def begin(
        self,
        file: Path,
        /,
        *,
        root: Path | None = None,
        done: tuple = (),
        profile: Profile = PLAIN,
        **source: Any,
    ) -> int:
        """Hand over a recording; ``source`` is what else shall be said of its file than what is true."""
        self._orders += 1
        self.heard[self._orders] = Heard()
        fd = os.open(file, os.O_RDONLY)
        try:
            found = fingerprint(fd)
            fields = {"size_bytes": found.size_bytes, "mtime_ns": found.mtime_ns, "sha256": found.sha256}
            where = {} if root is None else {"path": str(file), "root": str(root)}
            order = protocol.Recognise(
                self._orders,
                100 + self._orders,
                file.name,
                profile,
                done,
                source=protocol.Source(**{**fields, **where, **source}),
            )
            self._send(order, fd)
        finally:
            os.close(fd)
        return self._orders

    def cancel(self, order: int) -> None:
        """Cancel an order."""
        self._send(protocol.Cancel(order))

    def listen(self, until: Callable[[], object], within_s: float = PATIENCE_S) -> None:
        """Take in what is said, and commit it, until something is so."""
        deadline_s = time.monotonic() + within_s
        while not until():
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"not within {within_s} s; lost: {self.lost}, heard: {self.heard}"
            try:
                received = self._receive(min(left_s, 1.0))
            except EOFError:
                self.is_over = True
                self.hang_up()
                assert until(), f"it hung up; first: {self.first}, lost: {self.lost}"
                return
            if received is not None:
                self.take(received)

    def hang_up(self) -> None:
        """Close this end."""

    def take(self, message: protocol.Message) -> None:
        """Take in one message."""
        self.after_lost += self.lost is not None
        match message:
            case protocol.Ready() | protocol.Broken():
                self.first = message
            case protocol.Lost():
                self.first = self.first or message
                self.lost, self.lost_s = message, time.monotonic()
            case protocol.Recognised(order, segments):
                self.heard[order].segments += segments
                self._send(protocol.Saved(order))
            case protocol.Finished() | protocol.Failed():
                self.heard[message.order].end = message
                self.heard[message.order].ended_s = time.monotonic()
            case protocol.Note():
                self.notes.append(message)

    def finish(self, *orders: int, within_s: float = PATIENCE_S) -> list[Heard]:
        """Wait for the end of orders."""
        self.listen(lambda: all(self.heard[order].end for order in orders), within_s)
        return [self.heard[order] for order in orders]

    def transcribe(self, file: Path, /, **more: Any) -> Heard:
        """Recognise one recording."""
        return self.finish(self.begin(file, **more))[0]


class Hired(Remote):
    """One that came over the bridge."""

    def __init__(self, end: socket.socket) -> None:
        self._channel = Channel(end)

        def receive(within_s: float) -> protocol.Message | None:
            received = self._channel.receive(within_s)
            return received[0] if received else None

        super().__init__(self._channel.send, receive)

    def begin_loading(self, said: protocol.Setup | None = None) -> None:
        """Set it up."""
        self._channel.send(said or setup())

    def load(self, said: protocol.Setup | None = None) -> Hired:
        """Set it up, and wait until it says how that went."""
        self.begin_loading(said)
        self.listen(lambda: self.first)
        return self

    def await_loss(self, within_s: float) -> protocol.Lost:
        """Wait until it is lost, and hung up."""
        began_s = time.monotonic()
        self.listen(lambda: self.is_over, within_s)
        assert self.lost is not None
        print(f"{self.lost.code} {self.lost_s - began_s:.1f} s later: {self.lost.message}")  # noqa: T201
        return self.lost

    def stop(self) -> None:
        """Ask it to end."""
        self._channel.send(protocol.Stop())

    def hang_up(self) -> None:
        """Close this end: that dismisses it."""
        self._channel.close()


class PlayedDaemon:
    """Listens for the bridge, which runs in a process of its own."""

    def __init__(self, folder: Path, address: str, extra: str = "insecure = true") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.config_path = folder / "config.toml"
        self.log_path = folder / "bridge.log"
        self.config_path.write_text(
            f'[daemon]\nstate_dir = "state"\nlog = "json"\n[cluster]\naddress = "{address}"\n'
            f'socket = "cluster.sock"\n{extra}\n',
            encoding="utf-8",
        )
        self.hello: cluster_messages.Hello | None = None
        self.offers: list[cluster_messages.Offer] = []
        self._line: socket.socket | None = None
        self._leases = 0
        self._listener: socket.socket | None = None
        self.bridge: subprocess.Popen[bytes] | None = None
        self.listen()

    def listen(self) -> None:
        """Be there."""
        path = self.folder / "cluster.sock"
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_name(path) as name:
            self._listener.bind(name)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            self._line = line
            data = b""
            while received := receive_some(line, 1)[0]:
                *lines, data = (data + received).split(b"\n")
                for each in lines:
                    self._take(cluster_messages.decode(each))
            self._line = None

    def _take(self, message: cluster_messages.Message) -> None:
        if isinstance(message, cluster_messages.Hello):
            self.hello = message
        elif isinstance(message, cluster_messages.Offer):
            self.offers.append(message)

    def start_bridge(self, **environment: str) -> PlayedDaemon:
        """Start it."""
        with self.log_path.open("ab") as log:
            self.bridge = subprocess.Popen(
                [sys.executable, "-m", "asr_daemon", "bridge", "-c", os.fspath(self.config_path)],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def refuse(self, message: str) -> None:
        """Want no bridge."""
        assert self._line is not None
        send_line(self._line, cluster_messages.encode(cluster_messages.Refused(message)))

    def hire(self, weights: tuple[Weights, ...] | None = None) -> Hired:
        """Want a recogniser."""
        assert self._line is not None
        self._leases += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        hire = cluster_messages.Hire(
            self._leases, f"remote {self._leases}", describe(BUILTIN) if weights is None else weights
        )
        with theirs:
            send_line(self._line, cluster_messages.encode(hire), (theirs.fileno(),))
        return Hired(ours)

    def hang_up(self) -> None:
        """End, as a daemon that is killed."""
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._line is not None:
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the bridge, and the daemon."""
        if self.bridge is not None and self.bridge.poll() is None:
            self.bridge.send_signal(signal.SIGTERM)
            self.bridge.wait(20)
        self.hang_up()


def sha256(content: bytes) -> str:
    """Return a digest, hexadecimal."""
    return hashlib.sha256(content).hexdigest()
