"""How right in time playback is in Chromium, of recordings as they are and of the copies made of them.

    python tests/benchmarks/bench_playback.py [SECONDS]

Ten minutes of noise with clicks at known times, as an MP3 of variable bit rate without its table, and as what
a browser's recorder makes (WebM without an index). Printed: the length that the browser says, and for each
click the time that its player shows when it is heard after a jump to half a second before it.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

import numpy as np

from asr_daemon.control.playbacks import Playbacks
from asr_daemon.ffmpeg import find_ffmpeg

RATE_HZ = 48_000
WITHIN_S = 240
KINDS = {
    "vbr.mp3": ("-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0"),
    "microphone.webm": ("-c:a", "libopus", "-b:a", "32k", "-f", "webm", "-live", "1"),
}
TYPES = {"flac": "audio/flac", "mp3": "audio/mpeg", "webm": "audio/webm"}
PAGE = """<script>
async function one(src, at) {
  const audio = new Audio(src), context = new AudioContext();
  await new Promise((ok, no) => { audio.onloadedmetadata = ok; audio.onerror = no; });
  const heard = context.createScriptProcessor(256, 1, 1);
  context.createMediaElementSource(audio).connect(heard); heard.connect(context.destination);
  audio.currentTime = at; await new Promise(ok => audio.onseeked = ok);
  const click = new Promise(ok => { setTimeout(() => ok(null), 4000);
    heard.onaudioprocess = event => {
      if (event.inputBuffer.getChannelData(0).some(x => Math.abs(x) > 0.2)) ok(audio.currentTime); }; });
  await audio.play(); const when = await click; audio.pause(); await context.close();
  return [audio.duration, when];
}
(async () => { const found = [];
  for (const src of SOURCES) for (const click of CLICKS)
    found.push([src, click, ...await one(src, click - 0.5).catch(error => [null, null])]);
  await fetch('/', {method: 'POST', body: JSON.stringify(found)}); })();
</script>"""


def with_clicks(path: Path, length_s: int, clicks_s: tuple[float, ...]) -> None:
    """Write noise that comes and goes, so that a variable bit rate varies, with clicks."""
    chance, at = np.random.default_rng(1), np.arange(length_s * RATE_HZ) / RATE_HZ
    samples = chance.standard_normal(len(at)) * 0.02 * (np.sin(at / 30) > 0)
    for click_s in clicks_s:
        first = int(click_s * RATE_HZ)
        samples[first : first + 2400] += 0.8 * np.sin(np.arange(2400) * 2 * np.pi * 1000 / RATE_HZ)
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())


def copy_of(sound: Path, folder: Path) -> Path:
    """Have a copy made as the daemon has; say how long that takes."""
    playbacks = Playbacks(folder / "playback", 1 << 32, most_s=86_400.0)
    began_s = time.monotonic()
    playbacks.want(sound.stem, lambda: os.open(sound, os.O_RDONLY))
    while not playbacks.is_there(sound.stem):
        time.sleep(0.05)
    made = (folder / "playback" / f"{sound.stem}.flac").rename(folder / f"{sound.stem}.flac")
    playbacks.close()
    print(
        f"{sound.name}: copy made in {time.monotonic() - began_s:.1f} s, {made.stat().st_size / 1e6:.1f} MB"
    )
    return made


class Site(http.server.BaseHTTPRequestHandler):
    """The page, the sounds by ranges, and what the page found."""

    protocol_version = "HTTP/1.1"
    folder: Path
    page: bytes
    found: list[list[object]]
    over: threading.Event

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Serve the page or a sound."""
        path = self.folder / Path(self.path).name
        data = path.read_bytes() if self.path != "/" and path.is_file() else self.page
        span = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, behind = (int(span[1]), int(span[2] or len(data) - 1) + 1) if span else (0, len(data))
        self.send_response(206 if span else 200)
        self.send_header("Content-Type", TYPES.get(path.suffix[1:], "text/html"))
        self.send_header("Accept-Ranges", "bytes")
        if span:
            self.send_header("Content-Range", f"bytes {first}-{behind - 1}/{len(data)}")
        self.send_header("Content-Length", str(behind - first))
        self.end_headers()
        self.wfile.write(data[first:behind])

    def do_POST(self) -> None:
        """Take what was found."""
        type(self).found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.over.set()


def main() -> None:
    """Make the sounds, let the browser play them, print the table."""
    chromium = shutil.which("chromium") or sys.exit("there is no chromium")
    length_s = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    clicks_s = (3.0, length_s / 2 + 1.5, length_s - 9.75)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with_clicks(folder / "clicks.wav", length_s, clicks_s)
        sources = []
        for kind, arguments in KINDS.items():
            command = [find_ffmpeg(""), "-v", "error", "-i", folder / "clicks.wav", *arguments, folder / kind]
            subprocess.run(command, check=True)
            sources += [f"/{kind}", f"/{copy_of(folder / kind, folder).name}"]
        Site.folder, Site.over, Site.found = folder, threading.Event(), []
        page = PAGE.replace("SOURCES", json.dumps(sources)).replace("CLICKS", json.dumps(clicks_s))
        Site.page = page.encode()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        server.handle_error = lambda *_: None  # type: ignore[method-assign] (the player lets go of ranges)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = subprocess.Popen(
            [
                *(
                    chromium,
                    "--headless=new",
                    "--no-sandbox",
                    "--disable-gpu",
                    f"--user-data-dir={folder}/profile",
                ),
                *("--autoplay-policy=no-user-gesture-required", f"http://127.0.0.1:{server.server_port}/"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        Site.over.wait(WITHIN_S)
        browser.terminate()
        browser.wait(20)
    for source, click_s, duration_s, heard_s in Site.found:
        shown = "not heard" if heard_s is None else f"{heard_s:9.3f} s ({(heard_s - click_s) * 1000:+.0f} ms)"
        print(f"{source!s:20} length {duration_s!s:>10} s, click at {click_s:8.3f} s: {shown}")


if __name__ == "__main__":
    main()
