"""The log: one record per step of a recording, for a person, for journald or for a machine.

Enters: events in the past tense with their fields (``log.info("recording_queued", job=12)``), and whatever
libraries say through :mod:`logging` or :mod:`warnings`, tagged ``library_logged``. Leaves: journald's native
records where stderr goes to the journal; coloured lines on a terminal; otherwise one line of ``key=value``
(or of JSON) per record. Never raises: a log that cannot be written must not stop the work.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Literal

import structlog

from asr_daemon.printable import json_text, printable
from asr_daemon.telemetry import journal

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import TracebackType

    from structlog.typing import Processor

Style = Literal["auto", "console", "journal", "json"]
Output = Literal["console", "native", "prefixed", "logfmt", "json"]

get_logger = structlog.get_logger

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(
    style: Style,
    level: str,
    *,
    identifier: str = journal.IDENTIFIER,
    way: journal.Journal | None = None,
) -> None:
    """Send this process's records where ``style`` says, from ``level`` ("debug" .. "error") up.

    May be called again, as after a reload. ``way`` is the way to journald (None: the system's). Records of
    libraries pass from "warning" up ("info" when the level is "debug"). Unhandled exceptions, of any thread,
    become one record each.
    """
    way = way or journal.Journal()
    output = choose_output(style, way)
    threshold = _LEVELS[level]
    structlog.configure(
        processors=_processors(output),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_Sink.factory(way if output == "native" else None, identifier),
        cache_logger_on_first_use=False,  # a reload may change the level
    )
    libraries = logging.INFO if threshold == logging.DEBUG else max(threshold, logging.WARNING)
    logging.basicConfig(handlers=[_LibraryHandler()], level=libraries, force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def choose_output(style: Style, way: journal.Journal) -> Output:
    """Return the form of the records: what was asked for, or what suits where stderr goes."""
    if style == "console":
        return "console"
    if style == "json":
        return "json"
    to_journal = journal.is_journal_stream(2, os.environ.get("JOURNAL_STREAM"))
    if style == "journal" or to_journal:
        return "native" if way.reachable() else "prefixed"
    return "console" if _is_terminal() else "logfmt"


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # stderr may be closed, or missing altogether
        return False


def _processors(output: Output) -> list[Processor]:
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _format_traceback,
    ]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    in_order = ["timestamp", "level", "event"]
    match output:
        case "native":
            return common
        case "json":
            return [
                *common,
                stamp,
                structlog.processors.JSONRenderer(json_text, default=journal.as_text),
            ]
        case "console":
            stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
            return [*common, stamp, _without_control, _traceback_below, _console_renderer()]
        case "prefixed":  # journald stamps the time itself
            line = structlog.processors.LogfmtRenderer(bool_as_flag=False)
            return [*common, _without_control, _with_priority(line)]
        case "logfmt":
            line = structlog.processors.LogfmtRenderer(key_order=in_order, bool_as_flag=False)
            return [*common, stamp, _without_control, line]


def _console_renderer() -> structlog.dev.ConsoleRenderer:
    colors = _is_terminal() and not os.environ.get("NO_COLOR")
    return structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
    )


# ------------------------------------------------------------------ processors


def _format_traceback(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn ``exc_info`` into the text ``traceback``."""
    given = event.pop("exc_info", None)
    if given:
        info = _exc_info(given)
        if info is not None:
            event["traceback"] = "".join(traceback.format_exception(*info)).rstrip("\n")
    return event


def _exc_info(given: Any) -> tuple[Any, Any, Any] | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    info = given if isinstance(given, tuple) else sys.exc_info()
    return info if info[0] is not None else None


def _without_control(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    r"""Show control characters as ``\x1b``: a file's name must not steer a terminal or begin a line."""
    for key, value in event.items():
        if value is None or isinstance(value, (bool, int, float)):
            continue
        event[key] = printable(journal.as_text(value), lines=key == "traceback")
    return event


def _traceback_below(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Give the traceback to the console's renderer, which puts it below the line."""
    if "traceback" in event:
        event["exception"] = event.pop("traceback")
    return event


def _with_priority(render: structlog.processors.LogfmtRenderer) -> Processor:
    def prefixed(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        level = str(event.pop("level", "info"))
        line = render(logger, name, {"event": event.pop("event", ""), **event})
        return f"<{journal.PRIORITIES.get(level, 6)}>{line}"

    return prefixed


# ------------------------------------------------------------------ where records go


class _Sink:
    """Where rendered records go; every level's method is the same, because the record knows its own."""

    def __init__(self, way: journal.Journal | None, identifier: str) -> None:
        self._journal = way
        self._identifier = identifier
        self._fallback = _with_priority(structlog.processors.LogfmtRenderer(bool_as_flag=False))
        self._dropped = 0  # records that a hanging journal did not take

    @classmethod
    def factory(cls, way: journal.Journal | None, identifier: str) -> Any:
        """Return what structlog calls for a logger: one sink for the whole process."""
        sink = cls(way, identifier)
        return lambda *_: sink

    def msg(self, line: str | None = None, **event: Any) -> None:
        """Write a rendered line, or send the event's fields to the journal."""
        if self._journal is None or line is not None:
            _write(line or "")
            return
        try:
            if self._dropped:
                lost = {"event": "log_records_dropped", "level": "warning", "records": self._dropped}
                self._journal.send(journal.fields(lost, identifier=self._identifier))
                self._dropped = 0
            self._journal.send(journal.fields(event, identifier=self._identifier))
        except TimeoutError:
            self._dropped += 1  # stderr ends in the same journal: it would hang us
        except OSError:
            _write(str(self._fallback(None, "", _without_control(None, "", event))))

    log = debug = info = warning = warn = error = err = critical = fatal = exception = failure = msg


def _write(line: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # full, closed or missing stderr
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


# ------------------------------------------------------------------ others' records


class _LibraryHandler(logging.Handler):
    """Takes what libraries log into the same log, tagged with the library's logger."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record of :mod:`logging`."""
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 (a library's own format string may be wrong)
            text = f"{record.msg} ({error})"
        log = structlog.get_logger()
        log.log(
            min(max(record.levelno - record.levelno % 10, logging.DEBUG), logging.CRITICAL),
            "library_logged",
            logger=record.name,
            message=text,
            exc_info=record.exc_info or None,
        )


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, thread: str | None = None
) -> None:
    if issubclass(kind, KeyboardInterrupt) and thread is None:
        sys.__excepthook__(kind, error, trace)
        return
    described = traceback.format_exception_only(kind, error)[-1].strip()
    structlog.get_logger().critical(
        "exception_uncaught", error=described, thread=thread, exc_info=(kind, error, trace)
    )


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread else "unknown"
    _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback, thread=name)
