"""``hotwords check``: line by line, what the model and the correction can do with a hotword file.

Enters: the file, the model's family and folder, whether the inbox corrects by sound. Leaves: a
:class:`Report`. Fails with
:class:`~asr_daemon.hotwords.source.HotwordFileError` where the file cannot be read. Neither torch nor the
model is loaded: the vocabulary is read from the model's folder.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.hotwords.entry import Problem, Replacement, Word
from asr_daemon.hotwords.hotword_list import read_lines
from asr_daemon.hotwords.vocabulary import MAX_AT_ONCE, MAX_TOKENS, Vocabulary
from asr_daemon.models.abilities import ABILITIES
from asr_daemon.transcripts.profile import list_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from asr_daemon.hotwords.hotword_list import SourceLine
    from asr_daemon.models.abilities import Family

LONG_WORD_CHARS = 10  # names and terms are shorter; models were trained on up to about this
SHOWN_CHARS = 40  # of a line that is not understood


class Verdict(enum.Enum):
    """How well a line serves."""

    GOOD = "good"
    WARNING = "warning"  # it serves, and may disappoint or do damage
    UNUSABLE = "unusable"  # the line, or the model for this word, does nothing


@dataclass(frozen=True, slots=True)
class LineReport:
    """What is known of one line."""

    path: Path
    line: int  # from 1
    text: str  # the word, "wrong => right", or the line as it stands where it is not understood
    verdict: Verdict
    tokens: tuple[str, ...]  # as the model would write the word; none where that is not known
    remarks: tuple[str, ...]  # sentences


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a file."""

    lines: tuple[LineReport, ...]
    remarks: tuple[str, ...]  # on the list as a whole
    digest: str  # by which transcripts name the list

    @property
    def is_good(self) -> bool:
        """Whether every line serves."""
        return all(line.verdict is not Verdict.UNUSABLE for line in self.lines)


def check_hotwords(path: Path, family: Family, model_folder: Path | None, *, phonetic: bool = True) -> Report:
    """Return the report of a file for a model: its family, and its folder where it is there.

    ``phonetic``: whether words that sound like a hotword are corrected after recognition.
    """
    vocabulary, trouble = _vocabulary(family, model_folder)
    ways = _Ways(vocabulary, ABILITIES[family].takes_hotwords, phonetic)
    seen: dict[str, SourceLine] = {}
    wrong: dict[str, SourceLine] = {}
    replacements: dict[str, str] = {}
    lines: list[LineReport] = []
    for line in read_lines(path):
        match line.entry:
            case Problem(text=text):
                shown = line.raw[:SHOWN_CHARS] + "…" * (len(line.raw) > SHOWN_CHARS)
                lines.append(LineReport(line.path, line.number, shown, Verdict.UNUSABLE, (), (text,)))
            case Word(text):
                lines.append(_word(line, text, seen.get(text), ways))
                seen.setdefault(text, line)
            case Replacement(wrong=left, right=right):
                lines.append(_replacement(line, left, right, wrong.get(left), seen))
                wrong.setdefault(left, line)
                replacements.setdefault(left, right)
            case _:
                pass
    digest = list_digest(tuple(seen), tuple(replacements.items()))
    return Report(tuple(lines), (*trouble, *_on_the_list(family, len(seen), phonetic=phonetic)), digest)


def _on_the_list(family: Family, n_words: int, *, phonetic: bool) -> Iterator[str]:
    """Yield what is to be said of the list as a whole."""
    can = ABILITIES[family]
    if not can.takes_hotwords:
        how = "correction of its text" if phonetic else "replacements (错词=>正词)"
        yield f"This model takes no hotwords: the list serves by {how} alone."
    if not phonetic:
        yield "Correction by sound is off for this inbox (phonetic_correction)."
    if can.most_hotwords is not None and n_words > can.most_hotwords:
        yield (
            f"This model is given {can.most_hotwords} words at most: the first of the {n_words}; "
            "the others serve by correction of its text alone."
        )
    if can.hotwords == "tokens" and n_words > MAX_AT_ONCE:
        yield (
            f"Of the {n_words} words each segment is read with the {MAX_AT_ONCE} that fit best what was "
            "heard; the others come in where they were nearly heard."
        )


