"""Time to first byte of the console's pages, with very many recordings; searches for common and rare words.

    python tests/benchmarks/bench_console.py FOLDER [--recordings 100000] [--segments 40] [--rounds 40]

FOLDER takes the history, made directly in SQL at the first run (a quarter of an hour, 1.7 GB at full size),
and is used again afterwards. The daemon's side answers in this process with nothing else running, the gateway
is a process of its own, and a program asks over one connection, as a browser does. Words are drawn from
jieba's dictionary: the commonest, a spread of the middle, the rarest, pairs of them, and characters that are
common while the phrase is not; none twice. Times are in milliseconds; "processor" is what a request cost
daemon, gateway and the program that asks, together: the figure that a busy machine does not change.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import structlog
from many_recordings import INBOXES, dictionary, make_history

from asr_daemon.access import Accesses, parse_rights
from asr_daemon.config import load_config
from asr_daemon.control.gateway_door import open_door
from asr_daemon.life import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configure(folder: Path, port: int) -> Path:
    """Write the configuration; return its path."""
    text = f'[daemon]\nstate_dir = "state"\n[gateway]\nlisten = "127.0.0.1:{port}"\n'
    for name in INBOXES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        text += f'[[inbox]]\nname = "{name}"\npath = "{name}"\n'
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def searches(chance: random.Random, rounds: int) -> dict[str, list[str]]:
    """Return what is searched for, by kind."""
    words, cumulated = dictionary()
    counts = [cumulated[0], *(right - left for left, right in itertools.pairwise(cumulated))]
    by_count = [
        word for _, word in sorted(zip(counts, words, strict=True), reverse=True) if all(map(_is_han, word))
    ]
    two = [word for word in by_count if len(word) > 1]
    common, middle, rare = two[:1000], two[2000:30_000], two[-50_000:]
    characters = [word for word in by_count[:300] if len(word) == 1]
    draw = chance.sample
    return {
        "one common character": draw(characters, min(rounds, len(characters))),
        "common words": draw(common, rounds),
        "middling words": draw(middle, rounds),
        "rare words": draw(rare, rounds),
        "two common words": [" ".join(draw(common, 2)) for _ in range(rounds)],
        "common and rare": [f"{draw(common, 1)[0]} {draw(rare, 1)[0]}" for _ in range(rounds)],
        "three middling words": [" ".join(draw(middle, 3)) for _ in range(rounds)],
        "common characters that never meet": ["".join(draw(characters, 4)) for _ in range(rounds)],
    }


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"


def first_byte_ms(client: httpx.Client, path: str) -> float:
    """Return after how many milliseconds an answer begins."""
    began = time.perf_counter()
    with client.stream("GET", path) as answer:
        next(answer.iter_raw(), b"")
        took_ms = (time.perf_counter() - began) * 1000
        assert answer.status_code == 200, (path, answer.status_code)
        for _ in answer.iter_raw() if not answer.is_stream_consumed else ():
            pass
    return took_ms


class Meter:
    """Asks for pages and prints what they took; processor time is that of all three processes' parts."""

    def __init__(self, gateway: int) -> None:
        self._gateway = gateway

    def _cpu_ms(self) -> float:
        fields = Path(f"/proc/{self._gateway}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) * 1000 / os.sysconf("SC_CLK_TCK") + time.process_time() * 1000

    def measure(self, name: str, client: httpx.Client, paths: Sequence[str]) -> None:
        """Ask for each once, and print a line."""
        began = self._cpu_ms()
        ordered = sorted(first_byte_ms(client, path) for path in paths)
        spent = (self._cpu_ms() - began) / len(paths)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        mark = "" if p95 < 100 else "  <-- over 100 ms"
        middle = statistics.median(ordered)
        print(f"{name:58} median {middle:6.1f}  p95 {p95:6.1f}  processor {spent:6.1f}{mark}", flush=True)


def pages(chance: random.Random, recordings: int, rounds: int) -> Iterator[tuple[str, list[str]]]:
    """Yield what is asked for besides searches, by kind."""
    numbers = [chance.randrange(1, recordings) for _ in range(rounds)]
    with_words = [max(50, number - number % 50) for number in numbers]
    yield "overview", ["/"] * min(rounds, 20)
    yield "list", ["/recordings"] * rounds
    yield "list, a page in the middle", [f"/recordings?before={number}" for number in numbers]
    yield "list, failed", ["/recordings?state=failed"] * rounds
    yield "list, of the smallest department", [f"/recordings?inbox={INBOXES[-1]}"] * rounds
    yield "list, by a name's end", [f"/recordings?text={number:06d}" for number in numbers]
    yield "list, by a name that none has", [f"/recordings?text=x{number}" for number in numbers]
    yield "list, of a week", ["/recordings?since=2026-02-02&until=2026-02-08"] * rounds
    yield "recording", [f"/recordings/{number}" for number in with_words]


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=lambda name: Path(name).resolve())
    parser.add_argument("--recordings", type=int, default=100_000)
    parser.add_argument("--segments", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    port, chance = free_port(), random.Random(7)
    config_path = configure(options.folder, port)
    config = load_config(config_path)
    if not config.history_path.exists():
        config.history_path.parent.mkdir(parents=True, exist_ok=True)
        make_history(config.history_path, options.recordings, options.segments)
    daemon = Daemon(config, config_path)
    daemon.open()
    assert config.gateway is not None
    accesses = Accesses(daemon.parts.history, daemon.parts.clock)
    for name in [access.name for access in accesses.all()]:
        accesses.remove(name)
    everybody = accesses.add("everybody", INBOXES, parse_rights("read"))
    smallest = accesses.add("smallest", INBOXES[-1:], parse_rights("read"))
    command = [sys.executable, "-m", "asr_daemon", "serve", "-c", os.fspath(config_path)]
    with (
        open_door(daemon.parts, config.gateway),
        subprocess.Popen(command, stderr=subprocess.DEVNULL) as gateway,
    ):
        try:
            while True:
                with socket.socket() as probe:
                    if not probe.connect_ex(("127.0.0.1", port)):
                        break
                time.sleep(0.1)
            clients = [
                httpx.Client(
                    base_url=f"http://127.0.0.1:{port}",
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=60,
                )
                for token in (everybody, smallest)
            ]
            clients[0].get("/models")
            meter = Meter(gateway.pid)
            for kind, paths in pages(chance, options.recordings, options.rounds):
                meter.measure(kind, clients[0], paths)
            for kind, words in searches(chance, options.rounds).items():
                for client, who in zip(clients, ("", ", smallest department"), strict=True):
                    paths = [str(httpx.URL("/search", params={"q": each})) for each in words]
                    meter.measure(f"search, {kind}{who}", client, paths)
        finally:
            gateway.terminate()
    daemon.close()


if __name__ == "__main__":
    main()
