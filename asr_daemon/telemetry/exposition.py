"""Showing the figures as the configuration of now says; the library is loaded only where it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import ShareUnavailableError
from asr_daemon.service.activation import METRICS_SOCKET, passed_socket

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.daemon import Parts
    from asr_daemon.telemetry.metrics import Metrics


log = structlog.get_logger()


class Exposition:
    """Writes the file and serves the port, where they are wanted; belongs to the daemon."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._metrics: Metrics | None = None
        self._problem = ""  # with the file

    def show(self) -> None:
        """Bring file and port up to date; the schedule calls it."""
        settings = self._parts.config.metrics
        if self._metrics is None and (settings.port or settings.textfile):
            from asr_daemon.telemetry.metrics import Metrics  # noqa: PLC0415

            self._metrics = Metrics(self._parts, passed_socket(METRICS_SOCKET))
        if self._metrics is None:
            return
        self._metrics.port.configure(settings.port, str(settings.address))
        if settings.textfile is not None:
            self._write(self._metrics, settings.textfile)

    def _write(self, metrics: Metrics, path: Path) -> None:
        """Write the file; what is wrong with its folder is said once."""
        problem = ""
        try:
            metrics.write(path)
        except ShareUnavailableError as error:
            problem = str(error)
            if problem != self._problem:
                log.error("metrics_file_not_written", problem=problem)
        self._problem = problem

    def close(self) -> None:
        """Close the port."""
        if self._metrics is not None:
            self._metrics.port.close()
