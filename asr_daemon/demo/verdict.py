"""Whether the demonstration went as it should: every claim that it makes, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.demo.stage import INTERVIEW, RUBBISH, SAMPLES, SOMEBODY, TWIN, WITH_HOTWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.demo.stage import Results

SAID_BY = ((9_700, "发言人1"), (22_200, SOMEBODY), (99_000, "发言人1"))  # until so many ms, by whom
NAMES = {"finance": "顾清源", "support": "岳明远"}  # what only the lists bring in


def verdict(results: Results) -> list[str]:
    """Return what is not as it should be."""
    return [
        *_transcripts(results),
        *_speakers(results),
        *_hotwords(results),
        *_twin(results),
        *_rubbish(results),
        *_end(results),
    ]


def _transcripts(results: Results) -> Iterator[str]:
    for sample in SAMPLES:
        segments = results.transcripts.get(sample.key, {}).get("segments", [])
        for field, kind in (("raw_text", "ref"), ("text", "written")):
            wanted, got = results.reference(sample.key, kind), [segment[field] for segment in segments]
            if got != wanted:
                yield f"{sample.name}, {field}: {got} instead of {wanted}"
        for suffix in (".txt", ".srt"):
            path = (results.folder / sample.inbox / sample.name).with_suffix(suffix)
            if not path.exists() or not path.stat().st_size:
                yield f"{path.name} is missing"


def _speakers(results: Results) -> Iterator[str]:
    """Each segment with its right voice: by its name where there is a sample of it, else by its number."""
    segments = results.transcripts.get(INTERVIEW.key, {}).get("segments", [])
    if len(segments) < len(SAID_BY):
        yield f"{INTERVIEW.name}: {len(segments)} segments with a speaker"
    for segment in segments:
        middle_ms = (segment["start_ms"] + segment["end_ms"]) // 2
        wanted = next(who for until_ms, who in SAID_BY if middle_ms < until_ms)
        if segment["speaker"] != wanted:
            yield f"{INTERVIEW.name} at {middle_ms} ms: {segment['speaker']} speaks instead of {wanted}"


def _hotwords(results: Results) -> Iterator[str]:
    for key in WITH_HOTWORDS:
        plain = "".join(
            segment["raw_text"] for segment in results.without_hotwords.get(key, {}).get("segments", [])
        )
        if not plain or NAMES[key] in plain:
            yield f"{key}: {NAMES[key]} does not come from the hotword list (without it: {plain!r})"


def _twin(results: Results) -> Iterator[str]:
    first = (results.folder / "finance" / SAMPLES[0].name).with_suffix(".srt")
    twin = (results.folder / "finance" / TWIN).with_suffix(".srt")
    if not twin.exists() or twin.read_bytes() != first.read_bytes():
        yield f"{TWIN} has not the transcript of {SAMPLES[0].name}"
    entries = [
        entry
        for entry in results.history
        if entry.name in (TWIN, SAMPLES[0].name) and entry.inbox == "finance"
    ]
    if len(entries) != 2 or any(entry.attempts != 1 for entry in entries):  # noqa: PLR2004 (the two of them)
        yield f"{TWIN} was recognised again: {entries}"


def _rubbish(results: Results) -> Iterator[str]:
    note = results.folder / "finance" / (RUBBISH.rpartition(".")[0] + ".转写失败.txt")
    if not note.exists():
        yield f"nothing in the share says why {RUBBISH} has no transcript"
    states = [entry.error_code for entry in results.history if entry.name == RUBBISH]
    if states != ["not_decodable"]:
        yield f"the history says {states} of {RUBBISH}"


def _end(results: Results) -> Iterator[str]:
    if results.exit_code != 0:
        yield f"the daemon ended with {results.exit_code} instead of 0"
