"""Both hubs in one local server: their lists and files at the addresses that their own libraries use.

It breaks off, lies or is busy as a test tells it to. ``requests`` holds what it was asked for: (path, Range).
"""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

COMMIT = "c0ffee" * 6 + "abcd"


class LocalHub:
    """Serves the files of one repository at one revision."""

    def __init__(self, files: dict[str, bytes], revision: str = COMMIT) -> None:
        self.files = files
        self.revision = revision
        self.listed = dict(files)  # what the lists say; the same as what is served, until a test lies
        self.break_after: dict[str, int] = {}  # bytes of a file after which its next answer is broken off
        self.busy = 0  # so many answers are 503
        self.keeps_ranges = True
        self.on_request: Callable[[str], None] = lambda _path: None
        self.requests: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Be gone."""
        self._server.shutdown()
        self._server.server_close()

    def asked_for(self, name: str) -> list[str]:
        """Return the ranges that a file was asked for, "" where for the whole."""
        return [asked for path, asked in self.requests if path == name]

    # ------------------------------------------------------------------ answers

    def answer(self, target: str) -> tuple[str, bytes | None]:
        """Return ("list" or a file's name, content); None where there is no such thing."""
        address = urlsplit(target)
        path, query = unquote(address.path), parse_qs(address.query)
        if path.startswith("/api/v1/models/"):  # ModelScope
            if query.get("Revision") != [self.revision]:
                return "list", None
            if path.endswith("/repo/files"):
                return "list", json.dumps({"Code": 200, "Data": {"Files": self.modelscope_list()}}).encode()
            name = query["FilePath"][0]
            return name, self.files.get(name)
        if path.startswith("/api/models/"):  # Hugging Face
            right = path.endswith(f"/revision/{self.revision}")
            return "list", json.dumps(self.huggingface_list()).encode() if right else None
        _, found, name = path.partition(f"/resolve/{self.revision}/")
        return name, self.files.get(name) if found else None

    def modelscope_list(self) -> list[dict[str, object]]:
        """Return the entries of ``repo/files``."""
        folders = sorted({name.rpartition("/")[0] for name in self.listed if "/" in name})
        return [{"Path": folder, "Type": "tree", "Size": 0} for folder in folders] + [
            {
                "Path": name,
                "Name": name.rpartition("/")[2],
                "Type": "blob",
                "Size": len(content),
                "Sha256": hashlib.sha256(content).hexdigest(),
            }
            for name, content in self.listed.items()
        ]

    def huggingface_list(self) -> dict[str, object]:
        """Return the answer of ``/api/models/...?blobs=true``: large files by LFS, small ones by git."""
        siblings: list[dict[str, object]] = []
        for name, content in self.listed.items():
            entry: dict[str, object] = {"rfilename": name, "size": len(content)}
            blob = hashlib.sha1(
                f"blob {len(content)}\0".encode() + content, usedforsecurity=False
            ).hexdigest()
            entry["blobId"] = blob
            if name.endswith((".pt", ".bin", ".safetensors")):
                digest = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return {"id": "some/model", "sha": self.revision, "siblings": siblings}

    def _handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805 (the class below has a self of its own)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                name, content = hub.answer(self.path)
                asked = self.headers.get("Range", "")
                hub.requests.append((name, asked))
                hub.on_request(name)
                if hub.busy:
                    hub.busy -= 1
                    self.send_error(503)
                elif content is None:
                    self.send_error(404)
                else:
                    self.give(name, content, asked)

            def give(self, name: str, content: bytes, asked: str) -> None:
                first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and hub.keeps_ranges else 0
                if first and first >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if first else 200)
                if first:
                    self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - first))
                self.end_headers()
                last = hub.break_after.pop(name, len(content))
                self.wfile.write(content[first:last])
                if last < len(content):
                    self.wfile.flush()
                    self.connection.shutdown(2)
                    self.close_connection = True

        return Handler
