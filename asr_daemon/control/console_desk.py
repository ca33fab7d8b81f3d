"""What the console's pages are given: how everything stands, a recording as it is read, a search, models."""

from __future__ import annotations

import functools
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from asr_daemon import __version__
from asr_daemon.access import Right
from asr_daemon.backup.health import backup_health
from asr_daemon.clock import to_stamp
from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.control.answers import Done
from asr_daemon.control.queue_estimate import queue_estimate
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.sight import error_class
from asr_daemon.control.speaker_desk import who_speaks
from asr_daemon.control.status import live_status
from asr_daemon.control.waiting import waiting
from asr_daemon.history.console import Filter, browse, hours_by_day, listed_rows
from asr_daemon.history.finding import find_recordings
from asr_daemon.history.in_force import read_in_force, some_in_force, version_of
from asr_daemon.history.search import MOST_TERMS, match_terms
from asr_daemon.history.states import JobState
from asr_daemon.models.catalogue import chinese_label
from asr_daemon.models.overview import overview
from asr_daemon.sentence import Sentence, chinese_of
from asr_daemon.transcripts.correcting import CORRECTED
from asr_daemon.transcripts.writers.pieces import timed_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from asr_daemon.access import Access
    from asr_daemon.control.answers import InWork, Listed
    from asr_daemon.control.sight import Sight
    from asr_daemon.daemon import Parts
    from asr_daemon.history import History
    from asr_daemon.history.readers import Readers
    from asr_daemon.transcripts.transcript import Segment

log = structlog.get_logger()

HOURS_DAYS = 14
SHOWN_FAILED = 10
FOUND_IN_PAGE, FOUND_IN_RECORDING = 20, 4
FIND_WITHIN_S = 0.05


