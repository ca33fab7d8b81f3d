"""Ray's units and the bridge's under a real systemd: head, worker, drivers with and without the token."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sandbox import CHECKOUT, CONFIG, INBOX, PROGRAM, Sandbox, exists

from asr_daemon.install.access import is_hidden
from support import SAMPLES, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("ray")
pytestmark = [pytest.mark.systemd, pytest.mark.slow, pytest.mark.timeout(600)]

UNITS = CHECKOUT / "systemd" / "cluster"
HEAD, WORKER, BRIDGE = "asr-daemon-ray-head", "asr-daemon-ray-worker", "asr-daemon-cluster"
TOKEN = "/etc/asr-daemon-ray/token"  # noqa: S105
CLIENT_SERVER, GCS = "ray://127.0.0.1:10001", "127.0.0.1:6379"
STORE_BYTES, PIECE_BYTES, PIECES = 80_000_000, 8_000_000, 20
PORTS = (
    *("node-manager-port", "object-manager-port", "metrics-export-port", "runtime-env-agent-port"),
    *("dashboard-agent-grpc-port", "dashboard-agent-listen-port"),
)
GUARDED = "Environment=RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=%d/token"
OPEN = "Environment=RAY_AUTH_MODE=disabled"
# Takes the card of each machine, sends what it is told to, says what arrived, and stays for a while.
DRIVER = f"""
import json, os, pathlib, sys, time
import ray

@ray.remote(num_gpus=1, num_cpus=0, max_restarts=0)
class Recogniser:
    def about(self):
        pathlib.Path("/tmp/torch").write_bytes(b"x")
        models = os.environ["ASR_DAEMON_MODELS"]
        try:
            pathlib.Path(models, "x").write_bytes(b"x")
        except OSError:
            models += " read-only"
        return [ray.util.get_node_ip_address(), models]
    def size(self, piece):
        return len(piece)

ray.init(sys.argv[1], namespace="asr-daemon", log_to_driver=False)
recognisers = [Recogniser.remote() for _ in range(2)]
about = ray.get([each.about.remote() for each in recognisers], timeout=60)
held = [ray.put(os.urandom({PIECE_BYTES})) for _ in range(int(sys.argv[2]))]
arrived = sum(ray.get([recognisers[0].size.remote(each) for each in held], timeout=60))
print("TOLD" + json.dumps([sorted(about), arrived]), flush=True)
time.sleep(int(sys.argv[3]))
"""


def open_to_this_environment(system: Sandbox, unit: str, *lines: str) -> None:
    """Write a drop-in that shows a unit this environment, which may lie in a home; with further lines."""
    shown = sorted({Path(sys.prefix), Path(sys.base_prefix), CHECKOUT})
    binds = [f"BindReadOnlyPaths={path}" for path in shown if is_hidden(path)]
    text = "\n".join(
        (
            "[Service]",
            "PrivateDevices=no",
            f"Environment=PYTHONPATH={CHECKOUT}",
            "ProtectHome=tmpfs",
            *binds,
            *lines,
        )
    )
    system.write(f"/etc/systemd/system/{unit}.service.d/50-sandbox.conf", f"{text}\n")


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Yield a system with a head and a worker, by the files that are shipped."""
    sandbox.write(TOKEN, "0123456789abcdef0123456789abcdef\n")
    for kind, program in (
        ("sysusers", ("systemd-sysusers",)),
        ("tmpfiles", ("systemd-tmpfiles", "--create")),
    ):
        path = f"/etc/{kind}.d/asr-daemon-ray.conf"
        sandbox.write(path, (UNITS / f"asr-daemon-ray.{kind}.conf").read_text(encoding="utf-8"))
        sandbox.run(*program, path)
    example = (UNITS / "ray.env").read_text(encoding="utf-8").replace("head.example:6379", GCS)
    sandbox.write("/etc/asr-daemon-ray/ray.env", example)
    apart = "/run/asr-daemon-ray-2"  # both are on one machine here
    folders = f"--temp-dir={apart}/ray --object-spilling-directory={apart}/spilled"
    ports = " ".join(f"--{name}={7380 + number}" for number, name in enumerate(PORTS))
    ports += " --min-worker-port=11100 --max-worker-port=11299"
    for unit, address, options, lines in (
        (HEAD, "127.0.0.1", "", ()),
        (
            WORKER,
            "127.0.0.2",
            f"{folders} {ports}",
            ("RuntimeDirectory=", "RuntimeDirectory=asr-daemon-ray-2/ray asr-daemon-ray-2/spilled"),
        ),
    ):
        text = (UNITS / f"{unit}.service").read_text(encoding="utf-8")
        sandbox.write(
            f"/etc/systemd/system/{unit}.service", text.replace("/opt/asr-daemon/bin", f"{sys.prefix}/bin")
        )
        own = f"--node-ip-address={address} --num-gpus=1 --num-cpus=1 --object-store-memory={STORE_BYTES}"
        sandbox.write(f"/etc/asr-daemon-ray/{unit}.env", f"RAY_OPTIONS={own} {options}\n")
        open_to_this_environment(sandbox, unit, f"EnvironmentFile=/etc/asr-daemon-ray/{unit}.env", *lines)
    sandbox.run("systemctl", "daemon-reload")
    sandbox.run("systemctl", "start", HEAD, WORKER)
    yield sandbox
    sandbox.run("systemctl", "stop", WORKER, HEAD)


