"""The OpenAPI document as the interface really is: who asks sends a token, and nothing answers with 422."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

NEVER = "422"  # the framework's word for a request that makes no sense: here it is 400, in the one shape
OPEN = frozenset({"/api/v1/session"})  # where a token is given, not shown
ITS_SCHEMAS = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> None:
    """Let the application describe itself that way."""
    usual = app.openapi

    def openapi() -> dict[str, Any]:
        is_first = app.openapi_schema is None
        document = usual()
        if is_first:
            _correct(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _correct(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    for name in ITS_SCHEMAS:
        components.get("schemas", {}).pop(name, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop(NEVER, None)
            if not (path in OPEN and method == "post"):
                operation["security"] = [{"token": []}]
