"""Mixing: the channels of all tracks go in, one voice comes out in which everybody is heard.

Enters: windows of ``float32 [n_channels, n_samples], 16 kHz``, the channels of all tracks.
Leaves: ``float32 [n_samples], 16 kHz mono``, never louder than the loudest channel.

A fixed mix loses speech: opposite phase cancels, noise on one channel drowns the other, and what ffmpeg
takes for bass is dropped. So for every half second: channels whose level in the speech band moves as speech
does are mixed, those that only hiss or hum are left out, and those that run against the loudest are turned
over. Where nothing moves, the last mix stays; with no last one, all channels count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.sound.layouts import basses, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCK_SAMPLES = 8_000  # 500 ms: a decision
_THIN = 4  # what is decided on: means of 4 samples, differenced twice (about 500 to 2000 Hz)
_FRAMES = 10  # of 50 ms in a block
_FRAME_SAMPLES = BLOCK_SAMPLES // _THIN // _FRAMES
_AROUND = 1  # blocks before and behind that are looked at, too: 1.5 s hold a syllable's end, or a pause
# Between loud and quiet frames of 1.5 s: steady noise of any colour has 2 dB, speech with as much noise as
# voice 5, speech alone 15 and more.
MOVES_DB = 4.5
SILENT_DBFS = -100.0  # in the band; the last bit of 16 has -98 over all frequencies
# A channel's bass is all it has where its band lies that far below the rest of it (second differences take
# 45 dB off 80 Hz, 10 dB off a voice).
BASS_ALONE_DB = 30.0
PAIR_SAMPLES = BLOCK_SAMPLES // 2 // _THIN
PLAIN = 0.6  # correlation of two channels, of like levels, above which they are one
_NEXT_TO_NOTHING = 1e-10  # power, -100 dBFS
AGAINST, ALONG = -0.35, 0.1  # correlation at which a channel is turned, and turned back
SURE = 0.85  # correlation of two channels that hold the same, in a recording that has opposite phase


@dataclass(frozen=True, slots=True)
class Source:
    """One track's channels, as they lie side by side."""

    channels: int
    layout: str = ""  # ffmpeg's name; "" where none is real