@pytest.fixture(scope="module")
def configured(cluster: Sandbox) -> Sandbox:
    """Return the system with the service installed beside, and a driver in the bridge's place to come."""
    cluster.run(PROGRAM, "install")
    cluster.write("/srv/plain.toml", cluster.run("cat", CONFIG))
    cluster.write("/opt/driver.py", DRIVER)
    return cluster


def install_bridge(system: Sandbox, address: str, more: str = "") -> None:
    """Install for that cluster."""
    section = f'\n[cluster]\naddress = "{address}"\ntoken_file = "{TOKEN}"\n'
    system.write(CONFIG, system.run("cat", "/srv/plain.toml") + section + more)
    system.run(PROGRAM, "install")


def drive(system: Sandbox, name: str, address: str, line: str, *, pieces: int = 1, stay_s: int = 0) -> None:
    """Start the driver in a unit of that name which is the installed bridge's in all but its program."""
    folder = "/etc/systemd/system"
    copy = (
        'cp "$1.service" "$2.service"; mkdir -p "$2.service.d"; cp "$1.service.d/closed.conf" "$2.service.d"'
    )
    system.run("sh", "-ec", copy, "sh", f"{folder}/{BRIDGE}", f"{folder}/{name}")
    command = f"{sys.executable} /opt/driver.py {address} {pieces} {stay_s}"
    program = ("ExecStart=", f"ExecStart={command}", "Type=exec", "Restart=on-failure", "RestartSec=1", line)
    open_to_this_environment(system, name, *program)
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "start", name)


def said(system: Sandbox, name: str) -> str:
    """Return what a driver printed."""
    system.run("journalctl", "--sync")
    return system.run("journalctl", "-u", name, "-o", "cat", "--no-pager", check=False)


def told(system: Sandbox, name: str) -> tuple[list[list[str]], int]:
    """Return which machines answered a driver with what models, and how many bytes arrived."""
    # Ray's client server was seen not to come up, for no cause that was found: the driver asks again.
    eventually(lambda: "TOLD" in said(system, name), what=f"what {name} says", within_s=120)
    line = next(line for line in said(system, name).splitlines() if line.startswith("TOLD"))
    machines, arrived = json.loads(line.removeprefix("TOLD"))
    return machines, arrived


