"""The hours of an inbox: what may be written, and what holds on nights that skip or repeat an hour."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from asr_daemon.hours import Hours

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
UTC = timezone.utc


def at(day: str, clock: str, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> datetime:
    """Return a moment."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone, fold=fold)


def spells(hours: Hours, first: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """Return when they are open, minute by minute, as a list of (first minute, first minute after)."""
    found: list[tuple[datetime, datetime]] = []
    moment = first.astimezone(UTC)
    while moment < until:
        if hours.are_open(moment):
            if found and found[-1][1] == moment:
                found[-1] = (found[-1][0], moment + timedelta(minutes=1))
            else:
                found.append((moment, moment + timedelta(minutes=1)))
        moment += timedelta(minutes=1)
    return found


@pytest.mark.parametrize(
    ("entries", "week_h"),
    [
        (["22:00-07:00"], 63),
        (["Sat,Sun"], 48),
        (["22:00-07:00", "Sat,Sun"], 63 + 48 - 2 * 9),
        (["Mon-Fri 20:00-23:00"], 15),
        (["Fri-Mon"], 96),
        (["fri - mon 1:00 - 2:00"], 4),
        (["Sun 22:00-07:00"], 9),
        (["00:00-24:00"], 168),
        (["Mon, Wed,Fri 12:30-13:00"], 1.5),
        ([], 168),
    ],
)
def test_what_may_be_written(entries: list[str], week_h: float) -> None:
    """Days, a time, or both; several add up, and what two entries say counts once."""
    assert Hours(entries, SHANGHAI).week_h == week_h


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("nights", "no day 'nights'"),
        ("", "says no hours"),
        ("22-7", "says no hours"),
        ("22:00-25:00", "no time of day"),
        ("22:60-23:00", "no time of day"),
        ("08:00-08:00", "ends when it begins"),
        ("24:00-07:00", "ends when it begins"),
        ("Mon-Fri-Sun", "no range"),
        ("Mon,,Fri", "no day ''"),
        ("22:00-07:00 Mon", "says no hours"),
        ("周一", "says no hours"),
    ],
)
def test_what_may_not_be_written_says_what_may(entry: str, told: str) -> None:
    """One sentence, with examples."""
    with pytest.raises(ValueError, match=told) as caught:
        Hours([entry])
    assert '"22:00-07:00"' in str(caught.value)


def test_night_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's goes on until Saturday morning, and Thursday's is none."""
    hours = Hours(["Fri 22:00-07:00"], SHANGHAI)
    assert not hours.are_open(at("2026-03-13", "06:59"))  # a Friday morning
    assert hours.are_open(at("2026-03-13", "22:00"))
    assert hours.are_open(at("2026-03-14", "06:59"))
    assert not hours.are_open(at("2026-03-14", "07:00"))
    assert not hours.are_open(at("2026-03-14", "22:00"))


def test_next_begin_and_end_are_told() -> None:
    """Over a whole week, and at once where it is so already."""
    hours = Hours(["Fri 22:00-07:00"], SHANGHAI)
    monday = at("2026-03-16", "09:00")
    assert hours.open_at(monday) == at("2026-03-20", "22:00")
    assert hours.close_at(at("2026-03-20", "23:00")) == at("2026-03-21", "07:00")
    assert hours.open_at(at("2026-03-20", "23:00")) == at("2026-03-20", "23:00")
    assert hours.close_at(monday) == monday
    assert Hours().close_at(monday) is None
    assert Hours(["00:00-24:00"], SHANGHAI).close_at(monday) is None
    assert Hours(["22:00-24:00", "Mon-Sun 00:00-07:00"], SHANGHAI).close_at(at("2026-03-20", "23:00")) == at(
        "2026-03-21", "07:00"
    )


def test_night_that_skips_an_hour() -> None:
    """In Berlin on 29 March 2026 it is 3 o'clock after 1:59: what begins at half past two begins then."""
    night = (at("2026-03-28", "12:00", BERLIN), at("2026-03-29", "12:00", BERLIN))
    skipped = at("2026-03-29", "03:00", BERLIN)
    hours = Hours(["02:30-05:00"], BERLIN)
    assert hours.open_at(night[0]) == skipped
    assert hours.close_at(skipped) == at("2026-03-29", "05:00", BERLIN)
    assert hours.open_s(*night) == 2 * 3600
    gone = Hours(["02:10-02:50"], BERLIN)
    assert spells(gone, *night) == []
    assert gone.open_at(night[0]) == at("2026-03-30", "02:10", BERLIN)
    whole = Hours(["22:00-07:00"], BERLIN)
    assert whole.open_s(*night) == 8 * 3600
    ends = Hours(["22:00-02:30"], BERLIN)
    assert ends.close_at(at("2026-03-28", "23:00", BERLIN)) == skipped


def test_night_that_repeats_an_hour() -> None:
    """On 25 October 2026 it is 2 o'clock twice: what is open then is open both times."""
    night = (at("2026-10-24", "12:00", BERLIN), at("2026-10-25", "12:00", BERLIN))
    hours = Hours(["02:10-02:50"], BERLIN)
    first, second = at("2026-10-25", "02:10", BERLIN), at("2026-10-25", "02:10", BERLIN, fold=1)
    assert hours.open_at(night[0]) == first.astimezone(UTC)
    assert hours.open_at(hours.close_at(first) or first) == second.astimezone(UTC)
    assert hours.open_s(*night) == 80 * 60
    assert Hours(["22:00-07:00"], BERLIN).open_s(*night) == 10 * 3600
    once = Hours(["22:00-02:00"], BERLIN)
    assert once.close_at(at("2026-10-24", "23:00", BERLIN)) == at("2026-10-25", "02:00", BERLIN).astimezone(
        UTC
    )
    assert not once.are_open(at("2026-10-25", "02:00", BERLIN, fold=1))


@pytest.mark.parametrize("first", ["2026-03-27", "2026-10-23", "2026-06-10"])
@pytest.mark.parametrize(
    "entries", [["22:00-07:00"], ["02:30-03:30"], ["Sun", "23:30-02:30"], ["Sun 01:00-02:15"]]
)
def test_begins_and_ends_are_those_that_a_clock_on_the_wall_shows(first: str, entries: list[str]) -> None:
    """Minute by minute over four days, both changes among them."""
    hours, begin = Hours(entries, BERLIN), at(first, "12:00", BERLIN)
    until = begin.astimezone(UTC) + timedelta(days=4)
    seen = spells(hours, begin, until)
    moment, told = begin, []
    while (opens := hours.open_at(moment)) is not None and opens < until:
        closes = hours.close_at(opens)
        assert closes is not None
        told.append((opens, min(closes, until)))
        moment = closes
    assert told == seen
    assert hours.open_s(begin, until) == sum((end - start).total_seconds() for start, end in seen)


def test_old_waits_are_bounded() -> None:
    """What has been waiting for years costs no more to count than nine days."""
    hours = Hours(["22:00-07:00"], SHANGHAI)
    now = at("2026-03-16", "12:00")
    assert hours.open_s(now - timedelta(days=3000), now) == 9 * 9 * 3600
