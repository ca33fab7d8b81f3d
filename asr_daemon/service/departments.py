"""Departments that come and go while the daemon runs: folders in ``daemon.inboxes``.

Enters: looks into that folder, again and again. Leaves: another configuration where its departments changed.
One is taken up once two looks in a row have seen it: who makes a folder often gives it its name a moment
later. One that goes is let go where it never had a recording, or where it was only renamed; otherwise it
stays an inbox whose folder is not there, which `status`, `check` and `healthcheck` tell, until the folder is
back, or a reload or start takes the departments as they are then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.files.departments import MOST_DEPARTMENTS, Listing, list_departments

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.config import Config
    from asr_daemon.history import History
    from asr_daemon.service.configuration import Configuration

log = structlog.get_logger()

MOST_TOLD = 20  # of those that cannot be one; who may make folders there could make thousands


class Departments:
    """Looks, and hands over the configuration with what it found."""

    def __init__(
        self,
        configuration: Configuration,
        history: History,
        take_up: Callable[[Config, Config], bool],
    ) -> None:
        """``take_up`` gets what was in force, and that with other departments; False: something else is."""
        self._configuration = configuration
        self._history = history
        self._take_up = take_up
        self._before = Listing()
        self._inodes: dict[str, int] = {}  # of the departments that are taken up
        self._told: dict[str, str] = {}

    def look(self) -> None:
        """Take up what has changed since; the schedule calls it."""
        config = self._configuration.now
        if config.daemon.inboxes is None:
            self._configuration.departments_problem = ""
            return
        found, before = list_departments(config.daemon.inboxes), self._before
        self._say(found.problem)
        if found.problem:
            return
        self._before, stated = found, config.stated
        known = [inbox.name for inbox in config.departments]
        self._inodes.update({name: found.inodes[name] for name in known if name in found.inodes})
        keeps = [name for name in known if name in found.inodes or not self._lets_go(name, found)]
        fresh = [name for name in found.inodes if name in before.inodes and name not in known]
        refused = dict(found.refused)
        for name in fresh:
            if why := stated.why_no_department(name) or _too_many(len(keeps), name, fresh):
                refused[name] = why
        coming = [name for name in fresh if name not in refused]
        self._say_refused(refused)
        if keeps == known and not coming:
            return
        if not self._take_up(config, config.with_departments([*keeps, *coming])):
            return  # a reload came first, and took them as they are: the next look sees what is left
        for name in coming:
            log.info("department_found", inbox=name)

    def _lets_go(self, name: str, found: Listing) -> bool:
        """Return whether a department that is not there any more is none."""
        inode = self._inodes.get(name)
        renamed = next((other for other, number in found.inodes.items() if number == inode), "")
        if not renamed and name not in found.refused and self._has_recordings(name):
            return False
        self._inodes.pop(name, None)
        log.info("department_left", inbox=name, renamed=renamed or None)
        return True

    def _has_recordings(self, name: str) -> bool:
        return any(row["inbox"] == name for row in self._history.all("inbox_counts"))

    def _say(self, problem: str) -> None:
        said, self._configuration.departments_problem = self._configuration.departments_problem, problem
        if problem and problem != said:
            log.warning("departments_not_seen", problem=problem)
        elif said and not problem:
            log.info("departments_seen_again")

    def _say_refused(self, refused: dict[str, str]) -> None:
        for name, why in list(refused.items())[:MOST_TOLD]:
            if self._told.get(name) != why:
                log.warning("department_refused", folder=name, problem=why)
        self._told = dict(list(refused.items())[:MOST_TOLD])


def _too_many(kept: int, name: str, fresh: list[str]) -> str:
    if kept + fresh.index(name) < MOST_DEPARTMENTS:
        return ""
    return f"there are {MOST_DEPARTMENTS} already"
