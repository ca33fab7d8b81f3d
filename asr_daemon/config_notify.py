"""``[[notify]]``: who is told of what, and where; secrets never leave it in words.

An address says who may write into a group: it is given in a file (``url_file``), which the gateway alone
reads. Where it stands in the configuration itself, it is hidden from everything that shows a configuration.
"""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 (pydantic reads it)
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StrictBool, field_serializer, field_validator, model_validator

from asr_daemon.config_sections import NotNegative, Section
from asr_daemon.hours import Hours

Event = Literal[
    "done", "failed", "quarantined", "blocked", "unblocked", "inbox_gone", "backup_failed", "disk_low"
]
TROUBLE: tuple[Event, ...] = (
    "failed",
    "quarantined",
    "blocked",
    "unblocked",
    "inbox_gone",
    "backup_failed",
    "disk_low",
)
HIDDEN = "hidden://"  # what a configuration that is shown has in a secret's place
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")


class NotifySection(Section):
    """One receiver of messages."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f]+$")]
    url: SecretStr | None = None
    url_file: Path | None = None
    on: Annotated[tuple[Event, ...], Field(min_length=1)] = TROUBLE
    inbox: tuple[str, ...] = ()  # empty: all of them
    digest_s: NotNegative = 30.0
    quiet: str = ""  # "22:00-07:00", local time
    language: Literal["zh", "en"] = "zh"
    include_text: StrictBool = False
    secret: SecretStr | None = None
    secret_file: Path | None = None
    allow_private: StrictBool = False

    @field_validator("url", "secret", mode="before")
    @classmethod
    def _none_for_nothing(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]*://", value.get_secret_value()):
            raise ValueError("is no address, such as 'ntfy://host/topic' or 'https://host/hook'")
        return value

    @field_validator("quiet")
    @classmethod
    def _is_span(cls, value: str) -> str:
        found = _SPAN.fullmatch(value)
        if value and (found is None or found.group(1, 2) == found.group(3, 4)):
            raise ValueError("not a span of hours, such as '22:00-07:00'")
        return value

    @model_validator(mode="after")
    def _has_one_address(self) -> NotifySection:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give either url or url_file")
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("give either secret or secret_file")
        return self

    @field_serializer("url", "secret", when_used="json")
    def _hidden(self, value: SecretStr | None) -> str | None:
        return None if value is None else HIDDEN

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """The files that hold its secrets."""
        return tuple(path for path in (self.url_file, self.secret_file) if path is not None)

    @property
    def quiet_hours(self) -> Hours | None:
        """When nothing is sent; None: there are none."""
        return Hours((self.quiet,)) if self.quiet else None

    @property
    def shown_address(self) -> str:
        """Where messages go, without what lets anybody write there."""
        if self.url is None:
            return f"url_file {self.url_file.name}" if self.url_file is not None else ""
        return shown_address(self.url.get_secret_value())


def shown_address(url: str) -> str:
    """Return an address for people: the kind, and of a web address the host."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return "…"
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{host}/…"
    return f"{parts.scheme}://…" if parts.scheme else "…"


def notify_problem(sections: tuple[NotifySection, ...], inboxes: tuple[str, ...]) -> str:
    """Return what is wrong with them together, or ""."""
    names = [section.name for section in sections]
    if twice := next((name for name in names if names.count(name) > 1), None):
        return f"two [[notify]] are called {twice!r}: give each its own name"
    for section in sections:
        if unknown := next((name for name in section.inbox if name not in inboxes), None):
            return f"notify {section.name!r}: inbox: there is no inbox {unknown!r}"
    files: dict[str, Path] = {}
    for path in (path for section in sections for path in section.secret_files):
        if files.setdefault(path.name, path) != path:
            return (
                f"notify: two files are called {path.name!r}: give each its own name, systemd hands them to "
                "the gateway by it"
            )
    return ""
