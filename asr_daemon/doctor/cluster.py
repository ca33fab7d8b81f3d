"""The cluster: whether it is guarded, its secrets are secrets, it can be reached, and its bridge runs."""

from __future__ import annotations

import importlib.util
import platform
import ssl
from importlib import metadata
from typing import TYPE_CHECKING

from asr_daemon.cluster.asking import ask_ray, question_of, why_not_reached
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.rights import ServiceUser, Wanted, probe
from asr_daemon.errors import OperatorError
from asr_daemon.install.beside import unit_user
from asr_daemon.install.cluster import BRIDGE
from asr_daemon.install.messages import credential_line
from asr_daemon.install.running import is_by, service_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asr_daemon.cluster.asking import Answer, Question
    from asr_daemon.config import Config
    from asr_daemon.config_cluster import ClusterSection
    from asr_daemon.doctor.finding import Machine

KEY = "cluster"
REACHED_WITHIN_S = 3.0
ANSWER_WITHIN_S = 3.0
OTHERS_READ = 0o004
AGAIN = "asr-daemon install"
GUARD = 'start Ray with RAY_AUTH_MODE=token on every machine, and set token_file (README, "Several machines")'


def ray_release() -> str | None:
    """Return the release of Ray in this environment; None where it is not installed."""
    return metadata.version("ray") if importlib.util.find_spec("ray") else None


def look_at_cluster(
    config: Config,
    config_path: Path | None,
    daemon: ServiceUser,
    machine: Machine,
    *,
    release: Callable[[], str | None] = ray_release,
    asked: Callable[[Question], Answer | None] = ask_ray,
) -> Iterator[Finding]:
    """Say how the cluster stands; nothing where there is none. ``daemon``: the service's user."""
    unit = machine.text(BRIDGE.unit)
    is_installed = is_by(unit, config_path)
    section = config.cluster
    if section is None:
        if is_installed:
            yield Finding("warning", KEY, f"{BRIDGE.unit} is there, and [cluster] is not", AGAIN)
        return
    yield from _unguarded(section)
    bridge = ServiceUser(unit_user(unit) if is_installed else None)
    if not bridge.is_known:
        yield Finding("error", KEY, f"the user {bridge.called} of the bridge is not there", AGAIN)
        return
    given = machine.text(BRIDGE.closed).splitlines() if is_installed else []
    yield from _secrets(section, daemon, bridge, given)
    yield from _certificates(section)
    own = release()
    if own is None:
        text = "Ray is not installed here, which the bridge needs"
        yield Finding("error", KEY, text, "pip install 'asr-daemon[cluster]', in the service's environment")
    if problem := why_not_reached(section.endpoint, REACHED_WITHIN_S):
        fix = "is its head running, and this machine let in there? `ray status` on the head"
        yield Finding("error", f"{KEY}.address", f"{section.address} is not reached: {problem}", fix)
    elif own is not None:
        question = question_of(section)
        yield from _heard(section, question, asked(question), own)
    yield from _running(config, machine, is_installed=is_installed)


def _unguarded(section: ClusterSection) -> Iterator[Finding]:
    if section.is_guarded:
        return
    text = f"whoever reaches Ray's ports at {section.address} runs programs there: no token, no TLS"
    if section.insecure:
        yield Finding("warning", f"{KEY}.insecure", text, "for a network that nobody else is on, alone")
    else:
        yield Finding("error", f"{KEY}.token_file", text, GUARD)


def _secrets(
    section: ClusterSection, daemon: ServiceUser, bridge: ServiceUser, given: list[str]
) -> Iterator[Finding]:
    """Say which files are missing, and who can read them that should not, or cannot and should."""
    secret = {"token_file": section.token_file, "tls_key": section.tls_key}
    public = {"tls_ca": section.tls_ca, "tls_certificate": section.tls_certificate}
    for name, path in {**secret, **public}.items():
        if path is None:
            continue
        key = f"{KEY}.{name}"
        try:
            found = path.stat()
        except OSError as error:
            fix = f"put it there, for root alone (chmod 600), then {AGAIN}"
            yield Finding("error", key, f"{path} cannot be read: {error.strerror}", fix)
            continue
        if not found.st_size:
            yield Finding("error", key, f"{path} is empty", "it is the same file on every machine of Ray")
        if name in secret:
            yield from _known_to_others(key, path, found.st_mode, daemon, bridge)
        if credential_line(path) in given:
            continue
        if problem := probe([Wanted(path, "read")], bridge)[0]:
            yield Finding("error", key, f"{bridge.called} cannot read {path}: {problem}", AGAIN)


