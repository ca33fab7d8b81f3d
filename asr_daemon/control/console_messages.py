"""What the console's pages ask of the daemon; see messages.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

MOST_HOTWORDS_CHARS = 300_000
MOST_TIMES = 200  # segments at once


@dataclass(frozen=True, slots=True)
class GetDashboard:
    """How everything stands; answered by :class:`Dashboard`."""

    command: Literal["get_dashboard"] = "get_dashboard"


@dataclass(frozen=True, slots=True)
class GetReading:
    """A recording as its page shows it; answered by :class:`Reading`."""

    recording: int
    command: Literal["get_reading"] = "get_reading"


@dataclass(frozen=True, slots=True)
class GetTimes:
    """When the words of some segments are spoken; answered by :class:`Times`."""

    recording: int
    first: Annotated[int, Field(ge=0, le=1 << 31)] = 0
    count: Annotated[int, Field(ge=1, le=MOST_TIMES)] = 100
    command: Literal["get_times"] = "get_times"


@dataclass(frozen=True, slots=True)
class Find:
    """Recordings that hold all the words; answered by :class:`FoundList`."""

    words: Annotated[str, Field(max_length=1000)]
    inbox: str | None = None
    mark: Annotated[str, Field(pattern=r"^(s\d{1,2}\.\d{1,18}|r\d{1,18})?$")] = ""
    command: Literal["find"] = "find"


@dataclass(frozen=True, slots=True)
class GetHotwords:
    """An inbox's hotword list; answered by :class:`HotwordFile`."""

    inbox: str
    command: Literal["get_hotwords"] = "get_hotwords"


@dataclass(frozen=True, slots=True)
class SaveHotwords:
    """Write an inbox's list, where it is still the one of that digest; answered by :class:`HotwordFile`."""

    inbox: str
    text: Annotated[str, Field(max_length=MOST_HOTWORDS_CHARS)]
    digest: Annotated[str, Field(max_length=64)]
    command: Literal["save_hotwords"] = "save_hotwords"


@dataclass(frozen=True, slots=True)
class GetModels:
    """Models and devices; answered by :class:`Models`."""

    command: Literal["get_models"] = "get_models"


@dataclass(frozen=True, slots=True)
class Unload:
    """Give the model's memory back until the next recording; answered by :class:`Done`."""

    command: Literal["unload"] = "unload"


ConsoleRequest = GetDashboard | GetReading | GetTimes | Find | GetHotwords | SaveHotwords | GetModels | Unload
