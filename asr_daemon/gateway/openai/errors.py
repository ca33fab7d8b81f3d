"""How this interface says no: OpenAI's envelope and status codes, and whether its client should try again."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.problems import RETRY_AFTER_S, STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response

    from asr_daemon.control.messages import Refusal

log = structlog.get_logger()

Kind = Literal["invalid_request_error", "server_error"]
SERVER_ERRORS = 500


class ErrorDetail(BaseModel):
    """Why a request was not carried out."""

    message: str
    type: Kind
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """What every error answer holds."""

    error: ErrorDetail


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer} for status in (400, 401, 403, 404, 409, 413, 500, 503)
}


class InvalidRequestError(Exception):
    """A request that makes no sense; ``param`` names the field, ``code`` the case."""

    def __init__(
        self, message: str, param: str | None = None, *, status: int = 400, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.param, self.status, self.code = param, status, code


def refusal_detail(refusal: Refusal) -> ErrorDetail:
    """Return the daemon's refusal in OpenAI's words."""
    is_ours = STATUS[refusal.code] >= SERVER_ERRORS
    message = f"{refusal.message} ({refusal.chinese})" if refusal.chinese else refusal.message
    code = {"log_in": "invalid_api_key", "not_found": "not_found", "forbidden": "forbidden"}.get(refusal.code)
    return ErrorDetail(
        message=message, type="server_error" if is_ours else "invalid_request_error", code=code
    )


def error_response(status: int, detail: ErrorDetail) -> JSONResponse:
    """Return the answer; the client is told whether to send the same again."""
    headers = {"x-should-retry": "false"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"x-should-retry": "true", "Retry-After": str(RETRY_AFTER_S)}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(ErrorAnswer(error=detail).model_dump(), status, headers)


class OpenAIRoute(APIRoute):
    """A route whose errors leave in OpenAI's envelope."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with that around it."""
        handle = super().get_route_handler()

        async def handle_all(request: Request) -> Response:
            try:
                return await handle(request)
            except InvalidRequestError as error:
                detail = ErrorDetail(
                    message=str(error), type="invalid_request_error", param=error.param, code=error.code
                )
                return error_response(error.status, detail)
            except AnsweredError as error:
                return error_response(STATUS[error.refusal.code], refusal_detail(error.refusal))
            except RequestValidationError as error:
                told = "; ".join(str(each["msg"]) for each in error.errors()[:5])
                return error_response(400, ErrorDetail(message=told, type="invalid_request_error"))

        return handle_all
