"""Who said it: errors on real meetings, calls word by word, long recordings, enrolment, cost.

    python tests/benchmarks/bench_speakers.py MODELS_FOLDER MEETINGS_FOLDER AUDIO_FOLDER [--only PART]

MEETINGS_FOLDER holds NAME.flac with NAME.rttm, AUDIO_FOLDER the calls with their .ref.json, MODELS_FOLDER
fsmn-vad. DER and its parts come from pyannote.metrics (`pip install pyannote.metrics`). "Confusion" is of the
reference's speech, overlapped speech included. --int8: as on a processor
with VNNI. Parts: meetings, stability, calls, long, enrolment, cost.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from meetings import Meeting, errors, fsmn, own_speech, read, read_meeting

from asr_daemon.recogniser.families import on_demand
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.recogniser.speakers.embedder import (
    FINEST_IN_INT8_MS,
    STEP_IN_INT8_MS,
    STEP_ON_CARD_MS,
    Embedder,
    Spoken,
)
from asr_daemon.recogniser.speakers.network import BUILTIN_FOLDER, SpeakerNetwork
from asr_daemon.speakers.child import ask
from asr_daemon.speakers.enrolment import SAME_PERSON
from asr_daemon.speakers.grouped import Grouped, Question, Turn, question_to_bytes
from asr_daemon.speakers.window import Window
from asr_daemon.speakers.words import attributed
from asr_daemon.transcripts.transcript import Segment, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meetings import Place

PARTS = ("meetings", "stability", "calls", "long", "enrolment", "cost")
BASELINE_DISTANCE = 0.7


_known: dict[tuple[object, ...], tuple[Window, ...]] = {}


def windows_of(
    meeting: Meeting, places: Sequence[Place], embedder: Embedder, *, is_timed: bool = False
) -> tuple[Window, ...]:
    """Return the windows of some stretches of a recording; computed once, but where that is to be timed."""
    key = (meeting.name, tuple(places), embedder.step_ms, embedder.finest_ms, embedder.dense_until_ms)
    if is_timed or key not in _known:
        _known[key] = _windows_of(meeting, places, embedder)
    return _known[key]


def _windows_of(meeting: Meeting, places: Sequence[Place], embedder: Embedder) -> tuple[Window, ...]:
    spoken = []
    for number, (start, end) in enumerate(places):
        low = round(start * SAMPLE_RATE_HZ)
        part = meeting.samples[low : round(end * SAMPLE_RATE_HZ)]
        spoken.append(Spoken(number, round(start * 1000), part))
    return tuple(itertools.chain.from_iterable(embedder.embed(spoken)))


def baseline(question: Question) -> Grouped:
    """Return what plain average linkage at a fixed distance says; each time is the nearest window's."""
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415

    windows = sorted(question.windows, key=lambda one: one.start_ms)
    rows = np.array([np.frombuffer(one.embedding, "<f2") for one in windows], np.float32)
    labels = np.ones(len(rows), int)
    if len(rows) > 1:
        labels = fcluster(linkage(rows, "average", metric="cosine"), BASELINE_DISTANCE, "distance")
    turns = []
    for number, one in enumerate(windows):
        start, end = one.start_ms, one.end_ms
        if number and windows[number - 1].segment == one.segment:
            before = windows[number - 1]
            start = (before.start_ms + before.end_ms + one.start_ms + one.end_ms) // 4
        if number + 1 < len(windows) and windows[number + 1].segment == one.segment:
            after = windows[number + 1]
            end = (after.start_ms + after.end_ms + one.start_ms + one.end_ms) // 4
        turns.append(Turn(start, end, int(labels[number])))
    return Grouped(tuple(turns))


def spacing(embedder: Embedder) -> str:
    """Return how far apart its windows are."""
    finest = f", {embedder.finest_ms} ms where voices differ" if embedder.finest_ms else ""
    start = f", every {STEP_ON_CARD_MS} ms at first" if embedder.dense_until_ms else ""
    return f"a window every {embedder.step_ms} ms{finest}{start}"


