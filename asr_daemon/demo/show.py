"""Prints what the demonstration did, in the order in which a person would look."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from asr_daemon.config import load_config
from asr_daemon.demo.stage import (
    DEPARTMENTS,
    INTERVIEW,
    RUBBISH,
    SAMPLES,
    SOMEBODY,
    TWIN,
    WITH_HOTWORDS,
    sample_text,
)
from asr_daemon.views.places import Places
from asr_daemon.views.recordings import history_table

if TYPE_CHECKING:
    from rich.console import Console

    from asr_daemon.demo.stage import Results


def show_results(console: Console, results: Results) -> None:
    """Print transcripts, the hotwords' work, the share, the subtitles and the history."""
    for sample in SAMPLES:
        console.rule(f"{sample.inbox}/{sample.name}")
        console.print(_read(results, sample.inbox, sample.name, ".txt"), markup=False)
    console.rule(f"who says it: {INTERVIEW.inbox}/{INTERVIEW.name}")
    console.print(f"voices/{SOMEBODY}.ogg is a sample of one of the two voices, from another recording.\n")
    console.print(_read(results, INTERVIEW.inbox, INTERVIEW.name, ".txt"), markup=False)
    console.rule("what the hotword lists brought in")
    for key in WITH_HOTWORDS:
        _show_hotwords(console, results, key)
    console.rule("the share, as people see it")
    for folder in (*DEPARTMENTS, "voices"):
        for path in sorted((results.folder / folder).iterdir()):
            console.print(f"  {folder}/{path.name}", markup=False)
    console.print(f"\n{TWIN} is the same recording under another name: its transcript came at once.")
    console.print(f"{RUBBISH} is no recording; the share says so:\n")
    console.print(_read(results, "finance", RUBBISH, ".转写失败.txt"), markup=False, style="dim")
    console.rule("subtitles: 客服来电.srt")
    console.print(_read(results, "support", "客服来电.mp3", ".srt"), markup=False)
    console.rule("asr-daemon history")
    console.print(history_table(results.history, Places(load_config(results.folder / "config.toml"))))


def _read(results: Results, inbox: str, name: str, suffix: str) -> str:
    path = results.folder / inbox / (name.rpartition(".")[0] + suffix)
    return path.read_text(encoding="utf-8") if path.exists() else f"({path.name} is missing)\n"


def _show_hotwords(console: Console, results: Results, key: str) -> None:
    """Print the segments that read otherwise without the department's list."""
    listed = [word for word in sample_text(f"{key}.hotwords.txt").split() if not word.startswith("#")]
    console.print(f"{key}: {' '.join(word for word in listed)}")
    with_list = results.transcripts.get(key, {}).get("segments", [])
    without = results.without_hotwords.get(key, {}).get("segments", [])
    for ours, plain in zip(with_list, without, strict=False):
        if ours["raw_text"] != plain["raw_text"]:
            console.print(f"  without: {marked(ours['raw_text'], plain['raw_text'], 'red')}")
            console.print(f"  with:    {marked(plain['raw_text'], ours['raw_text'], 'green')}")


def marked(other: str, text: str, colour: str) -> str:
    """Return the text with what differs from the other one in a colour."""
    parts = []
    for kind, _, _, start, end in difflib.SequenceMatcher(a=other, b=text, autojunk=False).get_opcodes():
        part = text[start:end]
        parts.append(part if kind == "equal" or not part else f"[{colour}]{part}[/{colour}]")
    return "".join(parts)