def test_bridge_with_the_token_reaches_both_machines_and_nobody_without(configured: Sandbox) -> None:
    """By either kind of address, in the bridge's own closed unit; models are read, and not written."""
    models = "/var/lib/asr-daemon-ray/models read-only"
    both = [["127.0.0.1", models], ["127.0.0.2", models]]
    install_bridge(configured, GCS)
    drive(configured, "refused", GCS, OPEN)
    drive(configured, "gcs", GCS, GUARDED, pieces=PIECES, stay_s=60)
    assert told(configured, "gcs") == (both, PIECES * PIECE_BYTES)
    see_that_no_disk_holds_it(configured)
    configured.run("systemctl", "stop", "gcs")
    install_bridge(configured, CLIENT_SERVER)
    drive(configured, "client", CLIENT_SERVER, GUARDED)
    assert told(configured, "client") == (both, PIECE_BYTES)
    eventually(
        lambda: "Failed to connect to Ray" in said(configured, "refused"), what="the refusal", within_s=90
    )
    assert "TOLD" not in said(configured, "refused")


def see_that_no_disk_holds_it(system: Sandbox) -> None:
    """See that Ray's store, and what it had no room for, is in memory: files, and mapped deleted ones."""
    assert PIECES * PIECE_BYTES > STORE_BYTES
    assert system.run("find", "/", "-xdev", "-user", "asr-daemon-ray") == ""  # /run and the like are others
    maps = system.run("sh", "-c", "cat /proc/$(pgrep -of raylet_socket_name=/run/asr-daemon-ray/)/maps")
    shared = {line.split()[5] for line in maps.splitlines() if line.split()[1] == "rw-s" and "/" in line}
    assert {path.split("/")[1] for path in shared} <= {"dev", "run"}, shared
    assert any(path.startswith("/run/asr-daemon-ray/spilled/") for path in shared), shared


def test_check_asks_the_cluster(configured: Sandbox) -> None:
    """At either address; it takes the token, and no other; and nobody but root reads that."""

    def checked() -> str:
        printed = configured.run(PROGRAM, "check", check=False)
        return "\n".join(line for line in printed.splitlines() if " cluster" in line)

    assert "Ray answers at ray://127.0.0.1:10001" in checked()
    configured.run("cp", TOKEN, "/srv/token")
    configured.write(TOKEN, "another" * 6)
    assert "does not take this token" in checked()
    configured.run("cp", "/srv/token", TOKEN)
    configured.run("chown", f":{BRIDGE}", TOKEN)  # the daemon is in that group: it gives its socket to it
    configured.run("chmod", "640", TOKEN)
    assert f"{TOKEN} can be read by asr-daemon, " in checked()
    configured.run("chmod", "600", TOKEN)
    assert "ERROR" not in checked()
    install_bridge(configured, GCS)
    assert f"Ray answers at {GCS}" in checked()


def test_recording_is_recognised_by_a_machine_of_the_cluster(configured: Sandbox) -> None:
    """Daemon without a network, bridge without shares, machines without disks: its transcript comes."""
    configured.run("mkdir", "-p", "-m", "777", INBOX)
    install_bridge(
        configured, CLIENT_SERVER, f'local = false\n[[inbox]]\nname = "a"\npath = "{INBOX}"\nsettle_s = 1\n'
    )
    for unit in ("asr-daemon", BRIDGE):
        open_to_this_environment(configured, unit)
    configured.run("systemctl", "daemon-reload")
    configured.run("systemctl", "enable", "--now", "asr-daemon", BRIDGE)
    configured.put(SAMPLES / "support.mp3", f"{INBOX}/a.mp3")
    eventually(lambda: exists(configured, f"{INBOX}/a.txt"), what="its transcript", within_s=120)
    finished = configured.journal("ASR_EVENT=recognition_finished")
    assert finished[0]["ASR_RECOGNISER"].startswith("cluster#")
    assert "2 cards on other machines" in configured.run(PROGRAM, "check", check=False)
