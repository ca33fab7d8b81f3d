"""What the gateway opens, and that many, idle or slow listeners keep nobody out."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import socket
import time
from typing import TYPE_CHECKING

import pytest
from attack import drop, recording
from gatewayed import Gatewayed

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

API = "/api/v1"
LISTENERS, SLOW_READERS, SLOW_SENDERS = 200, 60, 60


def upload(client: httpx.Client, name: str, content: bytes) -> None:
    """Send a file into the inbox."""
    pairs = {"inbox": "inbox", "filename": name}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    begun = client.post(
        f"{API}/uploads", headers={"Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    )
    piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert client.patch(begun.headers["location"], content=content, headers=piece).status_code == 204


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_gateway_opens_nothing_of_the_share_or_the_history(tmp_path: Path) -> None:
    """By the kernel's word, whatever is asked of it: lists, sound, search, uploads, transcripts."""
    trace = tmp_path / "trace"
    with Gatewayed(tmp_path) as site:
        site.gateway_prefix = ("strace", "-D", "-f", "-y", "-qq", "-e", "trace=%file", "-o", os.fspath(trace))
        site.start()
        drop(site.inbox / "会议.wav", recording(1, segments=2))
        site.wait_until_done(1)
        with site.client(site.let_in("a", "inbox", may="upload,edit")) as client:
            for path in ("recordings", "recordings/1", "overview", "search?q=段", "me"):
                assert client.get(f"{API}/{path}").status_code == 200
            for path in ("recordings/1/audio", "recordings/1/transcript.srt"):
                assert client.get(f"{API}/{path}").status_code == 200
            upload(client, "neu.wav", recording(2))
            sent = {"file": ("b.wav", recording(3))}
            assert client.post("/v1/audio/transcriptions", files=sent).status_code == 200
            assert client.post(f"{API}/recordings/1/retry").status_code == 200
        assert site.stop_gateway() == 0
        told = trace.read_text(encoding="utf-8", errors="replace")
        assert "uploads" in told  # it was traced
        foreign = [site.folder / name for name in ("inbox", "hr")]
        foreign += [site.folder / "state" / name for name in ("history.db", "uploads", "backups")]
        for path in foreign:
            assert not re.search(rf'[<"]{re.escape(os.fspath(path))}', told), path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatewayed]:
    """Return both processes, with one large recording done."""
    with Gatewayed(tmp_path_factory.mktemp("many")) as site:
        site.start()
        drop(site.inbox / "会议.wav", recording(1, segments=2) + bytes(30 << 20))
        site.wait_until_done(1)
        yield site
        assert site.stop_gateway() == 0
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


def ask(site: Gatewayed, token: str, request: str) -> socket.socket:
    """Return a connection on which a request was sent, and nothing was read."""
    end = socket.create_connection(("127.0.0.1", site.port), timeout=60)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end.sendall(f"{request}\r\nHost: a\r\nAuthorization: Bearer {token}\r\n".encode())
    return end


def read_until(end: socket.socket, wanted: bytes, *, count: int = 1) -> None:
    """Read until that was seen so many times."""
    seen = b""
    deadline_s = time.monotonic() + 60
    while seen.count(wanted) < count:
        assert time.monotonic() < deadline_s, seen
        data = end.recv(65536)
        assert data, seen
        seen += data


@pytest.mark.slow
def test_idle_listeners_are_told_and_keep_nobody_out(site: Gatewayed) -> None:
    """Two hundred pages that are open somewhere: all hear of a change, and the next request is answered."""
    token = site.let_in("viele", "inbox", may="upload")
    with contextlib.ExitStack() as stack:
        listeners = [
            stack.enter_context(ask(site, token, f"GET {API}/events HTTP/1.1")) for _ in range(LISTENERS)
        ]
        for end in listeners:
            end.sendall(b"\r\n")
        for end in listeners:
            read_until(end, b"event: changed")
        with site.client(token) as client:
            assert client.get(f"{API}/recordings").status_code == 200
            upload(client, "neu.wav", recording("neu", segments=3, ms=100))
        for end in listeners:
            read_until(end, b"event: changed")
        eventually((site.inbox / "neu.txt").exists, what="its transcript")
        site.check_memory()


@pytest.mark.slow
def test_slow_readers_and_senders_keep_nobody_out(site: Gatewayed) -> None:
    """Who does not read what is sent, and who sends a byte at a time, cost a connection each and no more."""
    token = site.let_in("langsam", "inbox", may="upload")
    with contextlib.ExitStack() as stack, site.client(token) as client:
        (number,) = [
            each["id"]
            for each in client.get(f"{API}/recordings").json()["recordings"]
            if each["path"] == "会议.wav"
        ]
        for _ in range(SLOW_READERS):
            end = stack.enter_context(ask(site, token, f"GET {API}/recordings/{number}/audio HTTP/1.1"))
            end.sendall(b"\r\n")
        for _ in range(SLOW_SENDERS):
            end = stack.enter_context(ask(site, token, "POST /v1/audio/transcriptions HTTP/1.1"))
            end.sendall(b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x")
        for path in ("recordings", "overview", f"recordings/{number}", "search?q=段"):
            assert client.get(f"{API}/{path}").status_code == 200
        sent = {"file": ("b.wav", recording("slow"))}
        assert client.post("/v1/audio/transcriptions", files=sent).status_code == 200
        site.check_memory()
