"""What `status` shows: inboxes, queue, the recordings in work, last errors, last backup.

Stable for scripts: ``schema`` is raised when a key changes its meaning or goes; keys may be added. What only
the running daemon knows comes over the control socket; the rest is read from the history. Times are UTC
stamps (``2026-03-15T07:30:00.000Z``); what is not known is null. `status --json` has these keys:

====================================== ======================================================================
``schema``                             1
``running``                            whether a daemon answers
``problem``                            why none answers, or does not after the next boot; or ""
``service``                            null where none is installed for this configuration
``service.active``, ``.enabled``       as in `systemctl is-active`, `systemctl is-enabled`
``state_dir``                          the folder of the history
``configuration``                      the running daemon's; null without one
``configuration.path``                 the file, or null: the defaults
``configuration.problem``              why the file as it is now would be refused, at a start too; or ""
``configuration.pending``              whether the file says something else than what is in force
``state_problem``                      why nothing can be recorded there (full, damaged ...), or ""
``pid``, ``version``                   of the running daemon; without one: null, and the command's own release
``model.label``, ``.problem``          what ``engine.model`` means, or why there is none
``model.trial_only``                   whether it is the built-in one
``recogniser``                         all of them together; null without a daemon
``recogniser.state``                   "idle", "loading", "working", "blocked", "paused", "yielding"; of
                                       several the first of working, loading, idle, yielding, paused, blocked
``recogniser.problem``                 why it is blocked, or who has the card, or ""
``recogniser.model``, ``.device``      what was loaded last, and where
``recogniser.pid``, ``.load_ms``       its process, null on another machine; how long loading took
``recogniser.machine``                 the other one that it is on, or ""
``recogniser.restarts``                how often one was lost since the daemon started
``recogniser.memory_steps.batch``      how often a batch was halved because memory did not suffice, since then
``recogniser.memory_steps.segment``    the same, of a single segment
``recogniser.memory_steps.process``    how often a recording was tried in a fresh process because of it
``recogniser.memory_steps.cpu``        how often on the CPU
``recognisers[]``                      each of them, as above; [] without a daemon
``recognisers[].name``                 its device, numbered where several are on it
``recognisers[].precision``            in which it computes
``recognisers[].busy_ratio``           share of the time with work in hand that its device spent computing;
                                       null before there was any
``recognisers[].state``, ``.problem``, ``.model``, ``.device``, ``.pid``, ``.machine``, ``.load_ms``,
``recognisers[].restarts``             as above
``recognisers[].memory_steps.batch``, ``.segment``, ``.process``, ``.cpu`` as above
``in_work[]``                          the recordings in work
``in_work[].job``, ``.inbox``, ``.file`` which; a file is called by its path within its inbox
``in_work[].recogniser``               by whom
``in_work[].duration_s``               its length, once it is known
``in_work[].recognised_s``             how much of it is recognised
``in_work[].percent``                  the same, 0 to 100
``in_work[].elapsed_s``                since it was begun
``in_work[].remaining_s``              estimated
``next[]``                             the next that wait, in their order, then those that wait for a time
``next[].recording``, ``.inbox``, ``.file`` which
``next[].why``                         "turn", "hours", "again", "away", ...: see waiting.py
``next[].before``                      pieces of work before it, where it waits for its turn
``next[].begins_at``                   stamp, where it waits for a time
``next[].in_s``                        about how long until its turn; null before anything was finished
``queue.queued``, ``.running``         pieces of work (a content under a profile) in each state
``queue.done``, ``.failed``, ``.quarantined`` as above (``queue`` is {} before the first start)
``estimate``                           null without a daemon, without work, and before anything was finished
``estimate.audio_s``                   sound that is still to be recognised, about: queued and in work
``estimate.rtfx``                      seconds of sound a second, of the last work
``estimate.remaining_s``               how long it will take, about, if nothing is added
``paused``                             whether `pause` holds the queue
``errors[]``                           the last problems, newest first
``errors[].recording``                 its number in `history`
``errors[].inbox``, ``.file``          where (as above)
``errors[].state``                     of its work, as in `history`
``errors[].code``                      the failure's class, as in `retry --class`
``errors[].problem``                   one sentence
``inboxes[]``                          as configured
``inboxes[].name``, ``.path``          which
``inboxes[].watch``                    null without a daemon
``inboxes[].watch.mode``               "events", "polling", "restarting", "stopped"
``inboxes[].watch.since``              stamp
``inboxes[].watch.file_system``        as in `mount -t`
``inboxes[].watch.restarts``           of its observer
``inboxes[].watch.problem``            the last one, or ""
``inboxes[].problem``                  why it cannot be scanned or written, or ""
``inboxes[].hotwords_problem``         what is wrong with its hotword file, or ""
``inboxes[].settling``                 recordings that are still being written
``inboxes[].hashing``                  the recording that is being read to know its content; null: none is
``inboxes[].hashing.file``             which
``inboxes[].hashing.size_bytes``       its size
``inboxes[].hashing.hashed_bytes``     how much of it was read
``inboxes[].hashing.elapsed_s``        since it was begun
``inboxes[].ignored``                  files that are no recordings, by their content (texts are not counted)
``inboxes[].turn``                     null without a daemon
``inboxes[].turn.weight``              its part of the recogniser
``inboxes[].turn.got_s``               sound that it got of late: an eighth of it counts after a day
``inboxes[].turn.hours``               as configured; "" is always
``inboxes[].turn.hours_begin_at``, ``.hours_end_at`` stamp of the one that comes next; the other is null
``inboxes[].waiting``, ``.done``, ``.failed`` recordings by state
``gateway``                            null where the configuration has none
``gateway.listen``                     where it is to listen
``gateway.accesses``                   how many may use it (`asr-daemon access list`)
``gateway.serving[]``                  those that serve now: one, or none
``gateway.serving[].listen``, ``.tls``, ``.user``, ``.pid``, ``.release`` as they say themselves
``cluster``                            null where the configuration has none
``cluster.address``                    as configured
``cluster.problem``                    why nothing can be hired of it, or ""; null without a daemon
``cluster.bridge``                     null where none is connected
``cluster.bridge.versions``, ``.since`` of Python and Ray; stamp
``cluster.cards``, ``.machines[]``     what it offers: how many recognisers, and where
``cluster.lost``                       how often a machine was lost since the daemon started
``live.most``                          how many live sessions may be open at once
``live.sessions[]``                    those that are open
``live.sessions[].session``, ``.inbox``, ``.recogniser``, ``.elapsed_s`` its number, and since when
``notify[]``                           receivers of messages, as configured
``notify[].name``, ``.address``, ``.on[]`` which; an address is shown without its secrets
``notify[].waiting``, ``.oldest_waiting`` messages to be sent, and the stamp of the first
``notify[].given_up``, ``.last_sent_at`` those tried for a day in vain; when the last one went
``notify[].problem``                   why those that wait do not go out, or ""
``backup.last``                        null where there is none
``backup.last.path``, ``.taken_at``, ``.size_bytes`` the newest backup (compressed)
``backup.error``                       stamp and reason of the last one's failure, or ""
``backup.second_error``                the same, of the second folder
``backup.overdue_since``               when one should have been made that was not
``backup.drill``                       null before the first restore drill
``backup.drill.at``, ``.file``, ``.problem`` when, of which backup, and why it failed, or ""
``backup.problems[]``                  all that is wrong with the backups, in sentences
====================================== ======================================================================
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr_daemon import __version__
from asr_daemon.backup.health import backup_health
from asr_daemon.clock import to_stamp
from asr_daemon.control.backup_status import backup_status
from asr_daemon.control.cluster_status import cluster_status, cluster_there
from asr_daemon.control.estimate import percent, remaining_s
from asr_daemon.control.gateway_status import gateway_status, gateways_there
from asr_daemon.control.live_status import live_sessions
from asr_daemon.control.notice_status import notice_status
from asr_daemon.control.queue_estimate import queue_estimate
from asr_daemon.control.recogniser_status import recogniser_status, recognisers_together
from asr_daemon.control.socket import NotAnsweringError, NotRunningError, ask
from asr_daemon.control.waiting import turn_of_inbox
from asr_daemon.errors import AsrDaemonError, HistoryUnavailableError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.connection import HistoryError
from asr_daemon.history.recordings import inbox_label
from asr_daemon.models.catalogue import resolve
from asr_daemon.service.state_health import folder_problem

if TYPE_CHECKING:
    from asr_daemon.config import Config
    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Parts
    from asr_daemon.history import History
    from asr_daemon.inboxes.lane import Progress
    from asr_daemon.inboxes.watched import WatchedInbox
    from asr_daemon.install.running import ServiceState
    from asr_daemon.service.configuration import Configuration

SCHEMA = 1
ANSWER_WITHIN_S = 3.0  # a person waits; what the history says is shown then
RECENT_ERRORS = 5


def live_status(parts: Parts) -> dict[str, Any]:
    """Return what only the running daemon knows."""
    now_s = parts.clock.monotonic_s()
    states, got_ms = parts.dispatcher.states, parts.jobs.turns.used_ms()
    return {
        "pid": os.getpid(),
        "version": __version__,
        "configuration": _configuration(parts.configuration),
        "state_problem": parts.upkeep.state_problem,
        "recogniser": recognisers_together(parts.dispatcher.serving),
        "recognisers": [
            {
                "name": state.name,
                "precision": state.precision,
                "busy_ratio": _rounded(state.device_busy_ratio),
                **recogniser_status(state),
            }
            for state in states
        ],
        "gateways": gateways_there(parts),
        "cluster": cluster_there(parts),
        "live": live_sessions(parts),
        "in_work": [
            {
                "job": work.job.id,
                "inbox": work.inbox,
                "file": work.name,
                "recogniser": state.name,
                "duration_s": work.duration_ms / 1000 or None,
                "recognised_s": work.recognised_ms / 1000,
                "percent": percent(work.recognised_ms, work.duration_ms),
                "elapsed_s": round(now_s - work.began_s, 1),
                "remaining_s": remaining_s(now_s - work.began_s, work.recognised_ms, work.duration_ms),
            }
            for state in states
            for work in list(state.in_work.values())
        ],
        "inboxes": [
            _inbox(watched, parts, got_ms.get(watched.section.name, 0.0))
            for watched in list(parts.intake.inboxes.values())
        ],
    }


def _configuration(configuration: Configuration) -> dict[str, Any]:
    found = configuration.look()
    path = configuration.path
    return {"path": path and os.fspath(path), "problem": found.problem, "pending": found.is_pending}


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 3)


def _inbox(watched: WatchedInbox, parts: Parts, got_ms: float) -> dict[str, Any]:
    state = watched.watch.state
    return {
        "name": watched.section.name,
        "path": os.fspath(watched.section.path),
        "watch": {
            "mode": state.mode,
            "since": to_stamp(state.since),
            "file_system": state.fs_type,
            "restarts": state.restarts,
            "problem": state.last_problem,
        },
        "problem": parts.inbox_problem(watched),
        "hotwords_problem": parts.profiles.hotwords_problem(watched.section),
        "settling": parts.intake.settling(watched.section.path),
        "ignored": len(watched.ignored),
        "turn": turn_of_inbox(parts, watched.section.name, watched.section.weight, got_ms),
        "hashing": _hashing(parts, parts.intake.reader.progress(watched.section.name), watched.section.name),
    }


def _hashing(parts: Parts, progress: Progress | None, inbox: str) -> dict[str, Any] | None:
    if progress is None:
        return None
    return {
        "file": parts.config.shown_path(inbox, progress.path),
        "size_bytes": progress.size_bytes,
        "hashed_bytes": progress.read_bytes,
        "elapsed_s": round(time.monotonic() - progress.began_s, 1),
    }


def collect(
    config: Config, now: datetime | None = None, service: ServiceState | None = None
) -> dict[str, Any]:
    """Return the whole status, whether a daemon runs or not; ``service``: how systemd has it."""
    now = now or datetime.now(timezone.utc)
    problem = service.problem if service else ""
    live, silence = _asked(config)
    problem = silence or problem
    config = _as_watched(config, live)
    status: dict[str, Any] = {
        "schema": SCHEMA,
        "running": bool(live),
        "problem": problem,
        "service": service and {"active": service.active, "enabled": service.enabled},
        "state_dir": os.fspath(config.state_dir),
        "state_problem": live.get("state_problem", "") or folder_problem(config.state_dir),
    }
    status["configuration"] = live.get("configuration")
    status["pid"], status["version"] = live.get("pid"), live.get("version", __version__)
    status["model"] = _model(config)
    status["recogniser"] = live.get("recogniser")
    status["recognisers"] = live.get("recognisers", [])
    status["in_work"] = live.get("in_work", [])
    status["next"] = live.get("next", [])
    status["gateway"] = gateway_status(config, live)
    status["cluster"] = cluster_status(config, live)
    status["live"] = live.get("live", {"most": config.engine.live, "sessions": []})
    counts: dict[tuple[str, str], int] = {}
    status["queue"], status["errors"], status["paused"], status["estimate"] = {}, [], False, None
    status["backup"] = backup_status(backup_health(config, lambda _key: "", now))
    status["notify"] = notice_status(config, live, None)
    if config.history_path.exists():
        try:
            with contextlib.closing(open_history_read_only(config.history_path)) as history:
                status["queue"] = _queue_counts(history)
                status["errors"] = _errors(config, history)
                status["notify"] = notice_status(config, live, history)
                status["estimate"] = _estimate(history, status["in_work"], now) if live else None
                counts = {(r["inbox"], r["state"]): r["recordings"] for r in history.all("inbox_counts")}
                status["paused"] = _setting(history, "paused") == "1"
                status["backup"] = backup_status(
                    backup_health(config, functools.partial(_setting, history), now)
                )
        except (HistoryError, HistoryUnavailableError) as error:  # what is known besides is shown
            status["state_problem"] = status["state_problem"] or str(error)
    status["inboxes"] = _inboxes(config, live, counts)
    return status


def _inboxes(config: Config, live: Answer, counts: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Return the inboxes of the configuration, with what the daemon says of them."""
    by_name = {inbox["name"]: inbox for inbox in live.get("inboxes", [])}
    return [
        {
            "name": section.name,
            "path": os.fspath(section.path),
            "watch": by_name.get(section.name, {}).get("watch"),
            "problem": by_name.get(section.name, {}).get("problem", ""),
            "hotwords_problem": by_name.get(section.name, {}).get("hotwords_problem", ""),
            "settling": by_name.get(section.name, {}).get("settling", 0),
            "hashing": by_name.get(section.name, {}).get("hashing"),
            "ignored": by_name.get(section.name, {}).get("ignored", 0),
            "turn": by_name.get(section.name, {}).get("turn"),
            **{state: counts.get((section.name, state), 0) for state in ("waiting", "done", "failed")},
        }
        for section in config.inbox
    ]


