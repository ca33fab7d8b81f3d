"""Channels by their place: what ffmpeg's names of layouts mean, and how loud a place is in a film's mix.

A layout is real where the recording itself says it; ffmpeg guesses one where it does not, and then the
fourth microphone of six is taken for a cinema's bass.
"""

from __future__ import annotations

import re

LAYOUTS = {  # libavutil/channel_layout.c, in its order of channels
    "mono": "FC",
    "stereo": "FL FR",
    "2.1": "FL FR LFE",
    "3.0": "FL FR FC",
    "3.0(back)": "FL FR BC",
    "4.0": "FL FR FC BC",
    "quad": "FL FR BL BR",
    "quad(side)": "FL FR SL SR",
    "3.1": "FL FR FC LFE",
    "4.1": "FL FR FC LFE BC",
    "5.0": "FL FR FC BL BR",
    "5.0(side)": "FL FR FC SL SR",
    "5.1": "FL FR FC LFE BL BR",
    "5.1(side)": "FL FR FC LFE SL SR",
    "6.0": "FL FR FC BC SL SR",
    "6.0(front)": "FL FR FLC FRC SL SR",
    "hexagonal": "FL FR FC BL BR BC",
    "6.1": "FL FR FC LFE BC SL SR",
    "6.1(back)": "FL FR FC LFE BL BR BC",
    "7.0": "FL FR FC BL BR SL SR",
    "7.1": "FL FR FC LFE BL BR SL SR",
    "7.1(wide)": "FL FR FC LFE BL BR FLC FRC",
    "7.1(wide-side)": "FL FR FC LFE FLC FRC SL SR",
    "octagonal": "FL FR FC BL BR BC SL SR",
    "3.1.2": "FL FR FC LFE TFL TFR",
    "6.1(front)": "FL FR LFE FLC FRC SL SR",
    "7.0(front)": "FL FR FC FLC FRC SL SR",
    "5.1.2": "FL FR FC LFE SL SR TFL TFR",
    "5.1.2(back)": "FL FR FC LFE BL BR TFL TFR",
    "cube": "FL FR BL BR TFL TFR TBL TBR",
    "5.1.4": "FL FR FC LFE SL SR TFL TFR TBL TBR",
    "7.1.2": "FL FR FC LFE BL BR SL SR TFL TFR",
    "7.1.4": "FL FR FC LFE BL BR SL SR TFL TFR TBL TBR",
    "7.2.3": "FL FR FC LFE BL BR SL SR TFL TFR TBC LFE2",
    "9.1.4": "FL FR FC LFE BL BR FLC FRC SL SR TFL TFR TBL TBR",
    "9.1.6": "FL FR FC LFE BL BR FLC FRC SL SR TFL TFR TBL TBR TSL TSR",
    "hexadecagonal": "FL FR FC BL BR BC SL SR TFL TFC TFR TBL TBC TBR WL WR",
    "binaural": "BIL BIR",
    "downmix": "DL DR",
    "22.2": "FL FR FC LFE BL BR FLC FRC BC SL SR TC TFL TFC TFR TBL TBC TBR LFE2 TSL TSR BFC BFL BFR",
}
_AMBISONIC = re.compile(r"ambisonic (\d{1,2})(?:\+(\S+))?")  # a sphere's order, and what stands beside it
_COUNTED = re.compile(r"(\d{1,9}) channels")
BASS = ("LFE", "LFE2")
# ITU-R BS.775: the centre whole, left and right at -3 dB, what lies behind at -3 dB of those. Bass counts
# like left and right where it holds speech, which no film's does.
_WEIGHTS = {"FC": 1.0, "BC": 0.5, "BL": 0.5, "BR": 0.5, "SL": 0.5, "SR": 0.5}
_OTHERS = 0.7071


def channels_of(layout: str) -> int:
    """Return how many channels a layout of ffmpeg's has; 0 where its name does not say."""
    if layout in LAYOUTS:
        return len(LAYOUTS[layout].split())
    if found := _AMBISONIC.fullmatch(layout):
        beside = channels_of(found.group(2)) if found.group(2) else 0
        return (int(found.group(1)) + 1) ** 2 + beside
    counted = _COUNTED.match(layout)
    return int(counted.group(1)) if counted else 0


def places(layout: str, channels: int) -> tuple[str, ...]:
    """Return the place of each channel; none where the layout is unknown or has another number of them."""
    found = tuple(LAYOUTS.get(layout, "").split())
    return found if len(found) == channels else ()


def weights(layout: str, channels: int) -> tuple[float, ...]:
    """Return how much each channel counts: as in films for a real layout of three and more, else alike."""
    found = places(layout, channels)
    if channels < 3 or not found:  # noqa: PLR2004 (stereo has no centre)
        return (1.0,) * channels
    return tuple(_WEIGHTS.get(place, _OTHERS) for place in found)


def basses(layout: str, channels: int) -> tuple[int, ...]:
    """Return which channels a cinema plays as bass."""
    return tuple(index for index, place in enumerate(places(layout, channels)) if place in BASS)