def spacings(network: SpeakerNetwork) -> tuple[Embedder, ...]:
    """Return a card's, this network's on a processor, and those of int8 past a recording's beginning."""
    later_on = Embedder(network, STEP_IN_INT8_MS, finest_ms=FINEST_IN_INT8_MS)
    return Embedder(network, STEP_ON_CARD_MS), Embedder(network), later_on


def show_meetings(
    title: str, meetings: Sequence[Meeting], questions: Sequence[Question], way: Callable[[Question], Grouped]
) -> None:
    """Print a table of all recordings."""
    print(f"\n{title}\n{'':10}speakers  DER    confusion  DER .25  confusion .25")
    rows = []
    for meeting, question in zip(meetings, questions, strict=True):
        turns = way(question).turns
        found, wanted = len({turn.speaker for turn in turns}), len({who for *_, who in meeting.said})
        exact, loose = errors(meeting.said, turns, 0.0), errors(meeting.said, turns, 0.25)
        rows.append((found - wanted, *exact, *loose))
        print(
            f"{meeting.name:10}{found} of {wanted}    {exact[0]:5.1%}  {exact[1]:5.1%}      "
            f"{loose[0]:5.1%}    {loose[1]:5.1%}"
        )
    means = [statistics.mean(row[k] for row in rows) for k in range(1, 5)]
    off = [abs(row[0]) for row in rows]
    print(
        f"{'mean':10}{sum(o == 0 for o in off)} right, {sum(o <= 1 for o in off)} of {len(off)} within one; "
        f"DER {means[0]:.2%}, confusion {means[1]:.2%}; collar .25: {means[2]:.2%}, {means[3]:.2%}"
    )


def meetings_part(meetings: Sequence[Meeting], network: SpeakerNetwork, models: Path) -> None:
    """Errors with the reference's speech and our own, at each spacing of windows, and the baseline's."""
    vad = fsmn(models)
    for embedder in spacings(network):
        step = spacing(embedder)
        for title, speech in (
            ("the reference's speech", lambda one: one.speech),
            ("own VAD", lambda one: own_speech(one, vad)),
        ):
            questions = [Question(windows_of(one, speech(one), embedder)) for one in meetings]
            show_meetings(f"{title}, {step}", meetings, questions, ask)
            show_meetings(f"average linkage at 0.7, {title}, {step}", meetings, questions, baseline)
            if title == "own VAD":
                continue
            counted = [
                replace(question, speakers_expected=len({who for *_, who in one.said}))
                for one, question in zip(meetings, questions, strict=True)
            ]
            show_meetings(f"{title}, {step}, number of speakers given", meetings, counted, ask)


def stability_part(meetings: Sequence[Meeting], network: SpeakerNetwork) -> None:
    """Windows moved, excerpts of excerpts, two meetings as one; thresholds moved; the same answer twice."""
    from asr_daemon.grouping import clusters, group  # noqa: PLC0415

    embedder = Embedder(network, STEP_ON_CARD_MS)
    sets: dict[str, list[tuple[Meeting, Question]]] = {
        "as they are": [],
        "moved": [],
        "20 s": [],
        "pairs": [],
    }
    for one in meetings:
        sets["as they are"].append((one, Question(windows_of(one, one.speech, embedder))))
        for by_s in (0.25, 0.5):
            moved = [
                (min(start + by_s, end), end) if end - start > 1.5 + by_s else (start, end)
                for start, end in one.speech
            ]
            sets["moved"].append((one, Question(windows_of(one, moved, embedder))))
        for low in (0.0, 10.0):
            said = tuple(
                (max(s, low), min(e, low + 20), w) for s, e, w in one.said if e > low and s < low + 20
            )
            if said:
                part = replace(one, said=said)
                sets["20 s"].append((part, Question(windows_of(part, part.speech, embedder))))
    for (first, a), (second, b) in itertools.combinations(sets["as they are"], 2):
        sets["pairs"].append((after(first, second), Question((*a.windows, *later(b.windows, 40_000)))))
    usual = (clusters.SAME_VOICE, clusters.SAME_VOICE_ONE_WINDOW, group.FOUNDING_S, group.NEIGHBOUR)
    print("\nSAME_VOICE, of one window, FOUNDING_S, NEIGHBOUR: confusion, how often the number is within one")
    for changed in (
        usual,
        *((*usual[:k], value, *usual[k + 1 :]) for k, pair in enumerate(
            ((0.67, 0.77), (0.45, 0.55), (0.75, 1.05), (0.2, 0.4))
        ) for value in pair),
    ):  # fmt: skip
        clusters.SAME_VOICE, clusters.SAME_VOICE_ONE_WINDOW, group.FOUNDING_S, group.NEIGHBOUR = changed
        cells = []
        for name, every in sets.items():
            found = [(one, group.group(question).turns) for one, question in every]
            wrong = statistics.mean(errors(one.said, turns, 0.0)[1] for one, turns in found)
            off = [
                abs(len({t.speaker for t in turns}) - len({who for *_, who in one.said}))
                for one, turns in found
            ]
            cells.append(f"{name} {wrong:.2%} ({sum(o <= 1 for o in off)} of {len(off)})")
        print(f"  {changed}  " + " | ".join(cells))
    clusters.SAME_VOICE, clusters.SAME_VOICE_ONE_WINDOW, group.FOUNDING_S, group.NEIGHBOUR = usual
    questions = [question for _, question in sets["as they are"]]
    same = all(
        ask(question) == ask(replace(question, windows=question.windows[::-1])) for question in questions
    )
    print(f"the same answer twice, windows in another order: {same}")


