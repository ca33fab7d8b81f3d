"""Decoding: an open recording goes in, 16 kHz mono comes out, everything that somebody speaks into mixed.

Enters: an open, seekable file descriptor of any container and codec in ``formats.py``. Leaves: windows of
``float32 [n_samples], 16 kHz mono`` (about -1..1), one after the other, so that memory does not grow with
the recording's length. Fails with :class:`~asr_daemon.errors.EmptyFileError`, ``NotDecodableError``,
``SilkError``, ``NoAudioError``, ``TooLongError`` or ``ReadFailedError``, with ffmpeg's last words.

The recording is hostile until proven otherwise: ffmpeg may open nothing but that descriptor (no network,
no playlists, no other files), decodes sound only, and runs under limits of memory and processor time. One
ffmpeg process decodes one track: none waits for another, and each is held back by the pipe that it fills.
The only track of a recording is decoded by the process that tells that there is no other (at_once.py);
plain 16 kHz WAVE files are read without any.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.errors import (
    EmptyFileError,
    JobError,
    NotDecodableError,
    ReadFailedError,
    SilkError,
    TooLongError,
)
from asr_daemon.files.formats import HEAD_BYTES, SILK, format_of
from asr_daemon.recogniser.sound.at_once import begin
from asr_daemon.recogniser.sound.ending import reaches_its_end
from asr_daemon.recogniser.sound.facts import (
    MOST_CHANNELS,
    MOST_TRACKS,
    Facts,
    Track,
    has_picture,
    look,
    read_trouble,
)
from asr_daemon.recogniser.sound.findings import Findings, Unread
from asr_daemon.recogniser.sound.parts import Part, find_parts
from asr_daemon.recogniser.sound.plain_wave import PlainWave, plain_wave
from asr_daemon.recogniser.sound.process import FfmpegProcess
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.stream import TrackStream
from asr_daemon.recogniser.sound.tracks import Tracks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from asr_daemon.recogniser.sound.tracks import Stream

__all__ = ["SAMPLE_RATE_HZ", "WINDOW_S", "Decoding", "Piece"]

WINDOW_S = 30.0
EVIDENCE_LINES = 20
LOST_SAMPLES = SAMPLE_RATE_HZ * 3 // 10  # a hole of that length is a word
SHOWS_CUTS = ("MP4", "Matroska", "WAVE")  # they know their size in bytes: a cut is told from a wrong length


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound that goes on without a gap: ``float32 [n_samples], 16 kHz mono``.

    ``is_new``: between it and the one before time passed that was not recorded, or another recording begins.
    """

    start_samples: int
    samples: NDArray[np.float32]
    is_new: bool


