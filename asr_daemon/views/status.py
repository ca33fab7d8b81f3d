"""The status for people: a few tables, with a bar for each recording in work."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from asr_daemon.clock import from_stamp
from asr_daemon.printable import printable_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

BAR_WIDTH = 30
HOUR_MIN, DAY_MIN = 60, 24 * 60


def status_view(status: dict[str, Any]) -> Group:
    """Return what ``asr-daemon status`` shows of :func:`asr_daemon.control.status.collect`."""
    status = printable_tree(status)
    parts: list[RenderableType] = [_headline(status)]
    parts += _problems(status)
    if status["inboxes"]:
        parts += [Text(), _inboxes(status["inboxes"])]
    if (recogniser := status["recogniser"]) and any(recogniser["memory_steps"].values()):
        parts.append(Text(_memory(recogniser["memory_steps"]), style="yellow"))
    parts += [Text(), _queue(status)]
    if status["in_work"]:
        parts.append(_in_work(status["in_work"]))
    if status["next"]:
        parts += [Text(), Text("next", style="bold"), _next(status["next"])]
    if status["errors"]:
        parts += [Text(), Text("last problems", style="bold"), _errors(status["errors"])]
    if gateway := status["gateway"]:
        parts += [Text(), _gateway(gateway, is_running=status["running"])]
    if cluster := status["cluster"]:
        parts += [Text(), _cluster(cluster, status["recognisers"])]
    if status["notify"]:
        parts += [Text(), *map(_receiver, status["notify"])]
    parts += [Text(), _backup(status["backup"])]
    return Group(*parts)


def _problems(status: dict[str, Any]) -> Iterator[Text]:
    """Yield what somebody should do something about."""
    if status["running"] and status["problem"]:
        yield Text(status["problem"], style="yellow")
    if (configuration := status["configuration"]) and configuration["problem"]:
        told = f"The configuration file is invalid, the next start fails: {configuration['problem']}"
        yield Text(told, style="red")
    elif configuration and configuration["pending"]:
        changed = f"{configuration['path']} was changed since: systemctl reload asr-daemon"
        yield Text(changed, style="yellow")
    if status["state_problem"]:
        yield Text(status["state_problem"], style="red")
    if status["model"]["problem"]:
        yield Text(status["model"]["problem"], style="red")
    elif status["model"]["trial_only"]:
        told = "The built-in model is small and was trained on synthetic voices: for trying out only."
        yield Text(told, style="yellow")


def _headline(status: dict[str, Any]) -> Text:
    if not status["running"]:
        why = status["problem"] or "The daemon is not running."
        return Text(f"{why[0].upper()}{why[1:]}", style="yellow")
    recogniser = status["recogniser"]
    model = status["model"]["label"] or "no model"
    line = f"asr-daemon {status['version']} runs (process {status['pid']}), {model}"
    if recogniser["device"]:
        line += f" on {recogniser['device']}"
    line += f"; recogniser {'paused' if status['paused'] else recogniser['state']}"
    if recogniser["problem"]:
        line += f": {recogniser['problem']}"
    return Text(line)


def _memory(steps: dict[str, int]) -> str:
    done = {
        "batch": "batches halved",
        "segment": "segments halved",
        "process": "recordings tried in a fresh process",
        "cpu": "recordings tried on the CPU",
    }
    told = ", ".join(f"{steps[step]} {what}" for step, what in done.items() if steps[step])
    return f"Memory did not suffice: {told}. See engine.batch_s."


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _inboxes(inboxes: list[dict[str, Any]]) -> Table:
    table = _table("inbox", "done", "waiting", "failed", "settling", "ignored", "watched by", "folder")
    for inbox in inboxes:
        watched = (inbox["watch"] or {}).get("mode", "-")
        words = f"  hotwords: {inbox['hotwords_problem']}" if inbox["hotwords_problem"] else ""
        folder = inbox["path"] + (f"  {inbox['problem']}" if inbox["problem"] else "") + words
        if (turn := inbox["turn"]) and turn["hours_begin_at"]:
            folder += f"  (begins {from_stamp(turn['hours_begin_at']).astimezone():%a %H:%M})"
        if hashing := inbox.get("hashing"):
            done = hashing["hashed_bytes"] * 100 // max(1, hashing["size_bytes"])
            folder += f"  (reading {hashing['file']}, {done}%)"
        counts = [str(inbox[key]) for key in ("done", "waiting", "failed", "settling", "ignored")]
        table.add_row(inbox["name"], *counts, watched, folder)
    return table


def _queue(status: dict[str, Any]) -> Text:
    queue = status["queue"]
    if not queue:
        return Text("nothing was queued yet")
    line = "queue: " + ", ".join(f"{queue[state]} {state}" for state in queue)
    if left := status["estimate"]:
        line += f"; about {_about(left['remaining_s'])} left for about {_about(left['audio_s'])} of sound"
    return Text(line)


def _about(seconds: float) -> str:
    """Return a length of time as exactly as an estimate deserves."""
    minutes = max(1, round(seconds / 60))
    if minutes < HOUR_MIN:
        return f"{minutes} min"
    if minutes < 2 * DAY_MIN:
        return f"{minutes // HOUR_MIN} h {minutes % HOUR_MIN // 10 * 10} min"
    return f"{round(minutes / DAY_MIN)} days"


def _in_work(in_work: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for work in in_work:
        percent = work["percent"] or 0
        left = work["remaining_s"]
        table.add_row(
            work["file"],
            ProgressBar(total=100, completed=percent, width=BAR_WIDTH),
            f"{percent}%",
            "" if left is None else f"{timedelta(seconds=round(left))} left",
        )
    return table


def _next(waiting: list[dict[str, Any]]) -> Table:
    table = _table("ID", "recording", "waits for")
    for one in waiting:
        table.add_row(str(one["recording"]), f"{one['inbox']}/{one['file']}", _waits_for(one))
    return table


def _waits_for(one: dict[str, Any]) -> str:
    """Return why a recording waits, and until when, about."""
    at = f"{from_stamp(one['begins_at']).astimezone():%a %H:%M}" if one["begins_at"] else ""
    match one["why"]:
        case "hours":
            return f"its inbox's hours, which begin {at}" if at else "its inbox's hours"
        case "again":
            return f"another try at {at}"
        case "turn":
            before = f"its turn, {one['before']} before it" if one["before"] else "its turn, it is next"
            return before + (f" (in about {_about(one['in_s'])})" if one["in_s"] else "")
        case why:
            return {
                "away": "its share, which is not there",
                "paused": "`asr-daemon resume`",
                "yielding": "the card, which others use",
            }.get(why, "the recogniser, see above")


def _errors(errors: list[dict[str, Any]]) -> Table:
    table = _table("ID", "recording", "state", "problem")
    for error in errors:
        table.add_row(
            str(error["recording"]),
            f"{error['inbox']}/{error['file']}",
            error["state"],
            error["problem"] or "",
        )
    return table


def _gateway(gateway: dict[str, Any], *, is_running: bool) -> Text:
    text = Text()
    for each in gateway["serving"]:
        scheme = "https" if each["tls"] else "http"
        where = each["listen"] if each["listen"].startswith("unix:") else f"{scheme}://{each['listen']}"
        text.append(f"gateway at {where} (process {each['pid']}, user {each['user']})")
    if not gateway["serving"] and is_running:
        text.append(f"the gateway does not run: nobody listens at {gateway['listen']}", style="red")
    elif not gateway["serving"]:
        text.append(f"gateway: {gateway['listen']}")
    if gateway["accesses"] == 0:
        text.append("\nNobody may use it yet: asr-daemon access add NAME --inbox N", style="yellow")
    elif gateway["accesses"]:
        text.append(f"; {gateway['accesses']} may use it")
    return text


def _cluster(cluster: dict[str, Any], recognisers: list[dict[str, Any]]) -> Text:
    text = Text(f"cluster at {cluster['address']}: ")
    loaded = sum(bool(each["machine"]) for each in recognisers)
    offered = (
        f"{cluster['cards']} offered on {', '.join(cluster['machines']) or 'no machine'}, {loaded} loaded"
    )
    text.append(f"recognisers: {offered}" if cluster["bridge"] else "no bridge is connected")
    if cluster["lost"]:
        text.append(f"; machines lost since the start: {cluster['lost']}", style="yellow")
    if cluster["problem"]:
        text.append(f"\n{cluster['problem']}", style="red")
    return text


def _receiver(receiver: dict[str, Any]) -> Text:
    text = Text(f"messages to {receiver['name']} ({receiver['address']}): {receiver['waiting']} wait")
    if receiver["given_up"]:
        text.append(f", {receiver['given_up']} given up: asr-daemon notify list", style="red")
    if receiver["problem"] and receiver["waiting"]:
        text.append(f"; {receiver['problem']}", style="yellow")
    return text


def _backup(backup: dict[str, Any]) -> Text:
    last = backup["last"]
    text = Text(
        f"last backup {from_stamp(last['taken_at']).astimezone():%Y-%m-%d %H:%M}" if last else "no backup yet"
    )
    if (drill := backup["drill"]) and not drill["problem"]:
        text.append(f"; restored on trial {from_stamp(drill['at']).astimezone():%Y-%m-%d}")
    for problem in backup["problems"]:
        text.append(f"\n{problem}", style="red")
    return text
