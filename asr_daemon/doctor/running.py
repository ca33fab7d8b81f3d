"""The daemon that runs: asked itself, since it alone knows what it sees. And the service, where none answers.

Enters: the configuration of the file, and how systemd has the service. Leaves: findings. What a file promises
and the running daemon does not do is an error: a department waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.socket import NotAnsweringError, NotRunningError, ask
from asr_daemon.doctor.finding import Finding
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from asr_daemon.config import Config
    from asr_daemon.control.socket import Answer
    from asr_daemon.install.running import ServiceState

ANSWER_WITHIN_S = 3.0
KEY = "service"
RELOAD = "systemctl reload asr-daemon"
ANEW = "asr-daemon install, then systemctl restart asr-daemon"


def look_at_running(
    config: Config, service: ServiceState | None, known: Collection[str] = ()
) -> Iterator[Finding]:
    """Say what the running daemon says; ``known`` are keys for which something worse was found already."""
    try:
        live = ask(config.socket_path, "status", silent_for_s=ANSWER_WITHIN_S, within_s=ANSWER_WITHIN_S)
    except NotRunningError:
        if service is not None and service.problem:
            text, _, fix = service.problem.partition(": ")
            is_meant = service.active == "inactive" and not service.is_started_at_boot  # not begun yet
            yield Finding("warning" if is_meant else "error", KEY, text, fix)
        return
    except NotAnsweringError:
        text = "the running daemon does not answer: it hangs, or the machine is too busy"
        yield Finding("error", KEY, text, "journalctl -u asr-daemon -e; systemctl restart asr-daemon")
        return
    except OperatorError as error:
        yield Finding("warning", KEY, f"what the running daemon knows is not told: {error}", "use sudo")
        return
    if service is not None and service.problem:
        text, _, fix = service.problem.partition(": ")
        yield Finding("warning", KEY, text, fix)
    yield from _configuration(live)
    yield from _inboxes(config, live, known)
    recogniser = live["recogniser"]
    if recogniser["state"] == "blocked":
        yield Finding("error", KEY, f"the queue waits: {recogniser['problem']}", "asr-daemon status")
    else:
        yield Finding("ok", KEY, f"a daemon runs (process {live['pid']}, {live['version']})")


def _configuration(live: Answer) -> Iterator[Finding]:
    told = live.get("configuration") or {}
    if told.get("problem"):
        text = f"the running daemon could not read the configuration file anew: {told['problem']}"
        yield Finding("error", "configuration", text, ANEW)
    elif told.get("pending"):
        text = f"{told['path']} was changed since the running daemon read it"
        yield Finding("warning", "configuration", text, RELOAD)


def _inboxes(config: Config, live: Answer, known: Collection[str]) -> Iterator[Finding]:
    watched = {inbox["name"]: inbox for inbox in live["inboxes"]}
    for section in config.inbox:
        key = f"inbox {section.name!r}: path"
        if key in known:
            continue
        found = watched.get(section.name)
        if found is None and section in config.departments:
            text = f"the running daemon has not taken up {section.path} yet"
            yield Finding("warning", key, text, "look again in half a minute")
        elif found is None or found["path"] != str(section.path):
            yield Finding("error", key, f"the running daemon does not watch {section.path}", ANEW)
        elif found["problem"]:
            yield Finding("error", key, f"the running daemon says: {found['problem']}", "mend that")
    if config.daemon.inboxes is None:
        return
    for name in watched.keys() - {section.name for section in config.inbox}:
        if problem := watched[name]["problem"]:
            fix = f"bring it back, or {RELOAD}: then it is forgotten"
            yield Finding("error", f"inbox {name!r}: path", f"the running daemon says: {problem}", fix)
