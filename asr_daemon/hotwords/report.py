"""What ``hotwords check`` and ``hotwords try`` found, as text: for a terminal or a mail to the department."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.hotwords.check import Verdict
from asr_daemon.hotwords.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr_daemon.hotwords.check import Report
    from asr_daemon.hotwords.difference import Change
    from asr_daemon.hotwords.entry import Problem
    from asr_daemon.hotwords.remark import Language

_SIGNS = {Verdict.GOOD: "ok", Verdict.WARNING: "!", Verdict.UNUSABLE: "x"}


NOTHING_CHANGED = Remark("The hotwords changed nothing.", "热词没有改变转写结果。")


def render_report(report: Report, file: Path, model: Remark, language: Language) -> str:
    """Return the report of a file for a model, by the names that people call it, as lines of plain text."""
    paths = {line.path for line in report.lines}
    out = Remark(f"{file} for {model.english}:", f"{file}，用于模型 {model.chinese}：").lines(language)
    for line in report.lines:
        place = f"{line.path.name}:{line.line}" if len(paths) > 1 else str(line.line)
        tokens = f"  [{' '.join(line.tokens)}]" if line.tokens else ""
        out.append(f"{_SIGNS[line.verdict]:>2} {place:>5}  {line.text}{tokens}")
        out += [f"            {said}" for remark in line.remarks for said in remark.lines(language)]
    for remark in (*report.remarks, _sum(report)):
        out += remark.lines(language)
    return "\n".join(out) + "\n"


def _sum(report: Report) -> Remark:
    good, warned, dead = (
        sum(line.verdict is verdict for line in report.lines)
        for verdict in (Verdict.GOOD, Verdict.WARNING, Verdict.UNUSABLE)
    )
    name = report.digest[:12]
    return Remark(
        f"{len(report.lines)} lines: {good} good, {warned} with a warning, "
        f"{dead} without effect. Transcripts name the list {name}.",
        f"共 {len(report.lines)} 行：{good} 行正常，{warned} 行有提醒，{dead} 行不起作用。"
        f"转写稿中这份词表的编号是 {name}。",
    )


def problem_remark(problem: Problem) -> Remark:
    """Return a problem with the line that has it."""
    return Remark(
        f"{problem.path.name} line {problem.line}: {problem.text}",
        f"{problem.path.name} 第 {problem.line} 行：{problem.chinese}",
    )


def render_trial(changes: Sequence[Change], found: Sequence[str], n_words: int, language: Language) -> str:
    """Return what a list of ``n_words`` changed, and which of its words are in the text, as lines."""
    out = [] if changes else NOTHING_CHANGED.lines(language)
    for change in changes:
        minutes, ms = divmod(change.start_ms, 60_000)
        hit = f"   ({', '.join(change.hotwords)})" if change.hotwords else ""
        out.append(
            f"{minutes:02d}:{ms / 1000:06.3f}  "
            f"{change.left}[{change.before or '∅'} → {change.after or '∅'}]{change.right}{hit}"
        )
    english = f"{len(found)} of {n_words} hotwords are in the text"
    chinese = f"转写稿里有 {n_words} 个热词中的 {len(found)} 个"
    count = Remark(
        f"{english}: {', '.join(found)}" if found else f"{english}.",
        f"{chinese}：{'、'.join(found)}" if found else f"{chinese}。",
    )
    return "\n".join([*out, *count.lines(language)]) + "\n"