class Decoding:
    """One recording being decoded; iterate once, over its windows or its pieces.

    After the last one ``decoded_samples`` is the recording's length, and ``findings`` what was odd about it.
    :meth:`close` may be called from another thread: the iteration then ends early, without an error.
    """

    def __init__(self, fd: int, ffmpeg: Path, max_duration_s: float, window_s: float = WINDOW_S) -> None:
        self.announced_s: float | None = None  # what the container says; None while unknown
        self.decoded_samples = 0  # gaps counted
        self.findings = Findings()
        self._fd = fd
        self._ffmpeg = ffmpeg
        self._max_samples = int(max_duration_s * SAMPLE_RATE_HZ)
        self._window_samples = int(window_s * SAMPLE_RATE_HZ)
        self._closed = threading.Event()
        self._tracks: Tracks | None = None
        self._beginning: FfmpegProcess | None = None
        self._changing = threading.Lock()  # close() never misses what is just being opened

    @property
    def decoded_s(self) -> float:
        """Length decoded so far."""
        return self.decoded_samples / SAMPLE_RATE_HZ

    @property
    def is_truncated(self) -> bool:
        """Whether the recording ends before it should."""
        return "truncated" in self.findings.flags

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield ``float32 [<= window], 16 kHz mono`` windows, with silence where nothing was recorded."""
        at = 0
        for piece in self.pieces():
            while at < piece.start_samples:
                gap = min(piece.start_samples - at, self._window_samples)
                yield np.zeros(gap, np.float32)
                at += gap
            yield piece.samples
            at += len(piece.samples)

    def pieces(self) -> Iterator[Piece]:
        """Yield the recording's pieces, each as long as a window at most."""
        size = os.fstat(self._fd).st_size
        if size == 0:
            raise EmptyFileError
        try:
            if SILK.match(os.pread(self._fd, 16, 0)):
                raise SilkError
            parts = find_parts(self._fd, self._max_samples / SAMPLE_RATE_HZ)
        except OSError as error:
            raise ReadFailedError(f"Reading the recording failed: {error.strerror}.") from None
        failure: JobError | None = None
        for number, part in enumerate(parts):
            try:
                yield from self._part(part, is_first=number == 0)
            except (TooLongError, ReadFailedError):
                raise
            except JobError as error:  # one part's
                failure = failure or error
            if self._closed.is_set():
                return
        if failure is not None and not self.decoded_samples:
            raise failure
        if failure is not None:
            self.findings.damaged = True

    def close(self) -> None:
        """End ffmpeg; safe from any thread, and more than once."""
        with self._changing:
            self._closed.set()
            for one in (self._tracks, self._beginning):
                if one is not None:
                    one.close()

    def _part(self, part: Part, *, is_first: bool) -> Iterator[Piece]:
        """Yield the pieces of a part, behind what was decoded before."""
        facts, streams = self._open(part)
        announced_s = part.announced_s
        if announced_s is None and not part.options:  # else ffmpeg says what is to be ignored
            announced_s = facts.duration_s
        begin = self.decoded_samples + round(part.lost_s * SAMPLE_RATE_HZ)
        if announced_s is not None:
            self.announced_s = begin / SAMPLE_RATE_HZ + announced_s
        with self._changing:
            self._tracks = tracks = Tracks(streams)
            if self._closed.is_set():
                tracks.close()
        is_new = not is_first
        try:
            for start, samples, starts_anew in tracks.mixed():
                if begin + start + len(samples) > self._max_samples:
                    limit_h = self._max_samples / SAMPLE_RATE_HZ / 3600
                    raise TooLongError(f"The recording is longer than the limit of {limit_h:g} h.")
                is_new |= starts_anew
                for low in range(0, len(samples), self._window_samples):
                    window = samples[low : low + self._window_samples]
                    self.decoded_samples = begin + start + low + len(window)
                    yield Piece(begin + start + low, window, is_new)
                    is_new = False
        finally:
            tracks.close()
        if not self._closed.is_set():
            self._judge(part, facts, tracks, begin, announced_s)

    def _open(self, part: Part) -> tuple[Facts, Sequence[Stream]]:
        """Return what is known of a part, and the streams of it that are read."""
        plain = self._plain(part)
        if plain is not None:
            return plain.facts, [plain]
        process = FfmpegProcess()
        with self._changing:
            self._beginning = process
            if self._closed.is_set():
                process.close()
        facts, begun = begin(process, self._fd, self._ffmpeg, part, self._max_samples)
        if facts is not None and begun is not None:
            only = facts.tracks[0]
            return facts, [
                TrackStream(self._fd, self._ffmpeg, part, facts, only, self._max_samples, begun=begun)
            ]
        facts = facts or look(self._fd, self._ffmpeg, part)
        return facts, self._streams(part, facts)

    def _plain(self, part: Part) -> PlainWave | None:
        try:
            return plain_wave(self._fd, part)
        except OSError as error:
            raise ReadFailedError(f"Reading the recording failed: {error.strerror}.") from None

    def _streams(self, part: Part, facts: Facts) -> Sequence[Stream]:
        taken: list[Track] = []
        for track in facts.tracks:
            if 0 < track.channels <= MOST_CHANNELS and len(taken) < MOST_TRACKS:
                taken.append(track)
            else:
                self._not_read(track)
        return [TrackStream(self._fd, self._ffmpeg, part, facts, track, self._max_samples) for track in taken]

    def _not_read(self, track: Track) -> None:
        unread = Unread(track.number + 1, track.codec)
        if unread not in self.findings.unread:
            self.findings.unread.append(unread)

    def _judge(self, part: Part, facts: Facts, tracks: Tracks, begin: int, announced_s: float | None) -> None:
        """Note what was odd about a part that was decoded."""
        findings, decoded = self.findings, self.decoded_samples - begin
        for stream in tracks.silent_for_ever:
            self._not_read(stream.track)
        if not decoded:
            raise self._failure(tracks)
        findings.tracks = max(findings.tracks, len(facts.tracks))
        findings.channels = max(findings.channels, tracks.channels)
        findings.heard_channels = max(findings.heard_channels, tracks.heard_channels)
        findings.unread_s += part.unread_s
        findings.created = findings.created or facts.created
        trouble = [stream.trouble for stream in tracks.streams if stream.end_samples]
        is_cut = part.is_cut or any(one.is_cut for one in trouble)
        if not part.is_chain:
            findings.damaged |= any(one.lost_samples >= LOST_SAMPLES for one in trouble)
        is_hole = part.lost_s * SAMPLE_RATE_HZ >= LOST_SAMPLES
        findings.damaged |= is_hole
        findings.is_estimated |= is_hole and not part.is_exact
        missing_s = 0.0
        if announced_s is not None and not part.is_chain:
            missing_s = announced_s - decoded / SAMPLE_RATE_HZ
        if announced_s is None or missing_s <= max(1.0, 0.02 * announced_s):
            findings.cut_off |= announced_s is None and is_cut
        elif self._is_film(part, facts) and reaches_its_end(self._fd, self._ffmpeg, part, facts):
            return  # the picture goes on, the sound is whole
        elif is_cut:
            findings.cut_off = True
        elif any(one.holes for one in trouble):
            findings.damaged = True
        elif format_of(os.pread(self._fd, HEAD_BYTES, part.begin)) in SHOWS_CUTS:
            findings.promises_more = True
        else:
            findings.cut_off = True

    def _is_film(self, part: Part, facts: Facts) -> bool:
        if facts.has_picture is None:
            return has_picture(self._fd, self._ffmpeg, part)
        return facts.has_picture

    def _failure(self, tracks: Tracks) -> JobError:
        """Return why nothing could be decoded."""
        evidence = "\n".join(
            word for stream in tracks.streams for word in list(stream.words)[-EVIDENCE_LINES:]
        )
        if trouble := read_trouble(self._fd):
            return ReadFailedError(f"Reading the recording failed: {trouble}.", evidence=evidence)
        statuses = ", ".join(str(stream.status) for stream in tracks.streams)
        return NotDecodableError(evidence=f"{evidence}\n(ffmpeg ended with {statuses})")
