"""``hotwords``: what a department's list does, before it is used.

Who runs the command is mostly the administrator, on a server whose locale is C or English; who has to change
the list reads Chinese. The answer therefore holds both languages, sentence by sentence, unless the locale
(``LC_ALL``, ``LC_MESSAGES``, ``LANG``: the first that is set) is a Chinese one or ``--language`` names one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.cli.one_off import one_off
from asr_daemon.errors import ModelMissingError, OperatorError, UsageError
from asr_daemon.history.segments import transcript_of
from asr_daemon.models.catalogue import resolve
from asr_daemon.printable import printable
from asr_daemon.views.console import console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr_daemon.hotwords.remark import Language, Remark

_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_language = click.option(
    "--language",
    type=click.Choice(["zh", "en", "both"]),
    help="Answer in that language.  [default: zh under a Chinese locale, else both]",
)


def language_of(environment: Mapping[str, str]) -> Language:
    """Return the language to answer in: Chinese under a Chinese locale, else both."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "both"


def _said(remark: Remark, language: Language) -> str:
    return "\n".join(remark.lines(language))


@click.group()
def hotwords() -> None:
    """Say what a hotword file does: line by line, or on a recording."""


@hotwords.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--inbox", metavar="NAME", help="As that inbox uses it; without FILE, the inbox's own list.")
@_language
@with_config
def check(context: Context, file: Path | None, inbox: str | None, language: Language | None) -> int:
    """Say line by line what the model can do with each word. Ends with 1 when a line has no effect."""
    from asr_daemon.hotwords import sentences  # noqa: PLC0415
    from asr_daemon.hotwords.check import check_hotwords  # noqa: PLC0415
    from asr_daemon.hotwords.remark import Remark  # noqa: PLC0415
    from asr_daemon.hotwords.report import render_report  # noqa: PLC0415
    from asr_daemon.hotwords.source import HotwordFileError  # noqa: PLC0415
    from asr_daemon.queue.inbox_profiles import hotword_places  # noqa: PLC0415

    language = language or language_of(os.environ)
    config = context.config()
    section = None if inbox is None else config.require_inbox(inbox)
    file = file or (section.hotwords if section else None)
    if file is None:
        if not inbox:
            raise UsageError("name a FILE or an --inbox")
        raise UsageError(_said(sentences.no_list(inbox), language))
    try:
        model = resolve(config.engine.model, config.models_dir, config.engine.recognisers[0])
    except ModelMissingError as error:
        raise OperatorError(_said(sentences.no_model(error), language)) from None
    phonetic = section is None or section.phonetic_correction
    places = hotword_places(config)
    try:
        report = check_hotwords(file, model.family, Path(model.folder), phonetic=phonetic, places=places)
    except HotwordFileError as error:
        raise UsageError(_said(sentences.unreadable(error), language)) from None
    called = Remark(model.label, model.chinese_label)
    click.echo(printable(render_report(report, file, called, language), lines=True), nl=False)
    return 0 if report.is_good else 1


@hotwords.command("try")
@_file
@click.argument("audio", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--inbox", default="", metavar="NAME", help="Under that inbox's profile otherwise.")
@_language
@with_config
def try_(context: Context, file: Path, audio: Path, inbox: str, language: Language | None) -> None:
    """Transcribe AUDIO without any list and with this one, and show where the text differs."""
    from asr_daemon.hotwords import read_hotwords, sentences  # noqa: PLC0415
    from asr_daemon.hotwords.difference import find_changes  # noqa: PLC0415
    from asr_daemon.hotwords.report import problem_remark, render_trial  # noqa: PLC0415
    from asr_daemon.hotwords.source import HotwordFileError  # noqa: PLC0415
    from asr_daemon.queue.inbox_profiles import hotword_places  # noqa: PLC0415

    language = language or language_of(os.environ)
    try:
        words = read_hotwords(file, hotword_places(context.config()))
    except HotwordFileError as error:
        raise UsageError(_said(sentences.unreadable(error), language)) from None
    for problem in words.problems:
        click.echo(printable(_said(problem_remark(problem), language), lines=True), err=True)
    if not words.words and not words.replacements:
        raise UsageError(_said(sentences.no_words(file), language))
    segments = []
    with one_off(context, [audio]) as way:
        for listed in ("", os.path.abspath(file)):
            (outcome,) = way.recognise([audio], inbox=inbox, hotwords=listed)
            if outcome.filed is None or outcome.filed.work is None:
                raise OperatorError(_said(sentences.not_tried(outcome.problem), language))
            history = way.history
            segments.append(transcript_of(history, outcome.filed.work).segments)
            history.close()
    without, with_list = segments
    changes = find_changes(without, with_list, words.words)
    found = dict.fromkeys(word for segment in with_list for word in segment.hotwords_hit)
    text = render_trial(changes, tuple(found), len(words.words), language)
    console().print(printable(text, lines=True), markup=False, highlight=False, end="")


COMMANDS = (hotwords,)
