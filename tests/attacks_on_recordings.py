"""A corpus of hostile recordings: cut short, lying, dressed as what they are not.

``python tests/attacks_on_recordings.py FOLDER``.
"""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from support import SAMPLES, convert

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS = ("wav", "mp3", "m4a", "flac", "ogg", "wma")
CUT_PERCENT = range(10, 100, 10)


def wave(
    *,
    channels: int = 1,
    rate_hz: int = 16_000,
    bits: int = 16,
    data: bytes = b"\0" * 32_000,
    says: int | None = None,
) -> bytes:
    """Return a WAV whose header says what it is told to say."""
    align = (channels * bits // 8) & 0xFFFF
    format_ = struct.pack("<HHIIHH", 1, channels, rate_hz, (rate_hz * align) & 0xFFFFFFFF, align, bits)
    size = len(data) if says is None else says
    body = b"WAVEfmt " + struct.pack("<I", len(format_)) + format_ + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(0xFFFFFFFF, len(body))) + body


def dressed(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Yield files that ask whoever opens them to open the canary, or to go to the network."""
    url = "http://127.0.0.1:9/x.wav"
    for name, target in (("file", f"file://{canary}"), ("path", str(canary)), ("url", url)):
        yield (
            f"hls-{name}.wav",
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n".encode(),
        )
        yield f"hls-{name}.mp3", f"#EXTM3U\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n".encode()
        yield f"concat-{name}.wav", f"ffconcat version 1.0\nfile '{target}'\n".encode()
        yield (
            f"dash-{name}.m4a",
            (f'<?xml version="1.0"?><MPD><Period><BaseURL>{target}</BaseURL></Period></MPD>'.encode()),
        )
    yield "subtitle.wav", b"1\n00:00:00,000 --> 00:00:02,000\nhello\n"
    yield "sdp.wav", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n"


def plain() -> Iterator[tuple[str, bytes]]:
    """Yield rubbish, and headers that lie."""
    dice = random.Random(4)
    yield "empty.wav", b""
    yield "one-byte.mp3", b"\xff"
    yield "noise.mp3", dice.randbytes(100_000)
    yield "noise.wav", dice.randbytes(100_000)
    yield "text.wav", "这不是录音\n".encode() * 500
    yield "picture.m4a", b"\x89PNG\r\n\x1a\n" + dice.randbytes(5000)
    yield "archive.mp3", b"PK\x03\x04" + dice.randbytes(5000)
    yield "zeros.flac", b"\0" * 200_000
    yield "huge-size.wav", wave(says=0xFFFFFFFF)
    yield "no-data.wav", wave(data=b"")
    yield "channels-255.wav", wave(channels=255, data=b"\0" * 510 * 800)
    yield "channels-0.wav", wave(channels=0)
    yield "rate-0.wav", wave(rate_hz=0)
    yield "rate-1.wav", wave(rate_hz=1, data=b"\0" * 200)
    yield "rate-4e9.wav", wave(rate_hz=4_000_000_000)
    yield "bits-65535.wav", wave(bits=65535)
    yield "huge-id3.mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + b"\0" * 100_000
    yield "huge-box.m4a", struct.pack(">I4sQ", 1, b"ftyp", 1 << 62) + b"M4A " + b"\0" * 1000
    yield "huge-comment.flac", b"fLaC\x04\xff\xff\xff" + b"\xff" * 100_000


def make(
    folder: Path, canary: Path, *, formats: tuple[str, ...] = FORMATS, day_long: bool = False
) -> list[str]:
    """Write the corpus into a folder and return the files' names."""
    names = []
    for name, content in (*plain(), *dressed(canary)):
        (folder / name).write_bytes(content)
        names.append(name)
    for suffix in formats:
        whole = convert(SAMPLES / "lecture.wav", folder / f".whole.{suffix}", "-t", "5").read_bytes()
        (folder / f".whole.{suffix}").unlink()
        for percent in CUT_PERCENT:
            names.append(f"cut-{percent}.{suffix}")
            (folder / names[-1]).write_bytes(whole[: len(whole) * percent // 100])
    if day_long:
        silence = ("-f", "lavfi", "-t", "86400", "-i", "anullsrc=r=8000:cl=mono", "-map", "1:a")
        names.append("day-long.flac")
        convert(SAMPLES / "lecture.wav", folder / names[-1], *silence)
    return names


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    made = make(target, target.parent / "canary.wav", day_long=True)
    sys.stdout.write(f"{len(made)} files\n")
