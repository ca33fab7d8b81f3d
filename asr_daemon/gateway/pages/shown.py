"""How figures and times are written for people, in either language; the templates' filters."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from asr_daemon.control.console_answers import Next, ReadPassage
    from asr_daemon.gateway.pages.texts import Texts

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
KILO = 1000.0
UNITS = ("B", "kB", "MB", "GB", "TB")


def clock(ms: int | None) -> str:
    """Return a length or a place as ``1:02:03``, ``2:03``; an en dash where it is not known."""
    if ms is None:
        return "–"
    seconds = ms // 1000
    hours, minutes, seconds = seconds // HOUR_S, seconds // MINUTE_S % 60, seconds % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def when(stamp: str | None) -> str:
    """Return a stamp in the server's time zone, ``03-15 09:30``, with its year where it is another one."""
    if not stamp:
        return "–"
    moment = datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone()
    is_this_year = moment.year == datetime.now(timezone.utc).astimezone().year
    return f"{moment:%m-%d %H:%M}" if is_this_year else f"{moment:%Y-%m-%d %H:%M}"


def size(amount_bytes: int) -> str:
    """Return a size as ``1.2 GB``."""
    amount, unit = float(amount_bytes), 0
    while amount >= KILO and unit < len(UNITS) - 1:
        amount, unit = amount / KILO, unit + 1
    return f"{amount:.0f} {UNITS[unit]}" if unit < 2 or amount >= 100 else f"{amount:.1f} {UNITS[unit]}"  # noqa: PLR2004


def about(seconds: float | None, t: Texts) -> str:
    """Return about how long something will take, in words; "" where it is not known."""
    if seconds is None:
        return ""
    if seconds < MINUTE_S:
        return t("about.under_a_minute")
    if seconds < HOUR_S:
        return t("about.minutes", round(seconds / MINUTE_S))
    if seconds < DAY_S:
        return t("about.hours", f"{seconds / HOUR_S:.1f}")
    return t("about.days", f"{seconds / DAY_S:.1f}")


def waits_for(one: Next, t: Texts) -> str:
    """Return why a recording waits, and until when, about."""
    if one.why == "turn":
        told = t("waits.turn", one.before) if one.before else t("waits.next")
        return f"{told} · {about(one.in_s, t)}" if one.in_s else told
    if one.why in ("hours", "again") and one.begins_at:
        return t(f"waits.{one.why}", when(one.begins_at))
    return t("waits.hours_unknown" if one.why == "hours" else f"waits.{one.why}")


def percent(done: float, of: float) -> int:
    """Return how much of it is done."""
    return min(100, int(100 * done / of)) if of > 0 else 0


def base_name(path: str) -> str:
    """Return the last part of a path."""
    return path.rpartition("/")[2]


def folder(path: str) -> str:
    """Return what is before the last part of a path, with its slash; "" where nothing is."""
    before, slash, _ = path.rpartition("/")
    return before + slash


def tone(state: str) -> str:
    """Return how a state of a recording looks: good, busy, calm or bad."""
    return {"done": "good", "running": "busy", "failed": "bad", "quarantined": "bad"}.get(state, "calm")


def marked(passage: ReadPassage, t: Texts) -> Markup:
    """Return a passage's text with its marks."""
    parts: list[Markup] = []
    at = 0
    for mark in passage.marks:
        parts.append(escape(passage.text[at : mark.start]))
        title = t(f"mark.{mark.kind}", mark.said) if mark.said else t(f"mark.{mark.kind}.alone")
        word = passage.text[mark.start : mark.end]
        parts.append(Markup('<mark class="{}" title="{}">{}</mark>').format(mark.kind, title, word))
        at = mark.end
    parts.append(escape(passage.text[at:]))
    return Markup("").join(parts)


def as_it_is(text: str) -> Markup:
    """Return a text that is edited and written back: nothing in it is shown otherwise."""
    return escape(text)


FILTERS = {
    "as_it_is": as_it_is,
    "clock": clock,
    "when": when,
    "size": size,
    "about": about,
    "waits_for": waits_for,
    "percent": percent,
    "base_name": base_name,
    "folder": folder,
    "tone": tone,
    "marked": marked,
}