def _asked(config: Config) -> tuple[Answer, str]:
    """Return what the daemon says of itself, nothing where none runs; and why a running one says nothing."""
    try:
        return ask(config.socket_path, "status", silent_for_s=ANSWER_WITHIN_S, within_s=ANSWER_WITHIN_S), ""
    except NotRunningError:
        return {}, ""
    except NotAnsweringError as error:
        return {}, str(error)


def _as_watched(config: Config, live: Answer) -> Config:
    """Return the configuration with the departments that the daemon watches: one whose folder went, too."""
    if config.daemon.inboxes is None or not live:
        return config
    watched = [Path(inbox["path"]) for inbox in live.get("inboxes", [])]
    return config.with_departments(path.name for path in watched if path.parent == config.daemon.inboxes)


def _model(config: Config) -> dict[str, Any]:
    try:
        model = resolve(config.engine.model, config.models_dir, config.engine.recognisers[0])
    except AsrDaemonError as error:
        return {"label": None, "problem": str(error), "trial_only": False}
    return {"label": model.label, "problem": "", "trial_only": model.is_builtin}


def _queue_counts(history: History) -> dict[str, int]:
    counts = {row["state"]: row["jobs"] for row in history.all("queue_counts")}
    return {state: counts.get(state, 0) for state in ("queued", "running", "done", "failed", "quarantined")}


def _estimate(history: History, in_work: list[dict[str, Any]], now: datetime) -> dict[str, float] | None:
    found = queue_estimate(history, in_work, now)
    if found is None:
        return None
    return {
        "audio_s": round(found.audio_s, 1),
        "rtfx": round(found.rtfx, 2),
        "remaining_s": round(found.remaining_s, 1),
    }


def _errors(config: Config, history: History) -> list[dict[str, Any]]:
    return [
        {
            "recording": row["id"],
            "inbox": inbox_label(row["inbox"]),
            "file": config.shown_path(row["inbox"], Path(os.fsdecode(row["path"]))),
            "state": row["job_state"] or row["state"],
            "code": row["error_code"],
            "problem": row["error_message"] or row["problem"],
        }
        for row in history.all("recent_errors", limit=RECENT_ERRORS)
    ]


def _setting(history: History, key: str) -> str:
    row = history.one("get_setting", key=key)
    return row["value"] if row else ""
