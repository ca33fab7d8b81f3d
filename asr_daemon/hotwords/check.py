"""``hotwords check``: line by line, what the model and the correction can do with a hotword file.

Enters: the file, the model's family and folder, whether the inbox corrects by sound. Leaves: a
:class:`Report` (report.py makes text of it). Fails with
:class:`~asr_daemon.hotwords.source.HotwordFileError` where the file cannot be read. Neither torch nor the
model is loaded: the vocabulary is read from the model's folder.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.hotwords import sentences
from asr_daemon.hotwords.entry import Problem, Replacement, Word
from asr_daemon.hotwords.hotword_list import read_lines
from asr_daemon.hotwords.including import NOWHERE
from asr_daemon.hotwords.remark import Remark
from asr_daemon.hotwords.vocabulary import MAX_AT_ONCE, MAX_TOKENS, Vocabulary
from asr_daemon.itn import Normaliser
from asr_daemon.models.abilities import ABILITIES
from asr_daemon.transcripts.profile import list_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from asr_daemon.hotwords.hotword_list import SourceLine
    from asr_daemon.hotwords.including import Places
    from asr_daemon.models.abilities import Family

LONG_WORD_CHARS = 10  # names and terms are shorter; models were trained on up to about this
MARKS = "，。、；：！？,;:!?“”‘’「」『』（）《》【】…"  # that no model writes before punctuation is put in
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
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a file."""

    lines: tuple[LineReport, ...]
    remarks: tuple[Remark, ...]  # on the list as a whole
    digest: str  # by which transcripts name the list

    @property
    def is_good(self) -> bool:
        """Whether every line serves."""
        return all(line.verdict is not Verdict.UNUSABLE for line in self.lines)


def check_hotwords(
    path: Path,
    family: Family,
    model_folder: Path | None,
    *,
    phonetic: bool = True,
    places: Places = NOWHERE,
) -> Report:
    """Return the report of a file for a model: its family, and its folder where it is there.

    ``phonetic``: whether words that sound like a hotword are corrected after recognition.
    """
    vocabulary, trouble = _vocabulary(family, model_folder)
    ways = _Ways(vocabulary, ABILITIES[family].takes_hotwords, phonetic)
    seen: dict[str, SourceLine] = {}
    wrong: dict[str, SourceLine] = {}
    replacements: dict[str, str] = {}
    lines: list[LineReport] = []
    for line in read_lines(path, places):
        match line.entry:
            case Problem(text=english, chinese=chinese):
                shown = line.raw[:SHOWN_CHARS] + "…" * (len(line.raw) > SHOWN_CHARS)
                remark = Remark(english, chinese)
                lines.append(LineReport(line.path, line.number, shown, Verdict.UNUSABLE, (), (remark,)))
            case Word(text, said):
                lines.append(_word(line, text, said, seen.get(text), ways))
                seen.setdefault(text, line)
            case Replacement(wrong=left, right=right):
                lines.append(_replacement(line, left, right, wrong.get(left), seen))
                wrong.setdefault(left, line)
                replacements.setdefault(left, right)
            case _:
                pass
    digest = list_digest(tuple(seen), tuple(replacements.items()))
    return Report(tuple(lines), (*trouble, *_on_the_list(family, len(seen), phonetic=phonetic)), digest)


def _on_the_list(family: Family, n_words: int, *, phonetic: bool) -> Iterator[Remark]:
    """Yield what is to be said of the list as a whole."""
    can = ABILITIES[family]
    if not can.takes_hotwords:
        yield sentences.model_takes_none(phonetic=phonetic)
    if not phonetic:
        yield sentences.NOT_BY_SOUND
    if can.most_hotwords is not None and n_words > can.most_hotwords:
        yield sentences.more_than_a_prompt_holds(n_words, can.most_hotwords)
    if can.hotwords == "tokens" and n_words > MAX_AT_ONCE:
        yield sentences.more_than_at_once(n_words, MAX_AT_ONCE)


def _vocabulary(family: Family, model_folder: Path | None) -> tuple[Vocabulary | None, list[Remark]]:
    if ABILITIES[family].hotwords != "tokens":
        return None, []
    if model_folder is None:
        return None, [sentences.NO_MODEL_FOLDER]
    try:
        return Vocabulary.read(model_folder), []
    except (OSError, ValueError) as error:
        return None, [sentences.unreadable_vocabulary(error)]


@dataclass(frozen=True, slots=True)
class _Ways:
    """How a word can come into the text."""

    vocabulary: Vocabulary | None
    reaches_model: bool
    phonetic: bool

    def by_sound(self, text: str) -> bool:
        return self.phonetic and all("\u4e00" <= char <= "\u9fff" for char in text)


def _word(
    line: SourceLine, text: str, said: tuple[Remark, ...], first: SourceLine | None, ways: _Ways
) -> LineReport:
    remarks = list(said)
    is_dead = False
    spelling = ways.vocabulary.spell(text) if ways.vocabulary else None
    if first is not None:
        remarks.append(sentences.repeated(first.number, first.path.name))
    if len(text) > LONG_WORD_CHARS and not text.isascii():
        remarks.append(sentences.long_word(LONG_WORD_CHARS))
    if any(char.isdigit() for char in text):
        remarks.append(sentences.digits(text))
    if not ways.reaches_model or (spelling and spelling.unknown):
        is_dead = not ways.by_sound(text)
        if spelling:
            remarks.append(sentences.cannot_write(spelling.stretches, text, by_sound=not is_dead))
        elif is_dead:
            remarks.append(sentences.ONLY_A_REPLACEMENT)
    elif spelling and len(spelling.tokens) > MAX_TOKENS:
        is_dead = True
        remarks.append(sentences.many_tokens(MAX_TOKENS))
    verdict = Verdict.UNUSABLE if is_dead else Verdict.WARNING if remarks else Verdict.GOOD
    tokens = spelling.tokens if spelling and not spelling.unknown else ()
    return LineReport(line.path, line.number, text, verdict, tokens, tuple(remarks))


def _replacement(
    line: SourceLine, left: str, right: str, first: SourceLine | None, words: Iterable[str]
) -> LineReport:
    remarks: list[Remark] = []
    if first is not None:
        remarks.append(sentences.replaced_already(left, first.number, first.path.name))
    if sum(char.isalnum() for char in left) == 1:
        remarks.append(sentences.ONE_CHARACTER_REPLACED)
    if left in words:
        remarks.append(sentences.replaced_hotword(left))
    if marks := [char for char in left if char in MARKS]:
        remarks.append(sentences.marks_on_the_left("".join(dict.fromkeys(marks))))
    if _is_written_with_characters(left):
        remarks.append(sentences.written_with_characters(left))
    verdict = Verdict.UNUSABLE if first is not None else Verdict.WARNING if remarks else Verdict.GOOD
    return LineReport(line.path, line.number, f"{left} => {right}", verdict, (), tuple(remarks))


def _is_written_with_characters(left: str) -> bool:
    """Whether a single figure is one that the normaliser leaves in characters: 四车间, 三个."""
    if any(char.isascii() and not char.isdigit() for char in left) or not any(map(str.isdigit, left)):
        return False
    spoken = sentences.spoken_form(left)
    return Normaliser().normalise(spoken).text == spoken
