"""Channels by their place: what ffmpeg's names of layouts mean, and how loud a place is in a film's mix.

A layout is real where the recording itself says it; ffmpeg guesses one where it does not, and then the
fourth microphone of six is taken for a cinema's bass.
"""

from __future__ import annotations

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
}
BASS = "LFE"
# ITU-R BS.775: the centre whole, left and right at -3 dB, what lies behind at -3 dB of those. Bass counts
# like left and right where it holds speech, which no film's does.
_WEIGHTS = {"FC": 1.0, "BC": 0.5, "BL": 0.5, "BR": 0.5, "SL": 0.5, "SR": 0.5}
_OTHERS = 0.7071


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
    return tuple(index for index, place in enumerate(places(layout, channels)) if place == BASS)
