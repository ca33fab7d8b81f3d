"""Hotword lists: read with the check's word for every line, and written where nobody else did meanwhile."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, StringConstraints

from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (FastAPI reads the annotations)

router = APIRouter(tags=["hotwords"])

Inbox = Annotated[str, Path(min_length=1, max_length=64)]


class Written(BaseModel):
    """A list's new text, and the digest of the one that it was made from ("": there was none)."""

    text: Annotated[str, StringConstraints(max_length=cm.MOST_HOTWORDS_CHARS)]
    digest: Annotated[str, StringConstraints(max_length=64)]


@router.get("/hotwords/{inbox}")
def get_hotwords(daemon: Daemon, secret: Secret, inbox: Inbox) -> ca.HotwordFile:
    """Return the list of an inbox."""
    return daemon.ask(ca.HotwordFile, cm.GetHotwords(inbox), secret)


@router.put("/hotwords/{inbox}")
def put_hotwords(daemon: Daemon, secret: Secret, inbox: Inbox, written: Written) -> ca.HotwordFile:
    """Write the list; the next recording is recognised with it. 409 where it was changed meanwhile."""
    return daemon.ask(ca.HotwordFile, cm.SaveHotwords(inbox, written.text, written.digest), secret)
