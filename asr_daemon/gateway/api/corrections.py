"""Correcting a transcript: texts, speakers, borders of segments, undo.

Every change names the version of the text that it was made on: ``If-Match`` with the ``ETag`` of
``GET /recordings/{recording}``, or of the change before. Where somebody else was faster nothing is changed:
412, with what they did and the text that is in force now.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, Field, TypeAdapter
from starlette.responses import JSONResponse

from asr_daemon.control import corrections_messages as c
from asr_daemon.gateway.api.recordings import Number  # noqa: TC001 (FastAPI reads the annotations)
from asr_daemon.gateway.problems import ProblemDetail, refused
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (as above)

router = APIRouter(tags=["corrections"])

IfMatch = Annotated[str, Header(max_length=100, description="The ETag of the text that was changed.")]
_STEPS = TypeAdapter(c.Outdated)


class Change(BaseModel):
    """What a segment is to say, and who speaks; what is left out stays. An empty speaker: as recognised."""

    text: Annotated[str, Field(max_length=c.MOST_CHARS)] | None = None
    speaker: Annotated[str, Field(max_length=c.MOST_SPEAKER_CHARS)] | None = None


class Border(BaseModel):
    """Before which character of the segment's text the next one begins."""

    at: Annotated[int, Field(ge=1, le=c.MOST_CHARS)]


class ChangedByOthers(BaseModel):
    """Why nothing was changed, and what is in force now."""

    error: ProblemDetail
    current: c.Outdated


OUTDATED: dict[int | str, dict[str, Any]] = {412: {"model": ChangedByOthers}}
MINE = "somebody else changed this text meanwhile: look at it, then change it again"
CHINESE = "别人刚刚修改了这份文字，请查看后再改。"


def _version(if_match: str) -> str:
    """Return the version in an ``If-Match``; raises :class:`~...daemon_client.AnsweredError`."""
    given = if_match.strip().removeprefix("W/")
    if len(given) < 3 or given[0] != '"' or given[-1] != '"':  # noqa: PLR2004
        raise refused(
            "If-Match: give the ETag of the recording, in quotation marks", "缺少版本信息，请刷新页面。"
        )
    return given[1:-1]


def _change(
    daemon: Daemon, secret: str, request: c.CorrectingRequest, response: Response
) -> c.Corrected | Response:
    told = daemon.ask_one_of((c.Corrected, c.Outdated), request, secret)
    etag = {"ETag": f'"{told.version}"'}
    if isinstance(told, c.Outdated):
        detail = ProblemDetail(code="changed", message=MINE, message_zh=CHINESE)
        body = {"error": detail.model_dump(), "current": _STEPS.dump_python(told, mode="json")}
        return JSONResponse(body, 412, etag)
    response.headers.update(etag)
    return told


@router.patch("/recordings/{recording}/segments/{segment}", response_model=c.Corrected, responses=OUTDATED)
def correct(
    response: Response,
    daemon: Daemon,
    secret: Secret,
    recording: Number,
    segment: c.Segment,
    given: Change,
    if_match: IfMatch,
) -> c.Corrected | Response:
    """Give a segment another text, another speaker, or both."""
    request = c.Correct(recording, _version(if_match), segment, given.text, given.speaker)
    return _change(daemon, secret, request, response)


@router.post(
    "/recordings/{recording}/segments/{segment}/split", response_model=c.Corrected, responses=OUTDATED
)
def split(
    response: Response,
    daemon: Daemon,
    secret: Secret,
    recording: Number,
    segment: c.Segment,
    given: Border,
    if_match: IfMatch,
) -> c.Corrected | Response:
    """Begin another segment before a character."""
    return _change(daemon, secret, c.Split(recording, _version(if_match), segment, given.at), response)


@router.post(
    "/recordings/{recording}/segments/{segment}/join", response_model=c.Corrected, responses=OUTDATED
)
def join(
    response: Response,
    daemon: Daemon,
    secret: Secret,
    recording: Number,
    segment: c.Segment,
    if_match: IfMatch,
) -> c.Corrected | Response:
    """Make a segment one with that behind it."""
    return _change(daemon, secret, c.Join(recording, _version(if_match), segment), response)


@router.get("/recordings/{recording}/corrections")
def list_corrections(
    response: Response, daemon: Daemon, secret: Secret, recording: Number
) -> c.CorrectionList:
    """Return what was corrected, by whom and when, newest first, and what found its words no more."""
    told = daemon.ask(c.CorrectionList, c.GetCorrections(recording), secret)
    response.headers["ETag"] = f'"{told.version}"'
    return told


@router.post("/recordings/{recording}/corrections/undo", response_model=c.Corrected, responses=OUTDATED)
def undo(
    response: Response, daemon: Daemon, secret: Secret, recording: Number, if_match: IfMatch
) -> c.Corrected | Response:
    """Take back the newest step that stands."""
    return _change(daemon, secret, c.Undo(recording, _version(if_match)), response)


@router.delete(
    "/recordings/{recording}/corrections/unplaced/{unplaced}", response_model=c.Corrected, responses=OUTDATED
)
def discard(
    response: Response, daemon: Daemon, secret: Secret, recording: Number, unplaced: Number, if_match: IfMatch
) -> c.Corrected | Response:
    """Forget a correction that found its words no more."""
    return _change(daemon, secret, c.Discard(recording, _version(if_match), unplaced), response)


@router.delete("/recordings/{recording}/transcript")
def forget(daemon: Daemon, secret: Secret, recording: Number) -> c.Forgotten:
    """Forget its text, corrections, voices and files for good; the sound stays, and what a person edited.

    It is not transcribed again unless `retry` asks for it.
    """
    return daemon.ask(c.Forgotten, c.Forget(recording), secret)


@router.get("/recordings/{recording}/transcript/backups")
def holding(daemon: Daemon, secret: Secret, recording: Number) -> c.Holding:
    """Return which backups hold its text, and until when they would if it were forgotten now."""
    return daemon.ask(c.Holding, c.GetHolding(recording), secret)


# ---------------------------------------------------------------------- what is learned of them

Inbox = Annotated[str, Path(min_length=1, max_length=64)]


class Lines(BaseModel):
    """What is added to the list, and the digest of the file that it is added to."""

    lines: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=450)], ...],
        Field(min_length=1, max_length=c.MOST_LINES),
    ]
    digest: Annotated[str, Field(max_length=64)] = ""


@router.get("/inboxes/{inbox}/hotwords/suggestions")
def suggestions(daemon: Daemon, secret: Secret, inbox: Inbox) -> c.SuggestionList:
    """Return words that people corrected at several places, and that the inbox's list does not have."""
    return daemon.ask(c.SuggestionList, c.GetSuggestions(inbox), secret)


@router.post("/inboxes/{inbox}/hotwords/lines")
def add_lines(daemon: Daemon, secret: Secret, inbox: Inbox, given: Lines) -> c.ListChanged:
    """Add lines to the inbox's hotword file; a copy of what it was stays beside it.

    409 where the file holds something else than `digest` (of `suggestions`) says.
    """
    return daemon.ask(c.ListChanged, c.AddHotwords(inbox, given.digest, given.lines), secret)
