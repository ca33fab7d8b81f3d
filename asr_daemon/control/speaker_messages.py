"""Who speaks in a recording, and whose voices an inbox knows: what is asked, and answered; see messages.py.

No answer holds an embedding: they are biometric, and stay in the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from asr_daemon.config_sections import MOST_SPEAKERS

MOST_NAME_CHARS = 100  # before it is looked at; a name has 40

Name = Annotated[str, Field(max_length=MOST_NAME_CHARS)]


@dataclass(frozen=True, slots=True)
class GetSpeakers:
    """Who speaks in a recording; answered by :class:`SpeakerList`."""

    recording: int
    command: Literal["get_speakers"] = "get_speakers"


@dataclass(frozen=True, slots=True)
class NameSpeaker:
    """Call a recording's speaker so ("": by their number, or voice); answered by :class:`SpeakersChanged`.

    ``remember``: the inbox knows that voice from now on.
    """

    recording: int
    number: Annotated[int, Field(ge=1, le=1 << 31)]
    name: Name
    remember: bool = False
    command: Literal["name_speaker"] = "name_speaker"


@dataclass(frozen=True, slots=True)
class Regroup:
    """Tell a recording's speakers apart anew (0: however many); answered by :class:`SpeakersChanged`."""

    recording: int
    speakers: Annotated[int, Field(ge=0, le=MOST_SPEAKERS)] = 0
    command: Literal["regroup"] = "regroup"


@dataclass(frozen=True, slots=True)
class GetVoices:
    """Whose voices an inbox knows; answered by :class:`VoiceList`."""

    inbox: str
    command: Literal["get_voices"] = "get_voices"


@dataclass(frozen=True, slots=True)
class ForgetVoice:
    """Delete all that is kept of somebody's voice; answered by :class:`VoiceForgotten`."""

    inbox: str
    name: Name
    command: Literal["forget_voice"] = "forget_voice"


SpeakerRequest = GetSpeakers | NameSpeaker | Regroup | GetVoices | ForgetVoice


@dataclass(frozen=True, slots=True)
class ReadSpeaker:
    """Somebody who says something in a recording."""

    number: int  # in order of first word
    name: str
    speech_ms: int  # of the words that are theirs
    known_by: Literal["number", "hand", "voice"]  # where the name comes from
    may_be_remembered: bool  # their voice is kept, and was heard for long enough


@dataclass(frozen=True, slots=True)
class SpeakerList:
    """Who speaks; nobody where nobody asked."""

    speakers: tuple[ReadSpeaker, ...]
    may_regroup: bool  # their voices are kept
    expected: int  # as a person said, or the inbox's configuration; 0: found out


@dataclass(frozen=True, slots=True)
class SpeakersChanged:
    """Who speaks by now, and what became of the files: names."""

    now: SpeakerList
    written: tuple[str, ...]
    edited: tuple[str, ...]  # a person edited them: they stay as they are
    problems: int  # files that could not be written now


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """Somebody whom an inbox knows by voice."""

    name: str
    voices: int  # embeddings that are kept
    sources: tuple[str, ...]  # recordings that they come from
    samples: tuple[str, ...]  # of them, files in the inbox's folder of voices
    since: str


@dataclass(frozen=True, slots=True)
class VoiceList:
    """Whom an inbox knows; ``is_asked``: whether it asks who speaks at all."""

    voices: tuple[KnownVoice, ...]
    is_asked: bool


@dataclass(frozen=True, slots=True)
class VoiceForgotten:
    """It is deleted; ``samples``: files from which it is learnt anew unless they are taken away, too."""

    count: int
    samples: tuple[str, ...]


SpeakerTold = SpeakerList | SpeakersChanged | VoiceList | VoiceForgotten
