"""A session's folder: its sound as a WAV file that grows, and a journal of what was published.

Enters: sound, ``int16`` little-endian, 16 kHz mono, and lines of the journal. Leaves: the same after any kind
of end, and at last the whole file for the inbox. What was written survives a killed process at once, and a
power cut once :meth:`Kept.sync` returned: the sound first, so that no caption is kept of sound that is not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from asr_daemon.control.live_messages import BYTES_PER_S, BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_daemon.gateway.live.captions import Caption  # noqa: TC001 (pydantic reads the annotations)

if TYPE_CHECKING:
    from pathlib import Path

HEADER_BYTES = 44
ROOM_LEFT_BYTES = 1 << 30  # that much of the disk stays free
MOST_SOUND_BYTES = 24 * 3600 * BYTES_PER_S
ABOUT, SOUND, JOURNAL = "about.json", "sound.wav", "journal.jsonl"


@dataclass(frozen=True, slots=True)
class About:
    """What a session is: whose, for which inbox, how. ``secret`` opens it to the daemon."""

    owner: str
    inbox: str
    name: str  # of the recording, without its suffix
    link: str  # the word in the readers' address
    secret: str = field(repr=False)
    is_trusted_name: bool = False  # the secret is a name that a proxy vouches for
    hotwords: tuple[str, ...] = ()
    itn: bool | None = None
    readers_log_in: bool = False
    keeps: bool = True  # what becomes of the recording where the speaker says nothing more


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the journal: one of these."""

    caption: Caption | None = None
    settled_ms: int | None = None
    keeps: bool | None = None  # the speaker ended it that way


@dataclass(frozen=True, slots=True)
class Journal:
    """What the journal says, all in all."""

    said: tuple[Caption, ...] = ()
    settled_ms: int = 0
    keeps: bool | None = None


_ABOUT = TypeAdapter(About)
_LINE = TypeAdapter(Line)


class Kept:
    """One session's folder; each method blocks, and is called by one thread at a time."""

    def __init__(self, folder: Path, about: About) -> None:
        self.folder = folder
        self.about = about
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._sound = os.open(folder / SOUND, flags, 0o600)
        self._journal = os.open(folder / JOURNAL, flags | os.O_APPEND, 0o600)
        size = os.fstat(self._sound).st_size
        if size < HEADER_BYTES:
            os.pwrite(self._sound, wav_header(0), 0)
            size = HEADER_BYTES
        self.sound_bytes = (size - HEADER_BYTES) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        os.ftruncate(self._sound, HEADER_BYTES + self.sound_bytes)

    @classmethod
    def begin(cls, folder: Path, about: About) -> Kept:
        """Make the folder of a new session; raises ``OSError``."""
        folder.mkdir(parents=True, mode=0o700)
        descriptor = os.open(folder / ABOUT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_ABOUT.dump_json(about))
            file.flush()
            os.fsync(file.fileno())
        return cls(folder, about)

    @classmethod
    def find(cls, folder: Path) -> Kept | None:
        """Return a session that was left; None where it had hardly begun."""
        try:
            return cls(folder, _ABOUT.validate_json((folder / ABOUT).read_bytes()))
        except (OSError, ValueError):
            return None

    def append(self, sound: bytes) -> None:
        """Write sound, in whole samples; raises ``OSError`` where there is no room."""
        if self.sound_bytes + len(sound) > MOST_SOUND_BYTES:
            raise OSError("a session lasts a day at most")
        stat = os.statvfs(self.folder)
        if stat.f_bavail * stat.f_frsize < ROOM_LEFT_BYTES:
            raise OSError("the disk of the gateway has no room for it")
        left, at = memoryview(sound), HEADER_BYTES + self.sound_bytes
        while left:
            count = os.pwrite(self._sound, left, at)
            left, at = left[count:], at + count
        self.sound_bytes += len(sound)

    def read(self, offset_bytes: int, most_bytes: int) -> bytes:
        """Return sound from there on."""
        most_bytes = min(most_bytes, self.sound_bytes - offset_bytes)
        return os.pread(self._sound, most_bytes, HEADER_BYTES + offset_bytes) if most_bytes > 0 else b""

    def note(self, line: Line) -> None:
        """Write a line of the journal."""
        os.write(self._journal, _LINE.dump_json(line, exclude_none=True) + b"\n")

    def journal(self) -> Journal:
        """Return what the journal says; a line that a power cut tore is none."""
        said: list[Caption] = []
        settled_ms, keeps = 0, None
        for text in (self.folder / JOURNAL).read_bytes().splitlines():
            try:
                line = _LINE.validate_json(text)
            except ValueError:
                continue
            if line.caption is not None:
                said.append(line.caption)
            settled_ms = max(settled_ms, line.settled_ms or 0)
            keeps = line.keeps if line.keeps is not None else keeps
        return Journal(tuple(said), settled_ms, keeps)

    def idle_s(self) -> float:
        """Return since when no sound came, in seconds."""
        return max(0.0, time.time() - os.fstat(self._sound).st_mtime)

    def sync(self) -> int:
        """Let what was written survive a power cut; return how much sound that is, in bytes."""
        is_safe = self.sound_bytes
        os.fdatasync(self._sound)
        os.fdatasync(self._journal)
        return is_safe

    def whole(self) -> int:
        """Return a descriptor of the finished recording, for reading; the caller closes it."""
        os.pwrite(self._sound, wav_header(self.sound_bytes), 0)
        os.fsync(self._sound)
        return os.open(self.folder / SOUND, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the files; what is in them stays."""
        descriptors, self._sound, self._journal = (self._sound, self._journal), -1, -1
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def remove(self) -> None:
        """Close, and forget the session."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def wav_header(sound_bytes: int, rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """Return the head of a WAV file of that much ``int16`` mono (RIFF, Microsoft 1991)."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + sound_bytes, b"WAVE", b"fmt ", 16, 1, 1),
        *(rate_hz, rate_hz * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 8 * BYTES_PER_SAMPLE, b"data", sound_bytes),
    )
