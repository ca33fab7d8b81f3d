"""Daemon and gateway under a real systemd: two units, two users, and a file that crosses between them."""

from __future__ import annotations

import json
import re
import sys

import pytest
from sandbox import CONFIG, INBOX, PROGRAM, Sandbox, exists

from support import SAMPLES, eventually

pytestmark = [pytest.mark.systemd, pytest.mark.slow, pytest.mark.timeout(600)]

PORT, RECEIVER = 8760, 8765
WEB = "asr-daemon-web"
CLOSED = f"/etc/systemd/system/{WEB}.service.d/closed.conf"
DROP_IN = f"/etc/systemd/system/{WEB}.service.d/50-sandbox.conf"
# See conftest: namespaces without their own /dev.
FOR_THE_SANDBOX = "[Service]\nPrivateDevices=no\nRestartSec=200ms\n"
# Sends a file as a program does that speaks OpenAI's interface, and as the console does; prints both answers.
ASK = """
import base64, json, sys, httpx
token, sound, port = sys.argv[1:]
headers = {"Authorization": f"Bearer {token}"}
client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=100)
content = open(sound, "rb").read()
form = {"files": {"file": ("a.mp3", content)}, "data": {"response_format": "text"}}
told = client.post("/v1/audio/transcriptions", **form)
pairs = {"inbox": "财务", "filename": "上传.mp3"}
about = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
begin = {"Upload-Length": str(len(content)), "Upload-Metadata": about}
begun = client.post("/api/v1/uploads", headers=begin)
piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
put = client.patch(begun.headers["location"], content=content, headers=piece)
print(json.dumps([told.status_code, told.text, put.status_code, put.headers.get("x-recording-path")]))
"""


@pytest.fixture(scope="module")
def console(installed: Sandbox) -> Sandbox:
    """Return the system with a gateway beside the service."""
    installed.write(CONFIG, installed.run("cat", CONFIG) + f'\n[gateway]\nlisten = "127.0.0.1:{PORT}"\n')
    installed.run(PROGRAM, "install")
    installed.write(DROP_IN, FOR_THE_SANDBOX)
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "restart", "asr-daemon")
    installed.run("systemctl", "enable", "--now", WEB)
    return installed


def show(system: Sandbox, unit: str, name: str) -> str:
    """Return a property of a unit."""
    return system.run("systemctl", "show", unit, f"--property={name}", "--value").strip()


def test_file_sent_over_http_is_transcribed_in_another_users_share(console: Sandbox) -> None:
    """A token is made, a file is uploaded, its transcript comes back, and lies in the department's folder."""
    token = console.run(PROGRAM, "access", "add", "财务", "--inbox", "财务", "--may", "upload").strip()
    console.put(SAMPLES / "support.mp3", "/srv/a.mp3")
    printed = console.run(sys.executable, "-c", ASK, token, "/srv/a.mp3", str(PORT))
    status, text, put_status, path = json.loads(printed)
    assert (status, put_status) == (200, 204), printed
    assert len(text) > 10
    assert "%" in path
    eventually(lambda: exists(console, f"{INBOX}/上传.txt"), what="its transcript")
    users = {show(console, unit, "User") for unit in ("asr-daemon", WEB)}
    assert users == {"asr-daemon", WEB}
    pid = show(console, WEB, "MainPID")
    assert console.run("ps", "-o", "user:32=", "-p", pid).strip() == WEB


def test_gateway_reaches_neither_shares_nor_history_nor_the_service(console: Sandbox) -> None:
    """As its user and in its sandbox: the folders are closed, and other users may not ask the daemon."""
    pid = show(console, WEB, "MainPID")
    inside = ("nsenter", "-t", pid, "-m", "setpriv", f"--reuid={WEB}", f"--regid={WEB}", "--clear-groups")
    for path in (INBOX, "/var/lib/asr-daemon", "/var/lib/asr-daemon/history.db"):
        assert console.run(*inside, "sh", "-c", 'cat "$1" 2>&1; ls "$1" 2>&1 || true', "sh", path).count(
            "denied"
        )
    console.run(*inside, "cat", CONFIG)
    asked = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(9)\n"
        "s.connect('/run/asr-daemon/gateway.sock'); s.send(b'{}\\n'); print(s.recv(999))"
    )
    as_nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    console.run(*as_nobody, "sh", "-c", f'! {sys.executable} -c "{asked}"')
    assert "not a request" in console.run(*inside, sys.executable, "-c", asked)


