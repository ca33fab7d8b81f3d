"""Whose time it is: ``$TZ``, where the system knows no time zones, and where it is none.

The C library takes a name that it cannot find for UTC without a word; backups, hours and names would be eight
hours off. Systems made small (containers) have no time zones at all: then those of the package tzdata serve.
Enters: ``$TZ`` and what lies in ``/usr/share/zoneinfo``. Leaves: a process, and children, that know it; or
what is wrong, in a sentence.
"""

from __future__ import annotations

import importlib.util
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

SYSTEM = Path("/usr/share/zoneinfo")
LOCAL_TIME = Path("/etc/localtime")
_OWN = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]+>)[+-]?\d")  # "CST-8": a zone in itself, see tzset(3)
_UTC = ("UTC", "UTC0", "GMT", "GMT0", "Universal", "Zulu")


def take_zones(environ: MutableMapping[str, str] = os.environ, system: Path = SYSTEM) -> None:
    """Take the time zones of the package where the system has none of that name."""
    name = _name(environ)
    if not name or "TZDIR" in environ or _is_in(system, name):
        return
    packaged = packaged_zones()
    if packaged is not None and _is_in(packaged, name):
        environ["TZDIR"] = os.fspath(packaged)
        given = environ["TZ"]
        for zone in ("UTC0", given):  # the C library looks anew only where the name has changed
            environ["TZ"] = zone
            time.tzset()


def zone_problem(
    environ: Mapping[str, str] = os.environ, system: Path = SYSTEM, local_time: Path = LOCAL_TIME
) -> str:
    """Return what is wrong with the time zone; "" where nothing is."""
    given = environ.get("TZ")
    if given is None:
        if local_time.exists():
            return ""
        return "no time zone is set: times are UTC; set TZ=Asia/Shanghai, or what holds where you are"
    name = _name(environ)
    if not name or _is_in(Path(environ.get("TZDIR") or system), name):
        return ""
    return f"TZ={given}: there is no such time zone here, and times are UTC; write it as Asia/Shanghai"


def packaged_zones() -> Path | None:
    """Return the folder of the package tzdata."""
    found = importlib.util.find_spec("tzdata")
    return Path(found.origin).parent / "zoneinfo" if found is not None and found.origin else None


def _name(environ: Mapping[str, str]) -> str:
    """Return the name that has to be looked up; "" where there is none."""
    given = environ.get("TZ", "").removeprefix(":")
    return "" if given in _UTC or _OWN.match(given) else given


def _is_in(folder: Path, name: str) -> bool:
    return (folder / name).is_file()  # an absolute name is one
