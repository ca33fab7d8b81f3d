"""Where the gateway listens and whom it believes: addresses, Unix sockets, TLS, proxies."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import stat
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from gatewayed import Gatewayed, free_port

from asr_daemon.errors import OperatorError
from asr_daemon.gateway.listening import listening, port_of
from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

ME = "/api/v1/me"


def by_socket(path: Path, **headers: str) -> httpx.Client:
    """Return a proxy that connects by a Unix socket."""
    transport = httpx.HTTPTransport(uds=os.fspath(path))
    return httpx.Client(base_url="http://console.example", transport=transport, headers=headers, timeout=60)


def test_proxy_at_the_unix_socket_says_who_is_logged_in(tmp_path: Path) -> None:
    """By its header, for names that are let in; the socket is its group's, and goes with the gateway."""
    path = tmp_path / "g.sock"
    with Gatewayed(tmp_path, listen=f"unix:{path}", gateway='trusted_user_header = "X-Remote-User"') as site:
        site.start()
        token = site.let_in("财务", "inbox", may="upload")
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with by_socket(path) as proxy:
            named = {"X-Remote-User": "财务".encode()}
            assert proxy.get(ME, headers=named).json()["name"] == "财务"  # type: ignore[arg-type]
            assert proxy.get(ME, headers={"X-Remote-User": "nobody"}).status_code == 401
            assert proxy.get(ME).status_code == 401
            twice = [("X-Remote-User", "nobody"), ("X-Remote-User", "财务".encode())]
            assert proxy.get(ME, headers=twice).status_code == 401  # type: ignore[arg-type]
            assert proxy.get(ME, headers={"Authorization": f"Bearer {token}"}).json()["name"] == "财务"
            # what a browser sends along on its own does not do where another site made it
            evil = {**named, "Origin": "https://evil.example"}
            assert proxy.post("/api/v1/recordings/1/retry", headers=evil).status_code == 403  # type: ignore[arg-type]
            answer = proxy.post(
                "/api/v1/session", json={"token": token}, headers={"X-Forwarded-Proto": "https"}
            )
            assert "; Secure" in answer.headers["set-cookie"]
        (there,) = site.events("gateway_attends")
        assert there["listen"] == f"unix:{path}"
        site.kill_gateway()
        site.start_gateway()  # over the socket that the killed one left
        assert site.stop_gateway() == 0
        assert not path.exists()


def test_nobody_else_is_believed(tmp_path: Path) -> None:
    """The same header from an address that is not listed says nothing; nor does X-Forwarded-For."""
    with Gatewayed(
        tmp_path,
        gateway='trusted_user_header = "X-Remote-User"\ntrusted_proxies = ["192.0.2.7", "10.0.0.0/8"]',
    ) as site:
        site.start()
        site.let_in("finance", "inbox")
        with site.client() as client:
            for headers in (
                {"X-Remote-User": "finance"},
                {"X-Remote-User": "finance", "X-Forwarded-For": "192.0.2.7"},
                {"Authorization": "Bearer finance"},
            ):
                assert client.get(ME, headers=headers).status_code == 401
            client.post("/api/v1/session", json={"token": "x"}, headers={"X-Forwarded-For": "192.0.2.9"})
        assert '"address": "127.0.0.1"' in site.gateway_log.read_text(encoding="utf-8")
        site.kill_gateway()
        config = site.config_path.read_text(encoding="utf-8")
        site.config_path.write_text(config.replace("192.0.2.7", "127.0.0.1"), encoding="utf-8")
        assert site.command("reload").returncode == 0
        site.start_gateway()
        with site.client() as client:
            assert client.get(ME, headers={"X-Remote-User": "finance"}).json()["name"] == "finance"
            client.post(
                "/api/v1/session",
                json={"token": "x"},
                headers={"X-Forwarded-For": "192.0.2.7, 192.0.2.9, 10.1.1.1"},
            )
        assert '"address": "192.0.2.9"' in site.gateway_log.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: no certificate")
def test_certificate_makes_it_https(tmp_path: Path) -> None:
    """Whoever trusts the certificate gets in, with a cookie for https alone; a wrong key is said."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", *made, *subject, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    lines = f'tls_certificate = "{certificate}"\ntls_key = "{key}"'
    with Gatewayed(tmp_path, gateway=lines) as site:
        site.start()
        token = site.let_in("a", "inbox")
        trusted = ssl.create_default_context(cafile=os.fspath(certificate))
        with httpx.Client(base_url=f"https://127.0.0.1:{site.port}", verify=trusted) as client:
            answer = client.post("/api/v1/session", json={"token": token})
            assert "; Secure" in answer.headers["set-cookie"]
        site.stop_gateway()
        key.write_text("no key", encoding="utf-8")
        ended = site.command("serve")
        assert ended.returncode == 1
        assert "tls_key cannot be used" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_address_that_is_taken_is_said(tmp_path: Path) -> None:
    """A port or a name where something is already; what lies at the name stays."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(OperatorError, match="already in use"), listening(taken):
            pass
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(OperatorError, match="already in use"), listening(f"unix:{file}"):
        pass
    assert file.read_text(encoding="utf-8") == "mine"
    with listening("127.0.0.1:0") as sockets:
        assert port_of(sockets) > 0
    with listening(f"localhost:{free_port()}") as sockets:
        assert sockets


@pytest.mark.slow
def test_head_that_does_not_come_is_waited_for_no_longer(tmp_path: Path) -> None:
    """Those who send a byte now and then keep nobody out: their connections are closed."""
    with Gatewayed(tmp_path) as site:
        site.gateway_program = ("-c", SHORT)
        site.start()
        slow = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(50)]
        for end in slow:
            end.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: a\r\nX: ")

        def all_closed() -> bool:
            closed = 0
            for end in slow:
                end.settimeout(0.05)
                try:
                    end.sendall(b"y")
                    closed += end.recv(1000) == b""
                except TimeoutError:
                    pass
                except OSError:
                    closed += 1
            return closed == len(slow)

        began_s = time.monotonic()
        eventually(all_closed, what="the end of slow connections")
        assert time.monotonic() - began_s < 60
        with site.client() as client:
            assert client.get(ME).status_code == 401
        for end in slow:
            end.close()


# The gateway with a shorter patience, so that the test need not wait for the usual one.
SHORT = """
import sys
from asr_daemon.gateway import connection
connection.HEAD_WITHIN_S = 1.0
from asr_daemon.cli import main
sys.argv[0] = "asr-daemon"
main()
"""
