"""How the interface says no: one JSON shape, a status by the kind of refusal."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from asr_daemon.control.messages import Refusal
from asr_daemon.gateway.daemon_client import AnsweredError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

STATUS = {
    "log_in": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "refused": 400,
    "unavailable": 503,
    "version": 503,
    "internal": 500,
}
RETRY_AFTER_S = 5
GONE = 499  # nginx's word for a client that went in the middle; nobody reads it


class ProblemDetail(BaseModel):
    """Why a request was not carried out."""

    code: str
    message: str
    message_zh: str


class Problem(BaseModel):
    """What every error answer holds."""

    error: ProblemDetail


OF_BODIES = (408, 413)  # see bodies.py
RESPONSES = {status: {"model": Problem} for status in sorted({*STATUS.values(), *OF_BODIES})}


def problem_response(refusal: Refusal) -> JSONResponse:
    """Return the answer for a refusal."""
    status = STATUS[refusal.code]
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(Problem(error=detail_of(refusal)).model_dump(), status, headers)


def detail_of(refusal: Refusal) -> ProblemDetail:
    """Return what an error answer holds of a refusal."""
    return ProblemDetail(code=refusal.code, message=refusal.message, message_zh=refusal.chinese)


def refused(message: str, chinese: str) -> AnsweredError:
    """Return the error of a request that makes no sense."""
    return AnsweredError(Refusal("refused", message, chinese))


def add_handlers(app: FastAPI) -> None:
    """Let every error of the application leave in that shape."""

    @app.exception_handler(AnsweredError)
    def of_daemon(_request: Request, error: AnsweredError) -> JSONResponse:
        return problem_response(error.refusal)

    @app.exception_handler(ClientDisconnect)
    def of_client(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=GONE)

    @app.exception_handler(RequestValidationError)
    def of_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(
            f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()[:5]
        )
        return problem_response(Refusal("refused", told, "请求的内容不正确。"))

    @app.exception_handler(HTTPException)
    def of_framework(_request: Request, error: HTTPException) -> JSONResponse:
        is_nowhere = error.status_code == HTTPStatus.NOT_FOUND
        detail = ProblemDetail(
            code="not_found" if is_nowhere else "refused",
            message=str(error.detail),
            message_zh="没有这个地址。" if is_nowhere else "无法完成这个请求。",
        )
        return JSONResponse(Problem(error=detail).model_dump(), error.status_code, error.headers)