def test_status_check_and_journal_know_it(console: Sandbox) -> None:
    """It is running, as whom, where; and once it is stopped, that it is."""
    status = json.loads(console.run(PROGRAM, "status", "--json"))
    (serving,) = status["gateway"]["serving"]
    assert (serving["user"], serving["listen"]) == (WEB, f"127.0.0.1:{PORT}")
    assert "a gateway serves" in console.run(PROGRAM, "check", check=False)
    records = console.run("journalctl", "-u", WEB, "-o", "json", "ASR_EVENT=gateway_started")
    assert json.loads(records.splitlines()[-1])["ASR_PORT"] == str(PORT)
    console.run("systemctl", "stop", WEB)
    assert re.search("the gateway is stopped", console.run(PROGRAM, "check", check=False))
    eventually(
        lambda: not json.loads(console.run(PROGRAM, "status", "--json"))["gateway"]["serving"],
        what="its absence",
    )
    console.run("systemctl", "start", WEB)


def test_daemon_that_restarts_finds_it_again(console: Sandbox) -> None:
    """Its socket is a new one; the gateway goes on without a restart of its own."""
    before = show(console, WEB, "MainPID")
    console.run("systemctl", "restart", "asr-daemon")
    eventually(
        lambda: json.loads(console.run(PROGRAM, "status", "--json"))["gateway"]["serving"], what="the gateway"
    )
    assert show(console, WEB, "MainPID") == before


def test_messages_go_from_its_sandbox_with_addresses_that_only_root_reads(console: Sandbox) -> None:
    """As credentials: to a webhook, and to what apprise knows, in its child; both refuse, which is told."""
    console.run("systemd-run", "--unit=receiver", sys.executable, "-m", "http.server", str(RECEIVER))
    told = console.run("cat", CONFIG)
    for name, url in (
        ("hook", f"http://127.0.0.1:{RECEIVER}/a"),
        ("other", f"json://127.0.0.1:{RECEIVER}/b"),
    ):
        console.write(f"/etc/asr-daemon/{name}.url", f"{url}\n")
        console.run("chmod", "600", f"/etc/asr-daemon/{name}.url")
        told += f'\n[[notify]]\nname = "{name}"\nurl_file = "{name}.url"\nallow_private = true\n'
    console.write(CONFIG, told)
    assert "IPAddressDeny=any" in console.run("cat", CLOSED)
    console.run(PROGRAM, "install")
    assert "IPAddressDeny=any" not in console.run("cat", CLOSED)
    console.run("systemctl", "daemon-reload")
    console.run("systemctl", "restart", "asr-daemon", WEB)
    eventually(
        lambda: json.loads(console.run(PROGRAM, "status", "--json"))["gateway"]["serving"], what="the gateway"
    )
    assert "not sent: it answers 501" in console.run(PROGRAM, "notify", "test", "hook", check=False)
    assert "error=501" in console.run(PROGRAM, "notify", "test", "other", check=False)
    checked = console.run(PROGRAM, "check", check=False)
    assert "notify 'hook': webhook, of failed" in checked
    assert "notify 'other': JSON, of failed" in checked
    journal = console.run("journalctl", "-o", "cat")
    assert str(RECEIVER) not in journal.replace(f"http.server {RECEIVER}", "")


def test_uninstalling_takes_it_along(console: Sandbox) -> None:
    """Unit, drop-ins and what makes the user are gone; its user is told, and stays."""
    told = console.run(PROGRAM, "uninstall")
    assert f"userdel {WEB}" in told
    assert not exists(console, f"/etc/systemd/system/{WEB}.service")
    assert not exists(console, "/etc/systemd/system/asr-daemon.service.d/gateway.conf")
    assert "inactive" in console.run("systemctl", "is-active", WEB, check=False)
