"""Beginning live sessions: under an inbox's profile, for whoever may upload there, and for the command line.

Enters: which inbox, whose further hotwords. Leaves: a session whose socket is with a recogniser. Fails with a
:class:`~asr_daemon.errors.WorkError`: no session is free, or no model can be loaded.
"""

from __future__ import annotations

import base64
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from asr_daemon.access import Right
from asr_daemon.control import live_messages as live
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.transcribing import with_more
from asr_daemon.dispatch.protocol import Known
from asr_daemon.errors import OperatorError, UsageError, WorkError
from asr_daemon.speakers.enrolment import of_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asr_daemon.access import Access
    from asr_daemon.control.correcting import Doorkeeper
    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Parts
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()

MOST_SEGMENT_S = 15.0  # of an unbroken stream of words: nobody waits half a minute for final text


class Live:
    """Opens live sessions; any thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def open(
        self,
        inbox: str,
        descriptor: int,
        *,
        hotwords: Iterable[str] = (),
        itn: bool | None = None,
        end_silence_ms: int = live.END_SILENCE_MS,
        interim: bool = True,
    ) -> int:
        """Begin a session on that socket; return its number. The descriptor stays the caller's to close."""
        profile = self._parts.profiles.profile(inbox)
        profile = replace(
            with_more(profile, hotwords),
            itn=profile.itn if itn is None else itn,
            max_end_silence_ms=end_silence_ms,
            max_segment_s=min(profile.max_segment_s, MOST_SEGMENT_S),
        )
        people = self._people(inbox, profile)
        return self._parts.dispatcher.live.open(inbox, profile, people, descriptor, interim=interim)

    def _people(self, inbox: str, profile: Profile) -> tuple[Known, ...]:
        """Return whom the inbox knows by voice, where it asks who speaks."""
        if not profile.speaker_model:
            return ()
        people = of_model(self._parts.speakers.enrolments.people(inbox), profile.speaker_model)
        return tuple(
            Known(one.name, tuple(base64.b64encode(each).decode("ascii") for each in one.embeddings))
            for one in people
        )


class LiveDesk:
    """Opens sessions for whoever asks through the gateway."""

    def __init__(self, parts: Parts, keeper: Doorkeeper) -> None:
        self._live = Live(parts)
        self._keeper = keeper

    def open(self, person: Access, request: live.OpenLive) -> tuple[live.LiveOpened, int]:
        """Return the session and the end of its socket that is the gateway's."""
        self._keeper.require(person, Right.UPLOAD, request.inbox)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                number = self._live.open(
                    request.inbox,
                    theirs.fileno(),
                    hotwords=request.hotwords,
                    itn=request.itn,
                    end_silence_ms=request.end_silence_ms,
                    interim=request.interim,
                )
            except WorkError as error:
                ours.close()
                log.warning("live_session_refused", inbox=request.inbox, access=person.name, error=error.code)
                raise RefusedError("unavailable", str(error), error.chinese) from None
            except BaseException:
                ours.close()
                raise
        log.info("live_session_asked", session=number, inbox=request.inbox, access=person.name)
        return live.LiveOpened(number), ours.detach()


class LiveCommands:
    """What ``asr-daemon live`` does in the daemon: the socket comes with the question."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._live = Live(parts)

    def open(
        self,
        inbox: str,
        hotwords: Sequence[str] = (),
        interim: bool = True,
        descriptors: Sequence[int] = (),
    ) -> Answer:
        """Begin a session on the socket that came along; return its number."""
        self._parts.config.require_inbox(inbox)
        if len(descriptors) != 1 or not _is_socket(descriptors[0]):
            raise UsageError("live: one socket has to come along")
        try:
            number = self._live.open(inbox, descriptors[0], hotwords=hotwords, interim=interim)
        except WorkError as error:
            log.warning("live_session_refused", inbox=inbox, access="command line", error=error.code)
            raise OperatorError(str(error)) from None
        log.info("live_session_asked", session=number, inbox=inbox, access="command line")
        return {"session": number}


def _is_socket(descriptor: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as end:
            return end.family == socket.AF_UNIX and end.type == socket.SOCK_STREAM
    except OSError:
        return False