def after(first: Meeting, second: Meeting) -> Meeting:
    """Return one meeting behind another."""
    moved = tuple((start + 40, end + 40, who) for start, end, who in second.said)
    return Meeting(f"{first.name}+{second.name}", first.samples, (*first.said, *moved))


def later(windows: Sequence[Window], by_ms: int) -> list[Window]:
    """Return windows moved in time, in segments of their own."""
    return [
        Window(one.segment + by_ms, one.start_ms + by_ms, one.end_ms + by_ms, one.embedding)
        for one in windows
    ]


def calls_part(audio: Path, network: SpeakerNetwork, models: Path) -> None:
    """Each character of the calls with its voice; its time is its share of its sentence's."""
    vad = fsmn(models)
    for embedder in spacings(network):
        for name in ("call_invoice.ogg", "call_refund.mp3"):
            call = Meeting(name, read(audio / name), ())
            reference = json.loads((audio / f"{Path(name).stem}.ref.json").read_text(encoding="utf-8"))
            turns = ask(Question(windows_of(call, own_speech(call, vad), embedder))).turns
            pairs = []
            for number, one in enumerate(reference):
                said = attributed([_segment(number, one)], turns)
                pairs += [(one["voice"], each.speaker) for each in said for _ in each.segment.tokens]
            speakers = sorted({speaker for _, speaker in pairs})
            right = max(
                sum(voice == order.index(speaker) for voice, speaker in pairs)
                for order in itertools.permutations(speakers)
            )
            found = f"{len(speakers)} speakers, {right} of {len(pairs)} characters right"
            print(f"{name}, {spacing(embedder)}: {found}")


