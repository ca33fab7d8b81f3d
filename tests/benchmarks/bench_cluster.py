"""How much a cluster adds: throughput of 1, 2 and 4 machines, bytes and time a recording, idle memory.

Machines are Ray nodes here, with a card that nobody has seen; their recogniser is simulated: it takes a fixed
time for a segment and computes nothing, so that what is measured is everything else. The daemon is played.

    PYTHONPATH=. python tests/benchmarks/bench_cluster.py [--client] [--machines 1 2 4]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from clustered import Hired, PlayedDaemon, RayCluster, rss_mb

from support import eventually

SEGMENT_MS = 100
SEGMENTS = 20
RECORDINGS = 48
RECORDING_BYTES = 2 << 20
LARGE_BYTES = 256 << 20
AT_ONCE = 3  # recordings in work on a machine
FAKE = Path(__file__).parents[1] / "fake_recogniser.py"


@dataclass(frozen=True, slots=True)
class Run:
    """What one number of machines did."""

    machines: int
    took_s: float
    bridge_cpu_s: float
    sent_bytes: int


def simulate(folder: Path) -> dict[str, str]:
    """Return the environment in which machines start the simulated recogniser."""
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'ray' in ' '.join(sys.orig_argv):\n"
        "    from asr_daemon.dispatch import local_process\n"
        f"    local_process.PROGRAM = ({str(FAKE)!r},)\n"
    )
    return {"PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"}


def write(folder: Path, name: str, size: int, segments: int, ms: int) -> Path:
    """Write a recording for the simulated recogniser."""
    head = f"FAKE {json.dumps({'segments': segments, 'ms': ms})}\n{name}\n".encode()
    path = folder / name
    path.write_bytes(head + os.urandom(size - len(head)))
    return path


def work(hired: Hired, left: list[Path]) -> None:
    """Keep one machine at work until nothing is left."""
    begun: set[int] = set()
    while True:
        while left and len(begun) < AT_ONCE:
            try:
                begun.add(hired.begin(left.pop()))
            except IndexError:
                break
        if not begun:
            return
        hired.listen(lambda begun=begun: any(hired.heard[order].end for order in begun), 120)
        begun = {order for order in begun if hired.heard[order].end is None}


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sent_bytes(daemon: PlayedDaemon) -> int:
    """Return how much the bridge says that it has sent."""
    records = [json.loads(line) for line in daemon.log_path.read_text().splitlines() if line[:1] == "{"]
    return sum(record["bytes"] for record in records if record["event"] == "recording_sent")


def run(daemon: PlayedDaemon, hired: list[Hired], recordings: list[Path]) -> Run:
    """Let some machines recognise all recordings."""
    assert daemon.bridge is not None
    before_cpu, before_bytes, left = cpu_s(daemon.bridge.pid), sent_bytes(daemon), list(recordings)
    began_s = time.monotonic()
    threads = [threading.Thread(target=work, args=(one, left)) for one in hired]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - began_s
    return Run(len(hired), took_s, cpu_s(daemon.bridge.pid) - before_cpu, sent_bytes(daemon) - before_bytes)


def measure(cluster: RayCluster, daemon: PlayedDaemon, machines: list[int], folder: Path) -> None:
    """Print it all."""
    assert daemon.bridge is not None
    hired = [daemon.hire() for _ in range(max(machines))]
    for one in hired:
        one.load()
    time.sleep(3)
    names = [name for name in cluster.nodes for pid in cluster.workers(name)]
    actors = [rss_mb(pid) for name in set(names) for pid in cluster.workers(name) if is_actor(pid)]
    idle_cpu, began_s = cpu_s(daemon.bridge.pid), time.monotonic()
    time.sleep(10)
    idle_cpu = (cpu_s(daemon.bridge.pid) - idle_cpu) / (time.monotonic() - began_s)
    print(
        f"idle with {len(hired)} hired: bridge {rss_mb(daemon.bridge.pid):.0f} MB, {idle_cpu:.1%} of a core; "
        f"an actor {min(actors):.0f} to {max(actors):.0f} MB, beside its child"
    )
    recordings = [
        write(folder, f"{number}.wav", RECORDING_BYTES, SEGMENTS, SEGMENT_MS) for number in range(RECORDINGS)
    ]
    first: Run | None = None
    for count in machines:
        done = run(daemon, hired[:count], recordings)
        first = first or done
        print(
            f"{count} machines: {RECORDINGS} recordings in {done.took_s:.1f} s, "
            f"{first.took_s / done.took_s:.2f} times {first.machines}; "
            f"{done.sent_bytes / RECORDINGS:,.0f} bytes sent a recording of {RECORDING_BYTES:,}; "
            f"bridge {done.bridge_cpu_s / RECORDINGS * 1000:.0f} ms of a core for each"
        )
    large = write(folder, "large.wav", LARGE_BYTES, 1, 0)
    done = run(daemon, hired[:1], [large])
    print(
        f"a recording of {LARGE_BYTES >> 20} MiB: {LARGE_BYTES / done.took_s / 1e6:.0f} MB/s, bridge "
        f"{done.bridge_cpu_s / (LARGE_BYTES / 1e9):.1f} s of a core a GB, "
        f"{rss_mb(daemon.bridge.pid):.0f} MB after it"
    )
    many = write(folder, "many.wav", 1000, 2000, 0)
    done = run(daemon, hired[:1], [many])
    print(
        f"segments: {2000 / done.took_s:,.0f} a second over one machine, bridge "
        f"{done.bridge_cpu_s / 2000 * 1000:.2f} ms of a core a segment"
    )


def is_actor(pid: int) -> bool:
    """Whether a process is one of ours on a machine."""
    try:
        return b"Actor" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", action="store_true", help="by ray://, from outside the cluster")
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = RayCluster(max(given.machines), simulate(folder))
        daemon = PlayedDaemon(folder / "daemon", cluster.client_address if given.client else cluster.address)
        try:
            daemon.start_bridge()
            eventually(lambda: daemon.offers and daemon.offers[-1].cards == max(given.machines))
            measure(cluster, daemon, given.machines, folder)
        finally:
            daemon.close()
            cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
