"""From an inbox's configuration, its hotword file of this moment and the model at hand to a profile."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import ModelMissingError
from asr_daemon.hotwords import HotwordFileError, HotwordList, Places, read_hotwords
from asr_daemon.models.catalogue import ModelChoice, resolve
from asr_daemon.models.speakers import with_speakers
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from asr_daemon.config import Config
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.inboxes.share import Shares

log = structlog.get_logger()

USUAL_SILENCE_MS = 800  # FunASR's own
MOST_TOLD = 5  # lines of a list that the log names


class InboxProfiles:
    """The profiles of the inboxes, as configuration, hotword files and models stand now; for any thread."""

    def __init__(self, config: Config, shares: Shares) -> None:
        self._shares = shares
        self._lock = threading.Lock()
        self._complained: dict[Path, str] = {}
        self.reload(config)

    def reload(self, config: Config) -> None:
        """Take up another configuration; the model is chosen anew."""
        with self._lock:
            self._config = config
            self._lists: dict[Path, HotwordList] = {}  # as they were read last
            self._model: ModelChoice | None = None

    @property
    def model(self) -> ModelChoice:
        """The model that recordings are recognised with.

        Raises :class:`~asr_daemon.errors.ModelMissingError` while it is not there; looks again each time.
        One that is there stays chosen until the configuration is read anew.
        """
        with self._lock:
            if self._model is None or not Path(self._model.folder).is_dir():
                self._model = None
                engine = self._config.engine
                models_dir = self._config.models_dir
                found = resolve(engine.model, models_dir, engine.recognisers[0])
                self._model = with_speakers(found, self._config.speakers.model, models_dir)
            return self._model

    @property
    def identity(self) -> str:
        """The model as a profile names it; while it is missing, what was asked for stands in its place.

        Work that is queued then is bound to the real one when it is claimed.
        """
        try:
            return self.model.identity
        except ModelMissingError:
            return f"missing:{self._config.engine.model}"

    def profile(self, inbox_name: str) -> Profile:
        """Return the profile of an inbox (of the defaults, for the command line).

        Raises :class:`~asr_daemon.errors.InboxGoneError` where the share of its hotword file does not answer.
        """
        inbox = self._config.find_inbox(inbox_name)
        identity = self.identity
        itn = self._config.itn
        own_silence_ms = self._models_silence_ms()
        if inbox is None:
            return Profile(
                model=identity,
                itn=itn.enabled,
                protect=tuple(sorted(set(itn.protect))),
                max_end_silence_ms=own_silence_ms,
            )
        profile = Profile(
            model=identity,
            language=inbox.language,
            phonetic_correction=inbox.phonetic_correction,
            itn=itn.enabled and inbox.itn,
            protect=tuple(sorted({*itn.protect, *inbox.protect})),
            max_segment_s=inbox.max_segment_s,
            max_end_silence_ms=inbox.max_end_silence_ms or own_silence_ms,
        )
        if inbox.speakers:
            profile = self.with_speakers(profile, inbox.max_speakers, inbox.speakers_expected)
        return with_hotwords(profile, self.hotwords(inbox))

    def with_speakers(self, profile: Profile, most: int = 0, expected: int = 0) -> Profile:
        """Return the profile that asks who speaks, too; how many of them is 0 where it is not known."""
        try:
            model = self.model.speaker_model
        except ModelMissingError:  # as with `identity`: the work is bound to the real one when it is claimed
            model = f"missing:{self._config.speakers.model}"
        return replace(profile, speaker_model=model, max_speakers=most, speakers_expected=expected)

    def _models_silence_ms(self) -> int:
        """Return what silence ends a segment where nobody says otherwise: the model's wish, or 800."""
        try:
            wish = self.model.segmentation
        except ModelMissingError:
            wish = None
        return wish.max_end_silence_ms if wish is not None else USUAL_SILENCE_MS

    def hotwords(self, inbox: InboxSection) -> HotwordList | None:
        """Return the list as its file is now; None where there is none or it cannot be read (logged once).

        Raises :class:`~asr_daemon.errors.InboxGoneError` where its share does not answer: the recordings wait
        for the list rather than being recognised without it.
        """
        path = inbox.hotwords
        if path is None:
            return None
        try:
            words = self._read(path)
        except HotwordFileError as error:
            self._complain(path, str(error), inbox=inbox.name)
            return None
        problems = [f"{problem.path.name} line {problem.line}: {problem.text}" for problem in words.problems]
        if len(problems) > MOST_TOLD:
            problems[MOST_TOLD:] = ["and so on: `asr-daemon hotwords check` names them"]
        self._complain(path, "; ".join(problems), inbox=inbox.name)
        return words

    def hotwords_problem(self, inbox: InboxSection) -> str:
        """Return what was wrong with the list of an inbox when it was read last, or ""."""
        with self._lock:
            return self._complained.get(inbox.hotwords, "") if inbox.hotwords else ""

    def _read(self, path: Path) -> HotwordList:
        """Return the list, read anew where one of its files is another than it was."""
        places, ask = hotword_places(self._config), self._shares.ask
        known = self._lists.get(path)
        if known is None or not known.is_current(places, ask):
            self._lists[path] = known = read_hotwords(path, places, ask)
        return known

    def say_which_model(self) -> None:
        """Say in the log what recognises, or why nothing does."""
        try:
            model = self.model
        except ModelMissingError as error:
            log.error("model_missing", problem=str(error))
            return
        say = log.warning if model.is_builtin else log.info
        say("model_chosen", model=model.label, folder=str(model.folder), trial_only=model.is_builtin)

    def _complain(self, path: Path, problem: str, *, inbox: str) -> None:
        with self._lock:
            if self._complained.get(path, "") == problem:
                return
            self._complained[path] = problem
        if problem:
            log.warning("hotwords_problem", inbox=inbox, file=str(path), problem=problem)


def hotword_places(config: Config) -> Places:
    """Return where hotword lists lie, and where departments write."""
    return Places(tuple(inbox.path for inbox in config.inbox), config.hotwords.common_dir)


def with_hotwords(profile: Profile, words: HotwordList | None) -> Profile:
    """Return the profile with that list in place of its own."""
    return replace(
        profile,
        hotwords=words.words if words else (),
        replacements=words.replacements if words else (),
        list_sha256="",
    )