class ConsoleDesk:
    """Answers the pages' requests; any thread."""

    def __init__(
        self,
        parts: Parts,
        readers: Readers,
        sight: Sight,
        in_work: Callable[[Access], tuple[InWork, ...]],
    ) -> None:
        self._parts, self._readers, self._sight, self._in_work = parts, readers, sight, in_work
        self.requests: dict[type, Callable[[Access, Any], Any]] = {
            cm.GetDashboard: lambda person, _: self._dashboard(person),
            cm.GetReading: self._reading,
            cm.GetTimes: self._times,
            cm.Find: self._find,
            cm.GetModels: lambda _person, _: self._models(),
            cm.Unload: lambda person, _: self._unload(person),
        }

    # ------------------------------------------------------------------ how everything stands

    def _dashboard(self, person: Access) -> ca.Dashboard:
        parts, seen = self._parts, self._sight.inboxes(person)
        live, now = live_status(parts), parts.clock.now()
        since = to_stamp(
            (now.astimezone() - timedelta(days=HOURS_DAYS - 1)).replace(hour=0, minute=0, second=0)
        )
        following = waiting(parts, seen)
        with self._readers.reader() as history:
            counts = {(row["inbox"], row["state"]): row["recordings"] for row in history.all("inbox_counts")}
            rows = {row.id: row for row in listed_rows(history, [one.recording for one in following])}
            failed = browse(history, Filter(seen, "failed"), limit=SHOWN_FAILED)
            hours = hours_by_day(history, seen, since)
            expected = queue_estimate(history, live["in_work"], now)
            health = backup_health(parts.config, functools.partial(_setting, history), now)
        return ca.Dashboard(
            version=__version__,
            paused=parts.settings.is_paused,
            state_problem=live["state_problem"] or "",
            state_problem_zh=chinese_of(live["state_problem"] or ""),
            recognisers=tuple(map(_recogniser, live["recognisers"])),
            inboxes=tuple(_inbox(each, counts) for each in live["inboxes"] if each["name"] in seen),
            in_work=self._in_work(person),
            next=tuple(
                ca.Next(self._sight.listed(rows[one.recording]), one.why, one.before, one.begins_at, one.in_s)
                for one in following
                if one.recording in rows
            ),
            queued=parts.jobs.count_queued(),
            remaining_s=expected.remaining_s if expected else None,
            failed=tuple(_failed(self._sight.listed(row), row.error_code) for row in failed),
            hours=tuple(ca.DayHours(each.day, each.inbox, each.duration_ms) for each in hours),
            today=f"{now.astimezone():%Y-%m-%d}",
            backup=ca.BackupCard(
                to_stamp(health.last.taken_at) if health.last else None,
                health.last.size_bytes if health.last else 0,
                tuple(health.problems),
                tuple(map(chinese_of, health.problems)),
            ),
            disk=self._disk(),
        )

    def _disk(self) -> ca.DiskCard | None:
        try:
            found = os.statvfs(self._parts.config.state_dir)
        except OSError:
            return None
        return ca.DiskCard(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def _models(self) -> ca.Models:
        cards = tuple(
            ca.ModelCard(
                each.name,
                each.state,
                each.used_for,
                each.size_bytes,
                each.origin,
                each.licence,
                each.problem,
                chinese_of(each.problem),
                each.good_at,
                chinese_of(each.good_at),
            )
            for each in overview(self._parts.config)
        )
        return ca.Models(cards, tuple(map(_recogniser, live_status(self._parts)["recognisers"])))

    def _unload(self, person: Access) -> Done:
        if Right.OPERATE not in person.rights:
            raise RefusedError("forbidden", "only operators may unload the model", "您没有这个权限。")
        if self._parts.dispatcher.in_work and not self._parts.settings.is_paused:
            raise RefusedError(
                "conflict",
                "recordings are in work: pause the queue first; it is unloaded when they are done",
                "正在转写录音：请先点“暂停”，再卸载；手头的录音转写完后模型就会卸载。",
            )
        count = self._parts.dispatcher.unload()
        log.info("unloading_asked", access=person.name, recognisers=count)
        return Done(count)

    # ------------------------------------------------------------------ a recording

    def _reading(self, person: Access, request: cm.GetReading) -> ca.Reading:
        with self._readers.reader() as history:
            filed = self._sight.filed(history, person, request.recording)
            work = filed.work
            is_done = work is not None and work.state is JobState.DONE
            version = version_of(history, filed)  # first: a step on an older text is told of the newer one
            segments = read_in_force(history, filed) if is_done else ()
            passages = tuple(map(read_passage, segments))
            who = who_speaks(history, filed)
        listed = self._sight.listed_filed(filed)
        has_failed = listed.state in ("failed", "quarantined")
        return ca.Reading(
            listed,
            _failed(listed, work.error_code if work else None) if has_failed else None,
            work.model if work else "",
            chinese_label(work.model, is_builtin=work.model_is_builtin) if work else "",
            work.model_is_builtin if work else False,
            work.flags if work else (),
            passages,
            person.may(Right.EDIT, filed.recording.department),
            version,
            any(person.may(right, filed.recording.department) for right in (Right.EDIT, Right.OPERATE)),
            who,
        )

    def _times(self, person: Access, request: cm.GetTimes) -> ca.Times:
        with self._readers.reader() as history:
            filed = self._sight.filed(history, person, request.recording)
            work, version = filed.work, version_of(history, filed)
            is_done = work is not None and work.state is JobState.DONE
            some = some_in_force(history, filed, request.first, request.count) if is_done else ()
            return ca.Times(version, tuple(map(read_times, some)))

    # ------------------------------------------------------------------ a search

    def _find(self, person: Access, request: cm.Find) -> ca.FoundList:
        inboxes = self._sight.which(person, request.inbox)
        terms = match_terms(request.words)
        if not terms or len(terms) > MOST_TERMS:
            sentence = f"search for one to {MOST_TERMS} words"
            raise RefusedError("refused", sentence, f"请输入要查找的字词（最多 {MOST_TERMS} 个）。")
        with self._readers.reader() as history:
            try:
                page = find_recordings(
                    history, terms, inboxes, limit=FOUND_IN_PAGE, mark=request.mark, within_s=FIND_WITHIN_S
                )
            except ValueError as error:
                raise RefusedError("refused", str(error), "请重新搜索。") from None
        found = tuple(
            ca.FoundIn(
                each.id,
                each.inbox,
                self._sight.within(each.inbox, each.path),
                each.found_at,
                tuple(
                    ca.FoundPassage(said.start_ms, said.end_ms, said.text)
                    for said in each.passages[:FOUND_IN_RECORDING]
                ),
                len(each.passages),
            )
            for each in page.recordings
        )
        return ca.FoundList(found, page.mark)


# ---------------------------------------------------------------------- rows


def _setting(history: History, key: str) -> str:
    row = history.one("get_setting", key=key)
    return row["value"] if row else ""


def _recogniser(told: dict[str, Any]) -> ca.RecogniserCard:
    model, problem = told["model"], told["problem"]
    return ca.RecogniserCard(
        name=told["name"],
        phase=told["state"],
        problem=problem,
        problem_zh=chinese_of(problem),
        model=model,
        model_zh=model.chinese if isinstance(model, Sentence) else model,
        device=told["device"],
        precision=told["precision"],
        busy_ratio=told["busy_ratio"],
        is_loaded=told["pid"] is not None or bool(told["machine"]),
        machine=told["machine"],
    )


def _inbox(told: dict[str, Any], counts: dict[tuple[str, str], int]) -> ca.InboxCard:
    name = told["name"]
    return ca.InboxCard(
        name,
        told["problem"],
        chinese_of(told["problem"]),
        bool(told["hotwords_problem"]),
        told["watch"]["mode"],
        told["settling"],
        counts.get((name, "waiting"), 0),
        counts.get((name, "done"), 0),
        counts.get((name, "failed"), 0),
        told["turn"]["hours_begin_at"],
    )


def _failed(listed: Listed, code: str | None) -> ca.Failed:
    error = error_class(code or "")
    return ca.Failed(listed, code or "", error.chinese, error.remedy)


def read_passage(segment: Segment) -> ca.ReadPassage:
    """Return a segment as its page shows it."""
    return ca.ReadPassage(
        segment.index,
        segment.start_ms,
        segment.end_ms,
        segment.text,
        _marks(segment),
        segment.flags,
        segment.speaker,
    )


def read_times(segment: Segment) -> ca.PassageTimes:
    """Return when each piece of a segment is spoken."""
    times: list[int] = []
    for piece in timed_pieces(segment):
        times += (len(piece.text), piece.start_ms, piece.end_ms)
    return ca.PassageTimes(segment.index, segment.start_ms, tuple(times))


def _marks(segment: Segment) -> tuple[ca.Mark, ...]:
    """Return what is marked, in order and without overlap: numbers before hotwords before corrections."""
    taken: list[ca.Mark] = []
    for mark in (*_numbers(segment), *_words(segment)):
        if all(mark.end <= other.start or other.end <= mark.start for other in taken):
            taken.append(mark)
    return tuple(sorted(taken, key=lambda mark: mark.start))


def _numbers(segment: Segment) -> Iterator[ca.Mark]:
    """Yield what is not written as it was said: numbers, and what a person wrote instead."""
    is_by_hand = CORRECTED in segment.flags
    last: ca.Mark | None = None
    for span in segment.spans:
        if not 0 <= span.start < span.end <= len(segment.text):
            continue
        said = segment.raw_text[span.raw_start : span.raw_end].replace(" ", "")
        is_number = not is_by_hand or any(map(str.isdigit, segment.text[span.start : span.end]))
        mark = ca.Mark(span.start, span.end, "number" if is_number else "corrected", said)
        if last and last.kind == mark.kind == "corrected" and last.end == mark.start:
            mark = ca.Mark(last.start, mark.end, "corrected", last.said + said)
        elif last:
            yield last
        last = mark
    if last:
        yield last


def _words(segment: Segment) -> Iterator[ca.Mark]:
    """Yield hotwords, and what was put in another word's place (with what was recognised there)."""
    before = {each.after: each.before for each in segment.corrections if each.after}
    for word in dict.fromkeys((*segment.hotwords_hit, *before)):
        kind = "hotword" if word in segment.hotwords_hit else "corrected"
        for match in re.finditer(re.escape(word), segment.text):
            yield ca.Mark(match.start(), match.end(), kind, before.get(word, ""))  # type: ignore[arg-type]
