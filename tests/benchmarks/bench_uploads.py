"""Memory of gateway and daemon while many large files are uploaded at once.

    python tests/benchmarks/bench_uploads.py FOLDER [--uploads 20] [--size-mb 1000]

The bytes are made on the fly and are all different: nothing is sparse. Each file is deleted from the inbox
as soon as it is there, so that FOLDER needs room for all of them once, and a few twice. The memory is the
highest that was seen of each process, looked at twice a second: RSS, and PSS, in which libraries that several
have are shared out. The bounds, of PSS, are 300 MB and 100 MB; exits with 1 beyond them.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

import httpx
from gatewayed import Gatewayed

if TYPE_CHECKING:
    from collections.abc import Iterator

MB = 10**6
BLOCK_BYTES = MB
SLICE_MB = 8  # as the page sends them
MOST_MB = {"gateway": 300, "daemon": 100}
KINDS = ("Rss", "Pss")


class Memory:
    """Looks at processes until it is told to stop."""

    def __init__(self, pids: dict[str, int]) -> None:
        self.most_mb = {(name, kind): 0.0 for name in pids for kind in KINDS}
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for name, pid in self._pids.items():
                told = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                for kind in KINDS:
                    found = re.search(rf"(?m)^{kind}:\s+(\d+) kB", told)
                    assert found
                    self.most_mb[name, kind] = max(self.most_mb[name, kind], int(found[1]) * 1024 / MB)

    def stop(self) -> dict[tuple[str, str], float]:
        """Return the most that each had."""
        self._over.set()
        self._thread.join()
        return self.most_mb


def blocks(number: int, first: int, count: int) -> Iterator[bytes]:
    """Yield megabytes of a file, none like another."""
    body = os.urandom(BLOCK_BYTES - 32)
    for block in range(first, first + count):
        yield f"{number:>15} {block:>15} ".encode() + body


def upload(site: Gatewayed, token: str, number: int, size_mb: int) -> None:
    """Send one file in slices; delete it where it arrived."""
    pairs = {"inbox": "inbox", "filename": f"gross{number:02}.wav"}
    told = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    with site.client(token) as client:
        client.timeout = httpx.Timeout(600)
        begun = client.post(
            "/api/v1/uploads", headers={"Upload-Length": str(size_mb * MB), "Upload-Metadata": told}
        )
        begun.raise_for_status()
        for first in range(0, size_mb, SLICE_MB):
            count = min(SLICE_MB, size_mb - first)
            headers = {
                "Upload-Offset": str(first * MB),
                "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(count * MB),
            }
            answer = client.patch(
                begun.headers["location"], content=blocks(number, first, count), headers=headers
            )
            answer.raise_for_status()
    path = site.inbox / urllib.parse.unquote(answer.headers["x-recording-path"])
    assert path.stat().st_size == size_mb * MB
    path.unlink()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--uploads", type=int, default=20)
    parser.add_argument("--size-mb", type=int, default=1000)
    asked = parser.parse_args()
    needed = (asked.uploads + 5) * asked.size_mb * MB
    if shutil.disk_usage(asked.folder).free < needed:
        print(f"{asked.folder} needs {needed / 10**9:.0f} GB of room")
        return 2
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        with Gatewayed(folder) as site:
            site.start()
            token = site.let_in("viel", "inbox", may="upload")
            assert site._gateway is not None
            assert site._process is not None
            memory = Memory({"gateway": site._gateway.pid, "daemon": site._process.pid})
            began_s = time.monotonic()
            with ThreadPoolExecutor(asked.uploads) as pool:
                for done in [
                    pool.submit(upload, site, token, number, asked.size_mb) for number in range(asked.uploads)
                ]:
                    done.result()
            took_s = time.monotonic() - began_s
            most = memory.stop()
    finally:
        shutil.rmtree(folder)
    rate = asked.uploads * asked.size_mb / took_s
    print(f"{asked.uploads} uploads of {asked.size_mb} MB at once: {took_s:.0f} s, {rate:.0f} MB/s")
    for name, bound in MOST_MB.items():
        print(f"{name}: RSS {most[name, 'Rss']:.0f} MB, PSS {most[name, 'Pss']:.0f} MB (at most {bound})")
    return int(any(most[name, "Pss"] >= bound for name, bound in MOST_MB.items()))


if __name__ == "__main__":
    sys.exit(main())
