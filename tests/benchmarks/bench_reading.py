"""What it costs to read a long transcript: its page, its words' times, and its answer for programs.

    python tests/benchmarks/bench_reading.py FOLDER [--segments 2000] [--rounds 5]

FOLDER takes a history with a few recordings of that many segments, each with the times of its words, as a
meeting of two hours and a half has. The daemon's side answers in this process, the gateway is a process of
its own. "processor" is what a request cost daemon, gateway and the program that asks, together, in
milliseconds: the figure that a busy machine does not change.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import many_recordings
import structlog
from bench_console import Meter, configure, free_port

from asr_daemon.access import Accesses, parse_rights
from asr_daemon.config import load_config
from asr_daemon.control.gateway_door import open_door
from asr_daemon.life import Daemon

RECORDINGS = 3


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=lambda name: Path(name).resolve())
    parser.add_argument("--segments", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    port = free_port()
    config_path = configure(options.folder, port)
    config = load_config(config_path)
    if not config.history_path.exists():
        config.history_path.parent.mkdir(parents=True, exist_ok=True)
        many_recordings.TOKENS_EVERY = 1
        many_recordings.make_history(config.history_path, RECORDINGS, options.segments)
    daemon = Daemon(config, config_path)
    daemon.open()
    assert config.gateway is not None
    accesses = Accesses(daemon.parts.history, daemon.parts.clock)
    for name in [access.name for access in accesses.all()]:
        accesses.remove(name)
    token = accesses.add("everybody", many_recordings.INBOXES, parse_rights("edit"))
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
            client = httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=120
            )
            client.get("/models")
            meter = Meter(gateway.pid)
            for name, path in (
                ("page", "/recordings/1"),
                ("API, with words", "/api/v1/recordings/1"),
                ("API, without words", "/api/v1/recordings/1?words=false"),
                ("times of 100 segments", "/api/v1/recordings/1/times?first=0&count=100"),
                ("transcript.srt", "/api/v1/recordings/1/transcript.srt"),
            ):
                answer = client.get(path)
                if answer.status_code == 200:
                    print(f"{len(answer.content):>10,} bytes  {path}")
                    meter.measure(name, client, [path] * options.rounds)
        finally:
            gateway.terminate()
    daemon.close()


if __name__ == "__main__":
    main()
