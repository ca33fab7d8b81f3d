"""Speakers: who they are in a recording, and whose voices an inbox knows. Embeddings are never answered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from asr_daemon.config_sections import MOST_SPEAKERS
from asr_daemon.control import speaker_messages as s
from asr_daemon.gateway.api.recordings import Number  # noqa: TC001 (FastAPI reads the annotations)
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (as above)

router = APIRouter(tags=["speakers"])

Inbox = Annotated[str, Path(min_length=1, max_length=64)]
Place = Annotated[int, Path(ge=1, le=1 << 31)]


class Called(BaseModel):
    """What a speaker is called ("": by their number, or voice); ``remember``: known by voice from now on."""

    name: s.Name
    remember: bool = False


class Count(BaseModel):
    """How many speakers there are; 0: to be found out."""

    speakers: Annotated[int, Field(ge=0, le=MOST_SPEAKERS)] = 0


@router.get("/recordings/{recording}/speakers")
def list_speakers(daemon: Daemon, secret: Secret, recording: Number) -> s.SpeakerList:
    """Return who speaks in a recording, in order of first word, and for how long."""
    return daemon.ask(s.SpeakerList, s.GetSpeakers(recording), secret)


@router.put("/recordings/{recording}/speakers/{number}")
def name_speaker(
    daemon: Daemon, secret: Secret, recording: Number, number: Place, called: Called
) -> s.SpeakersChanged:
    """Call a speaker so, in every file that nobody edited; their voice may be remembered for the inbox."""
    asked = s.NameSpeaker(recording, number, called.name, called.remember)
    return daemon.ask(s.SpeakersChanged, asked, secret)


@router.post("/recordings/{recording}/speakers/regroup")
def regroup(daemon: Daemon, secret: Secret, recording: Number, count: Count) -> s.SpeakersChanged:
    """Tell the speakers apart anew, without recognising; names that people gave stay with their voices."""
    return daemon.ask(s.SpeakersChanged, s.Regroup(recording, count.speakers), secret)


@router.get("/inboxes/{inbox}/voices")
def list_voices(daemon: Daemon, secret: Secret, inbox: Inbox) -> s.VoiceList:
    """Return whom an inbox knows by voice, and which recordings that came from."""
    return daemon.ask(s.VoiceList, s.GetVoices(inbox), secret)


@router.delete("/inboxes/{inbox}/voices/{name}")
def forget_voice(
    daemon: Daemon,
    secret: Secret,
    inbox: Inbox,
    name: Annotated[str, Path(min_length=1, max_length=s.MOST_NAME_CHARS)],
) -> s.VoiceForgotten:
    """Delete every embedding that the inbox keeps of somebody; names in transcripts stay."""
    return daemon.ask(s.VoiceForgotten, s.ForgetVoice(inbox, name), secret)