def _known_to_others(
    key: str, path: Path, mode: int, daemon: ServiceUser, bridge: ServiceUser
) -> Iterator[Finding]:
    fix = f"chown root:root {path}; chmod 600 {path}"
    if mode & OTHERS_READ:
        text = f"{path} can be read by everybody: whoever has it runs programs on every machine of Ray"
        yield Finding("error", key, text, fix)
        return
    if daemon.name is None or bridge.name is None or daemon.name == bridge.name:
        return
    as_it_runs = ServiceUser(daemon.name, (*daemon.groups, bridge.name))  # its drop-in gives it that group
    if not probe([Wanted(path, "read")], as_it_runs)[0]:
        text = f"{path} can be read by {daemon.name}, whose recogniser opens what anybody puts into a share"
        yield Finding("error", key, text, fix)


def _certificates(section: ClusterSection) -> Iterator[Finding]:
    """Say where certificate and key are none, or not of each other."""
    if section.tls_ca is None or section.tls_certificate is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(section.tls_ca)
        context.load_cert_chain(section.tls_certificate, section.tls_key, password="")
    except ssl.SSLError as error:
        text = f"certificate, key and authority cannot be used together: {error.reason or error}"
        yield Finding(
            "error", f"{KEY}.tls_certificate", text, "all three are PEM, the key without a password"
        )
    except OSError:
        return  # said above, or only root may read them


def _heard(section: ClusterSection, question: Question, answer: Answer | None, own: str) -> Iterator[Finding]:
    key, where = f"{KEY}.address", section.address
    has_all = bool(question.token) >= bool(section.token_file) and bool(question.tls) >= bool(section.tls_ca)
    if answer is None:
        yield Finding(
            "warning", key, f"Ray at {where} could not be asked who may ask it", "asr-daemon status"
        )
    elif answer.as_anybody == "answered" and not section.insecure:
        text = f"Ray at {where} answers whoever asks, without a token: it runs programs for everybody"
        yield Finding("error", key, text, GUARD)
    elif "not_ray" in (answer.as_anybody, answer.as_ourselves):
        fix = "ray://HOST:10001 is Ray's client server, HOST:6379 its head"
        yield Finding("error", key, f"what listens at {where} is not what the address says", fix)
    elif not has_all:
        return  # what is missing was said above, or only root may read it
    elif answer.as_ourselves == "refused":
        fix = "it is the same file on every machine: copy the head's, then systemctl restart what changed"
        yield Finding("error", f"{KEY}.token_file", f"Ray at {where} does not take this token", fix)
    elif answer.as_ourselves == "silent":
        has = "does not take these certificates" if section.tls_ca else "does not answer; does it use TLS?"
        fix = "RAY_USE_TLS=1 and certificates of one authority, on every machine or on none"
        yield Finding("error", f"{KEY}.tls_ca", f"Ray at {where} {has}", fix)
    elif answer.release and answer.release != own:
        text = f"Ray at {where} is {answer.release}, and here it is {own}"
        yield Finding("error", key, text, "the same Ray and the same Python, to the last figure, everywhere")
    else:
        here = f"Ray {own}, Python {platform.python_version()}"
        yield Finding("ok", key, f"Ray answers at {where}; its machines must have what is here: {here}")


def _running(config: Config, machine: Machine, *, is_installed: bool) -> Iterator[Finding]:
    state = service_state(machine.run, BRIDGE.unit.name) if is_installed else None
    try:
        live = ask(config.socket_path, "status", silent_for_s=ANSWER_WITHIN_S, within_s=ANSWER_WITHIN_S)
    except (NotRunningError, OperatorError):
        live = {}  # the daemon's trouble is said elsewhere
    told = live.get("cluster") or {}
    if state is not None and state.problem:
        text, _, fix = state.problem.partition(": ")
        is_meant = state.runs or (state.active == "inactive" and not state.is_started_at_boot)
        yield Finding("warning" if is_meant else "error", KEY, text.replace("service", "bridge"), fix)
        if not state.runs:
            return
    if live and not told.get("bridge"):
        fix = "journalctl -u asr-daemon-cluster -e" if is_installed else "asr-daemon bridge"
        text = "no bridge speaks to the running daemon"
        yield Finding("error" if is_installed else "warning", KEY, text, fix)
    elif told.get("problem"):
        yield Finding("error", KEY, f"the bridge says: {told['problem']}", "asr-daemon status")
    elif told:
        machines = ", ".join(told["machines"])
        yield Finding("ok", KEY, f"{told['cards']} cards on other machines ({machines})")
