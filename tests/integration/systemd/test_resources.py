"""Port, memory and card under a real systemd: what the service is given, and no more."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import pytest
from sandbox import CONFIG, INBOX, PROGRAM, Sandbox, exists, main_pid, now_us

from support import SAMPLES, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.systemd, pytest.mark.slow, pytest.mark.timeout(600)]

# ------------------------------------------------------------------ the port for Prometheus

PORT, NEXT_PORT = 9477, 9478
# Prints what Prometheus is told, or why it is told nothing.
ASK = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=60).read().decode())
except OSError as error:
    print(error)
"""


def ask(service: Sandbox, port: int) -> str:
    """Return what Prometheus is told on that port."""
    return service.run(sys.executable, "-c", ASK, str(port))


def use_port(service: Sandbox, configuration: str, port: int) -> None:
    """Configure that port as an administrator does."""
    service.write(CONFIG, configuration.replace("\nport = 0\n", f"\nport = {port}\n"))
    service.run(PROGRAM, "install")
    service.run("systemctl", "restart", "asr-daemon")


@pytest.fixture
def configuration(service: Sandbox) -> Iterator[str]:
    """Yield the configuration; put it into force again afterwards."""
    text = service.run("cat", CONFIG)
    yield text
    use_port(service, text, 0)


def test_figures_are_served_by_a_service_without_a_network(service: Sandbox, configuration: str) -> None:
    """Prometheus is answered on loopback; the daemon has the same empty network as before."""
    assert "refused" in ask(service, PORT)
    use_port(service, configuration, PORT)
    assert "asr_daemon_info" in ask(service, PORT)
    networks = {service.run("readlink", f"/proc/{pid}/ns/net") for pid in (main_pid(service), "1")}
    assert len(networks) == 2
    assert service.run("cat", f"/proc/{main_pid(service)}/net/tcp").count("\n") == 1  # its heading alone
    use_port(service, configuration, NEXT_PORT)
    assert "asr_daemon_info" in ask(service, NEXT_PORT)
    assert "refused" in ask(service, PORT)
    use_port(service, configuration, 0)
    assert "refused" in ask(service, NEXT_PORT)


def test_who_asks_for_figures_does_not_start_a_stopped_service(service: Sandbox, configuration: str) -> None:
    """During a restore, say: the socket goes with the service, and comes back with it."""
    use_port(service, configuration, PORT)
    assert "asr_daemon_info" in ask(service, PORT)
    service.run("systemctl", "stop", "asr-daemon")
    assert "refused" in ask(service, PORT)
    assert service.show("ActiveState") == {"ActiveState": "inactive"}
    service.run("systemctl", "start", "asr-daemon")
    assert "asr_daemon_info" in ask(service, PORT)
    before = now_us()
    service.run("kill", "-KILL", main_pid(service))
    service.await_record("ASR_EVENT=daemon_started", after_us=before)
    assert "asr_daemon_info" in ask(service, PORT)


def test_port_without_install_is_said_with_its_remedy(service: Sandbox, configuration: str) -> None:
    """Set and reloaded only: nobody listens, and journal and `check` say what to do."""
    before = now_us()
    service.write(CONFIG, configuration.replace("\nport = 0\n", f"\nport = {PORT}\n"))
    service.run("systemctl", "reload", "asr-daemon")
    refused = service.await_record("ASR_EVENT=metrics_port_refused", after_us=before)
    assert "asr-daemon install" in refused["MESSAGE"]
    assert "asr-daemon.socket" in service.run(PROGRAM, "check", "-c", CONFIG, check=False)


# ------------------------------------------------------------------ memory

MEMORY = "/sys/fs/cgroup/memory"  # of cgroup v1, where systemd's own hierarchy has no memory
GROUP = f"{MEMORY}/asr-daemon-test"
LITTLE_BYTES = 64 << 20  # beside what the daemon has already; loading a model needs more


@contextlib.contextmanager
def little_memory(service: Sandbox) -> Iterator[None]:
    """Leave the running service little memory; lift the limit afterwards."""
    if "memory" in service.run("cat", "/sys/fs/cgroup/cgroup.controllers").split():
        service.run("systemctl", "set-property", "--runtime", "asr-daemon", f"MemoryMax={3 * LITTLE_BYTES}")
        yield
        service.run("systemctl", "set-property", "--runtime", "asr-daemon", "MemoryMax=infinity")
        return
    # The sandbox has its own root of control groups, below the test's own: nothing outside is touched.
    make = f"mkdir -p {MEMORY} && mount -t cgroup -o memory memory {MEMORY} && mkdir {GROUP} && echo made"
    if service.run("sh", "-c", make, check=False) != "made\n":
        pytest.skip("no control group of this machine can limit memory")
    service.run("sh", "-c", f"echo {LITTLE_BYTES} > {GROUP}/memory.limit_in_bytes")
    service.run("sh", "-c", f"echo {main_pid(service)} > {GROUP}/cgroup.procs")
    yield
    move_out = f"for pid in $(cat {GROUP}/cgroup.procs); do echo $pid > {MEMORY}/cgroup.procs; done"
    eventually(lambda: service.run("sh", "-c", f"{move_out}; rmdir {GROUP} && echo gone", check=False))


def test_memory_that_does_not_suffice_ends_the_recogniser_alone(service: Sandbox, tmp_path: Path) -> None:
    """The kernel ends it while it loads; the daemon lives and says why, and the recording waits."""
    service.run("systemctl", "restart", "asr-daemon")  # without a recogniser
    pid, before = main_pid(service), now_us()
    recording = convert(SAMPLES / "lecture.wav", tmp_path / "tight.wav", "-ar", "16000")
    with little_memory(service):
        service.put(recording, f"{INBOX}/挤.wav")
        blocked = service.await_record("ASR_EVENT=queue_blocked", after_us=before)
        assert "the kernel ended it for want of memory" in blocked["MESSAGE"]
        eventually(lambda: "for want of memory" in service.show("StatusText")["StatusText"])
    eventually(lambda: exists(service, f"{INBOX}/挤.txt"))
    assert not exists(service, f"{INBOX}/挤.转写失败.txt")
    assert main_pid(service) == pid
    assert service.show("OOMPolicy", "Result") == {"OOMPolicy": "continue", "Result": "success"}


# ------------------------------------------------------------------ the card


def test_with_a_card_the_service_gets_its_drop_in_and_works(service: Sandbox, tmp_path: Path) -> None:
    """`install` finds a card and opens it; under that drop-in, too, transcripts appear and little is open."""
    service.run("touch", "/dev/nvidiactl")  # a stand-in: this machine has none
    try:
        service.run(PROGRAM, "install")
        assert exists(service, "/etc/systemd/system/asr-daemon.service.d/gpu.conf")
        service.run("systemctl", "restart", "asr-daemon")
        assert service.show("DevicePolicy") == {"DevicePolicy": "closed"}
        recording = convert(SAMPLES / "lecture.wav", tmp_path / "card.wav", "-ar", "16000")
        service.put(recording, f"{INBOX}/卡.wav")
        eventually(lambda: exists(service, f"{INBOX}/卡.txt"))
    finally:
        service.run("rm", "/dev/nvidiactl", "/etc/systemd/system/asr-daemon.service.d/gpu.conf", check=False)
        service.run("systemctl", "daemon-reload")
        service.run("systemctl", "restart", "asr-daemon")