class Mixer:
    """One recording's mix; what was decided goes on from window to window."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._weights = np.array([one for s in sources for one in weights(s.layout, s.channels)], np.float32)
        bass, first = [], 0
        for source in sources:
            bass += [first + index for index in basses(source.layout, source.channels)]
            first += source.channels
        self._bass = tuple(bass)
        self._signs = np.ones(len(self._weights), np.float32)
        self._last: NDArray[np.bool_] | None = None  # the channels that were heard last
        self._gains: NDArray[np.float32] | None = None  # at the end of the last window
        self._turned = False  # something ran against something
        self.heard = np.zeros(len(self._weights), bool)

    def mix(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mix of the next window."""
        if len(window) == 1:
            only: NDArray[np.float32] = window[0]
            return only
        if all(_are_same(window[0], other) for other in window[1:]):
            self.heard[0] = True
            same: NDArray[np.float32] = window[0]
            return same
        if self._is_plain_stereo(window):
            self.heard[:] = True
            return self._apply(window, _half_of_each(window.shape[1]))
        return self._apply(window, self._decide(window))

    def _is_plain_stereo(self, window: NDArray[np.float32]) -> bool:
        """Whether two channels hold the same, more or less, all the time: nothing to decide."""
        if len(window) != 2 or len(self._sources) != 1 or (self._signs < 0).any():  # noqa: PLR2004 (a pair)
            return False
        count = window.shape[1] // BLOCK_SAMPLES * 2
        if not count:
            return False
        # differences at every fourth sample: DC and hum prove nothing, and what is folded down does no harm
        whole = window[:, : count * BLOCK_SAMPLES // 2]
        band = whole[:, 2::_THIN] - whole[:, 0::_THIN]
        parts = band.reshape(2, count, PAIR_SAMPLES)
        left, right = (np.einsum("ij,ij->i", part, part) for part in parts)
        both = np.einsum("ij,ij->i", parts[0], parts[1])
        counts = np.maximum(left, right) > _NEXT_TO_NOTHING * PAIR_SAMPLES
        alike = (both > PLAIN * np.sqrt(left * right)) & (
            np.minimum(left, right) * 10 > np.maximum(left, right)
        )
        return bool(counts.any() and alike[counts].all())

    def _decide(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the gain of each channel, then of each shifted, ``float32 [n_blocks, 2 * n_channels]``."""
        bands = _bands(window)
        power = np.einsum("cbft,cbft->bfc", bands, bands) / _FRAME_SAMPLES + 1e-20
        speaks = self._speaks(power, window)
        self.heard |= speaks.any(axis=0)
        gains = np.zeros((len(power), 2 * len(window)), np.float32)
        flat = bands.reshape(*bands.shape[:2], -1).swapaxes(0, 1)  # [blocks, channels, samples]
        energy = power.sum(axis=1) * _FRAME_SAMPLES
        for number, active in enumerate(self._held(speaks)):
            share = np.tile(self._share(active), 2)
            gains[number] = share * self._turn(flat[number], energy[number], active)
        return gains

    def _speaks(self, power: NDArray[np.float32], window: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return for each block and channel whether its level moves as speech does."""
        levels = 10 * np.log10(power)
        padded = np.concatenate([levels[:1]] * _AROUND + [levels] + [levels[-1:]] * _AROUND)
        wide = np.concatenate(
            [padded[shift : len(levels) + shift] for shift in range(2 * _AROUND + 1)], axis=1
        )
        low, high = np.percentile(wide, (10, 90), axis=1)
        low = np.maximum(low, SILENT_DBFS)  # from nothing to next to nothing is no movement
        speaks: NDArray[np.bool_] = high - low > MOVES_DB
        for index in self._bass:
            whole = 10 * np.log10(np.square(window[index]).mean() + 1e-20)
            if 10 * np.log10(power[:, :, index].mean()) < whole - BASS_ALONE_DB:
                speaks[:, index] = False
        return speaks

    def _held(self, speaks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return who is mixed: who speaks, half a second around it too; else who spoke last, or will next."""
        wide = speaks.copy()
        wide[1:] |= speaks[:-1]
        wide[:-1] |= speaks[1:]
        rows = np.flatnonzero(wide.any(axis=1))
        if not len(rows):
            chosen = self._last if self._last is not None else np.ones(speaks.shape[1], bool)
            return np.broadcast_to(chosen, speaks.shape)
        before = np.searchsorted(rows, np.arange(len(wide)), side="right") - 1
        held = wide[rows[np.maximum(before, 0)]]
        if self._last is not None:
            held[before < 0] = self._last
        self._last = held[-1].copy()
        return held

    def _share(self, active: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return what each channel counts: tracks alike, within a track by their weights."""
        shares = np.where(active, self._weights, 0).astype(np.float32)
        first, tracks = 0, 0
        for source in self._sources:
            part = shares[first : first + source.channels]
            if total := float(part.sum()):
                part /= total
                tracks += 1
            first += source.channels
        shares /= max(tracks, 1)
        return shares

    def _turn(
        self, band: NDArray[np.float32], energy: NDArray[np.float32], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return the sign of each channel, then of each shifted one.

        Where two channels ran against each other before and now hold something of both kinds, their sum
        would hold one party alone and their difference the other: one of them is shifted by a quarter of a
        turn, with which nothing cancels.
        """
        signs = np.tile(self._signs, 2)
        signs[len(active) :] = 0
        loudest = int(np.where(active, energy, 0).argmax())
        along = np.einsum("ct,t->c", band, band[loudest]) / np.sqrt(energy * energy[loudest])
        against = along < AGAINST
        decided = (against | (along > ALONG)) & active
        self._turned |= bool(against[active].any())
        if self._turned:
            both = active & (np.abs(along) < SURE)
            signs[: len(active)][both] = 0
            signs[len(active) :][both] = 1
            decided &= ~both
        new = np.where(against, -self._signs[loudest], self._signs[loudest])
        self._signs = np.where(decided, new, self._signs).astype(np.float32)
        signs[: len(active)][decided] = new[decided]
        return signs

    def _apply(self, window: NDArray[np.float32], gains: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mix; gains go from one block to the next along a line."""
        before = gains[:1] if self._gains is None else self._gains[None]
        self._gains = gains[-1]
        if (gains == before).all():
            return _summed(before[0], window)
        # each block's gain holds in its middle
        middles = np.arange(len(gains)) * BLOCK_SAMPLES + BLOCK_SAMPLES // 2
        points = np.concatenate([[-(BLOCK_SAMPLES // 2)], middles])
        values = np.concatenate([before, gains])
        mixed = np.zeros(window.shape[1], np.float32)
        at = np.arange(window.shape[1])
        for channel in np.flatnonzero(values.any(axis=0)):
            sound = window[channel] if channel < len(window) else _shifted(window[channel - len(window)])
            if (values[:, channel] == values[0, channel]).all():
                mixed += values[0, channel] * sound
            else:
                mixed += np.interp(at, points, values[:, channel]).astype(np.float32) * sound
        return mixed


def _are_same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    few = slice(None, None, 997)  # most that differ do so everywhere
    return np.array_equal(one[few], other[few]) and np.array_equal(one, other)


def _half_of_each(length: int) -> NDArray[np.float32]:
    gains = np.zeros((-(-length // BLOCK_SAMPLES), 4), np.float32)
    gains[:, :2] = 0.5
    return gains


def _shifted(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sound with every frequency shifted by a quarter of a turn (its Hilbert transform)."""
    spectrum = np.fft.rfft(sound)
    spectrum *= -1j
    shifted: NDArray[np.float32] = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
    return shifted


def _summed(gains: NDArray[np.float32], window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weighted sum of the channels (not by BLAS, whose threads wait by spinning)."""
    mixed = np.zeros(window.shape[1], np.float32)
    for channel in np.flatnonzero(gains):
        sound = window[channel] if channel < len(window) else _shifted(window[channel - len(window)])
        mixed += gains[channel] * sound
    return mixed


def _bands(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the speech band, thinned: ``[n_channels, n_blocks, frames of 50 ms, samples]``."""
    count = -(-window.shape[1] // BLOCK_SAMPLES)
    missing = count * BLOCK_SAMPLES - window.shape[1]
    whole = np.pad(window, ((0, 0), (0, missing)), mode="symmetric") if missing else window
    thin = whole[:, 0::_THIN] + whole[:, 1::_THIN]
    thin += whole[:, 2::_THIN]
    thin += whole[:, 3::_THIN]
    thin *= 1 / _THIN
    band = np.zeros_like(thin)
    band[:, 2:] = thin[:, 2:] - 2 * thin[:, 1:-1] + thin[:, :-2]
    return band.reshape(len(whole), count, _FRAMES, _FRAME_SAMPLES)