def _segment(number: int, one: dict[str, object]) -> Segment:
    text, start, end = str(one["text"]), int(str(one["start_ms"])), int(str(one["end_ms"]))
    borders = [start + (end - start) * k // len(text) for k in range(len(text) + 1)]
    tokens = tuple(Token(c, borders[k], borders[k + 1]) for k, c in enumerate(text))
    return Segment(number, start, end, text, text, tokens)


def long_part(meetings: Sequence[Meeting], network: SpeakerNetwork) -> None:
    """Hours of concatenated meetings: time and memory of the child, start included."""
    chance = np.random.default_rng(7)
    pool = [windows_of(one, one.speech, Embedder(network, STEP_ON_CARD_MS)) for one in meetings]
    for hours in (1, 3, 8):
        windows: list[Window] = []
        for number in range(hours * 120):  # 30 s each
            for one in later(pool[number % len(pool)], number * 32_000):
                voice = np.frombuffer(one.embedding, "<f2") + chance.normal(0, 0.02, 192)
                windows.append(
                    replace(one, embedding=(voice / np.linalg.norm(voice)).astype("<f2").tobytes())
                )
        data = question_to_bytes(Question(tuple(windows)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        command = [sys.executable, "-m", "asr_daemon.grouping"]
        done = subprocess.run(command, input=data, capture_output=True, check=True)
        spent, after_it = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = json.loads(done.stdout)
        cpu = after_it.ru_utime + after_it.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"{hours} h, {len(windows)} windows ({len(data) / 1e6:.1f} MB): {spent:.1f} s "
            f"({cpu:.1f} s of a core), at most {after_it.ru_maxrss / 1024:.0f} MB, "
            f"{len(answer['voices'])} speakers of {len({who for one in meetings for *_, who in one.said})}"
        )


def enrolment_part(meetings: Sequence[Meeting], network: SpeakerNetwork) -> None:
    """False accepts and rejects at the threshold, by how much of a voice is known."""
    voices: dict[tuple[str, str], list[np.ndarray]] = {}
    for one in meetings:
        for window in windows_of(one, one.speech, Embedder(network, 250)):
            low, high = window.start_ms / 1000, window.end_ms / 1000
            shares = {
                who: sum(max(0.0, min(e, high) - max(s, low)) for s, e, w in one.said if w == who)
                for *_, who in one.said
            }
            best = max(shares, key=lambda who: shares[who])
            alone = sum(shares.values()) - shares[best] <= 0.2 * (high - low)
            if alone and shares[best] >= 0.9 * (high - low) >= 0.8:
                voices.setdefault((one.name, best), []).append(np.frombuffer(window.embedding, "<f2"))
    print(f"\n{len(voices)} voices of {len({who for _, who in voices})} people; threshold {SAME_PERSON}")
    for count in (1, 2, 4, 8, 16):
        scores: dict[str, list[float]] = {"same person": [], "another's room": [], "same recording": []}
        for (name, who), rows in voices.items():
            for at in range(0, len(rows) - 3 * count + 1, 3):
                probe = np.mean(rows[at : at + 3 * count : 3], axis=0, dtype=np.float32)
                for (other, whose), theirs in voices.items():
                    kind = "same recording" if other == name else "another's room"
                    if whose == who:
                        if other == name:
                            continue
                        kind = "same person"
                    mean = np.mean(theirs, axis=0, dtype=np.float32)
                    scores[kind].append(float(probe @ mean / np.linalg.norm(probe) / np.linalg.norm(mean)))
        seconds = 1.5 + 0.75 * (count - 1)
        same = scores.pop("same person")
        below = sum(score < SAME_PERSON for score in same)
        taken = "; ".join(
            f"{kind}: {sum(s >= SAME_PERSON for s in each)} of {len(each)} taken for another, "
            f"most {max(each):.2f}"
            for kind, each in scores.items()
            if each
        )
        print(f"  {seconds:5.2f} s: not known again {below} of {len(same)}; {taken}")


def cost_part(meetings: Sequence[Meeting], network: SpeakerNetwork) -> None:
    """Processor time for each second of speech (compare with bench_large.py's cpu time of a whole run)."""
    speech_s = sum(end - start for one in meetings for start, end in one.speech)
    for embedder in spacings(network):
        began = time.process_time()
        count = sum(len(windows_of(one, one.speech, embedder, is_timed=True)) for one in meetings)
        spent = time.process_time() - began
        print(
            f"{spacing(embedder)}: {count} windows, {spent / count * 1000:.0f} ms of a core each, "
            f"{spent / speech_s * 1000:.1f} ms for a second of speech"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("models", "meetings", "audio"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--int8", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    on_demand.install()
    torch.set_num_threads(1)
    network = SpeakerNetwork(BUILTIN_FOLDER, "cpu", in_int8=options.int8)
    meetings = [read_meeting(path) for path in sorted(options.meetings.glob("*.flac"))]
    parts: dict[str, Callable[[], None]] = {
        "meetings": lambda: meetings_part(meetings, network, options.models),
        "stability": lambda: stability_part(meetings, network),
        "calls": lambda: calls_part(options.audio, network, options.models),
        "long": lambda: long_part(meetings, network),
        "enrolment": lambda: enrolment_part(meetings, network),
        "cost": lambda: cost_part(meetings, network),
    }
    for name, part in parts.items():
        if name in options.only:
            part()


if __name__ == "__main__":
    main()