def _vocabulary(family: Family, model_folder: Path | None) -> tuple[Vocabulary | None, list[str]]:
    if ABILITIES[family].hotwords != "tokens":
        return None, []
    if model_folder is None:
        return None, ["The model's folder is not there: what it can write was not looked at."]
    try:
        return Vocabulary.read(model_folder), []
    except (OSError, ValueError) as error:
        return None, [f"The model's vocabulary cannot be read, so that it was not looked at: {error}"]


@dataclass(frozen=True, slots=True)
class _Ways:
    """How a word can come into the text."""

    vocabulary: Vocabulary | None
    reaches_model: bool
    phonetic: bool

    def by_sound(self, text: str) -> bool:
        return self.phonetic and all("\u4e00" <= char <= "\u9fff" for char in text)


def _word(line: SourceLine, text: str, first: SourceLine | None, ways: _Ways) -> LineReport:
    remarks: list[str] = []
    is_dead = False
    spelling = ways.vocabulary.spell(text) if ways.vocabulary else None
    if first is not None:
        remarks.append(f"The word stands on line {first.number} of {first.path.name} already.")
    if len(text) > LONG_WORD_CHARS and not text.isascii():
        remarks.append(
            f"More than {LONG_WORD_CHARS} characters are seldom recognised as one: list its parts."
        )
    if any(char.isdigit() for char in text):
        remarks.append("Digits are heard as words: write 五 for 5, and let the normaliser make digits.")
    if not ways.reaches_model or (spelling and spelling.unknown):
        is_dead = not ways.by_sound(text)
        help_ = "correction by sound" if ways.by_sound(text) else "a replacement (错词=>正词)"
        if spelling:
            unknown = _listed(spelling.unknown)
            remarks.append(f"The model cannot write {unknown}: only {help_} can bring it in.")
        elif not ways.by_sound(text):
            remarks.append(f"Only {help_} can bring it in.")
    elif spelling and len(spelling.tokens) > MAX_TOKENS:
        is_dead = True
        remarks.append(f"The model is given words of {MAX_TOKENS} tokens at most; this has more.")
    verdict = Verdict.UNUSABLE if is_dead else Verdict.WARNING if remarks else Verdict.GOOD
    tokens = spelling.tokens if spelling and not spelling.unknown else ()
    return LineReport(line.path, line.number, text, verdict, tokens, tuple(remarks))


def _listed(parts: Sequence[str]) -> str:
    return ("" if all(len(part) == 1 for part in parts) else ", ").join(parts)


def _replacement(
    line: SourceLine, left: str, right: str, first: SourceLine | None, words: Iterable[str]
) -> LineReport:
    remarks: list[str] = []
    verdict = Verdict.GOOD
    if first is not None:
        verdict = Verdict.UNUSABLE
        remarks.append(f"{left} is replaced by line {first.number} of {first.path.name} already.")
    if sum(char.isalnum() for char in left) == 1:
        verdict = max(verdict, Verdict.WARNING, key=list(Verdict).index)
        remarks.append("One character alone is replaced everywhere, inside other words, too.")
    if left in words:
        verdict = max(verdict, Verdict.WARNING, key=list(Verdict).index)
        remarks.append(f"{left} is a hotword of this list as well: it is brought in and then replaced.")
    return LineReport(line.path, line.number, f"{left} => {right}", verdict, (), tuple(remarks))


_SIGNS = {Verdict.GOOD: "ok", Verdict.WARNING: "!", Verdict.UNUSABLE: "x"}


def render_report(report: Report) -> str:
    """Return the report as lines of plain text."""
    paths = {line.path for line in report.lines}
    out = []
    for line in report.lines:
        place = f"{line.path.name}:{line.line}" if len(paths) > 1 else str(line.line)
        tokens = f"  [{' '.join(line.tokens)}]" if line.tokens else ""
        out.append(f"{_SIGNS[line.verdict]:>2} {place:>5}  {line.text}{tokens}")
        out += [f"            {remark}" for remark in line.remarks]
    counts = {verdict: sum(line.verdict is verdict for line in report.lines) for verdict in Verdict}
    out += report.remarks
    out.append(
        f"{len(report.lines)} lines: {counts[Verdict.GOOD]} good, {counts[Verdict.WARNING]} with a warning, "
        f"{counts[Verdict.UNUSABLE]} without effect. Transcripts name the list {report.digest[:12]}."
    )
    return "\n".join(out) + "\n"
