"""From an inbox's configuration, its hotword file of this moment and the model at hand to a profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import ModelMissingError
from asr_daemon.hotwords import HotwordFileError, HotwordList, read_hotwords
from asr_daemon.models.catalogue import ModelChoice, resolve
from asr_daemon.queue.jobs import COMMAND_LINE
from asr_daemon.queue.profile import Profile

if TYPE_CHECKING:
    from asr_daemon.config import Config, InboxSection

log = structlog.get_logger()


class InboxProfiles:
    """The profiles of the inboxes, as configuration, hotword files and models stand now."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._model: ModelChoice | None = None
        self._complained: dict[Path, str] = {}

    @property
    def model(self) -> ModelChoice:
        """The model that recordings are recognised with.

        Raises :class:`~asr_daemon.errors.ModelMissingError` while it is not there; looks again each time.
        One that is there stays chosen until the configuration is read anew.
        """
        if self._model is None or not Path(self._model.folder).is_dir():
            self._model = None
            engine = self._config.engine
            self._model = resolve(engine.model, self._config.models_dir, engine.device)
        return self._model

    def profile(self, inbox_name: str) -> Profile:
        """Return the profile of an inbox (of the defaults, for the command line)."""
        inbox = self._config.find_inbox(inbox_name)
        try:
            identity = self.model.identity
        except ModelMissingError:
            # Queued under what was asked for; bound to the real one when it is claimed.
            identity = f"missing:{self._config.engine.model}"
        itn = self._config.itn
        if inbox is None:
            return Profile(model=identity, itn=itn.enabled, protect=tuple(sorted(set(itn.protect))))
        profile = Profile(
            model=identity,
            language=inbox.language,
            phonetic_correction=inbox.phonetic_correction,
            itn=itn.enabled and inbox.itn,
            protect=tuple(sorted({*itn.protect, *inbox.protect})),
            max_segment_s=inbox.max_segment_s,
            max_end_silence_ms=inbox.max_end_silence_ms,
        )
        return with_hotwords(profile, self.hotwords(inbox))

    def hotwords(self, inbox: InboxSection) -> HotwordList | None:
        """Return the list as its file is now; None where there is none or it cannot be read (logged once)."""
        path = inbox.hotwords
        if path is None:
            return None
        try:
            words = read_hotwords(path)
        except HotwordFileError as error:
            self._complain(path, str(error), inbox=inbox.name)
            return None
        problems = [f"{problem.path.name} line {problem.line}: {problem.text}" for problem in words.problems]
        self._complain(path, "; ".join(problems), inbox=inbox.name)
        return words

    def _complain(self, path: Path, problem: str, *, inbox: str) -> None:
        if self._complained.get(path, "") == problem:
            return
        self._complained[path] = problem
        if problem:
            log.warning("hotwords_problem", inbox=inbox, file=str(path), problem=problem)


def with_hotwords(profile: Profile, words: HotwordList | None) -> Profile:
    """Return the profile with that list in place of its own."""
    return replace(
        profile,
        hotwords=words.words if words else (),
        replacements=words.replacements if words else (),
    )


def inbox_label(name: str) -> str:
    """Return what a person calls the inbox of that name."""
    return "(command line)" if name == COMMAND_LINE else name
