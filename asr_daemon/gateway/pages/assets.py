"""Scripts, style sheet and icon: files of the package that are named here by being there, and no folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

router = APIRouter()

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file and what its content is called."""

    content: bytes
    media_type: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Return every file by its name."""
    found = {}
    for file in files("asr_daemon.gateway.pages").joinpath("static").iterdir():
        suffix = file.name.rpartition(".")[2]
        if suffix in TYPES:
            content = file.read_bytes()
            found[file.name] = Asset(content, TYPES[suffix], hashlib.sha256(content).hexdigest()[:16])
    return found


def digest(name: str) -> str:
    """Return what a file's address carries, so that a changed one is loaded anew."""
    return assets()[name].digest


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Return one of the files."""
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404)
    tag = f'"{asset.digest}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@router.get("/favicon.ico")
def favicon() -> Response:
    """Return the icon, for browsers that ask for it there."""
    icon = assets()["icon.svg"]
    return Response(icon.content, media_type=icon.media_type, headers={"Cache-Control": "max-age=86400"})
