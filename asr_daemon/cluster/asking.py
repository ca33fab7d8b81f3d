"""Asks a Ray cluster who may ask it; the question is harmless, and Ray itself takes no part.

A cluster that answers it to anybody runs programs for anybody, too. The bridge asks for itself; ``check`` in
a child, as gRPC's threads and its forks are no friends: JSON on stdin (:class:`Question`), JSON on stdout
(:class:`Answer`), and nothing else of ours is needed for that.
"""

from __future__ import annotations

import importlib
import json
import re
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from asr_daemon.config_cluster import ClusterSection

WITHIN_S = 20.0
CALL_WITHIN_S = 4.0
# gRPC methods of Ray 2.60, taken with an empty request.
_OF_HEAD = "/ray.rpc.NodeInfoGcsService/CheckAlive"
_OF_CLIENT_SERVER = "/ray.rpc.RayletDriver/KVGet"
_RELEASE = re.compile(rb"\x12.(\d+\.\d+\.\d+[\w.]*)")  # of Ray, in the head's answer

Heard = Literal["answered", "refused", "silent", "not_ray"]


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to ask, and how; the token goes through a pipe, never onto a command line."""

    address: str  # host:port
    is_client_server: bool  # ray://
    token: str = ""
    tls: tuple[str, str, str] | None = None  # paths of authority, certificate, key


@dataclass(frozen=True, slots=True)
class Answer:
    """What was heard."""

    as_anybody: Heard  # without token or certificate
    as_ourselves: Heard
    release: str = ""  # of Ray, where the head told it


def why_not_reached(endpoint: str, within_s: float) -> str:
    """Return why nobody listens at "host:port"; "" where somebody does."""
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), within_s).close()
    except (OSError, OverflowError) as error:
        return str(getattr(error, "strerror", "") or error)
    return ""


def question_of(section: ClusterSection) -> Question:
    """Return the question, with what can be read of token and certificates: more is root's alone, perhaps."""
    token = ""
    if section.token_file is not None:
        try:
            token = section.token_file.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            token = ""
    paths = (section.tls_ca, section.tls_certificate, section.tls_key)
    tls = tuple(str(path) for path in paths) if all(path and path.is_file() for path in paths) else None
    return Question(section.endpoint, section.asks_client_server, token, tls)  # type: ignore[arg-type]


def ask_ray(question: Question) -> Answer | None:
    """Return what the cluster answers; None where it could not be asked (no gRPC here, say)."""
    try:
        ended = subprocess.run(
            [sys.executable, "-I", __file__],  # the file alone: nothing else of ours is needed
            input=json.dumps(asdict(question)).encode(),
            capture_output=True,
            timeout=WITHIN_S,
            check=True,
        )
        return Answer(**json.loads(ended.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def hear(question: Question, *, as_anybody: bool = False) -> tuple[Heard, bytes]:
    """Ask here and now; return how it answers, and what. ``as_anybody``: without token and certificate."""
    grpc: Any = importlib.import_module("grpc")
    options = (("grpc.enable_http_proxy", 0),)
    tls, token = (None, "") if as_anybody else (question.tls, question.token)
    if tls is None:
        channel = grpc.insecure_channel(question.address, options)
    else:
        authority, certificate, key = (Path(path).read_bytes() for path in tls)
        credentials = grpc.ssl_channel_credentials(authority, key, certificate)
        channel = grpc.secure_channel(question.address, credentials, options)
    method = _OF_CLIENT_SERVER if question.is_client_server else _OF_HEAD
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    meanings: dict[Any, Heard] = {
        grpc.StatusCode.UNAUTHENTICATED: "refused",
        grpc.StatusCode.PERMISSION_DENIED: "refused",
        grpc.StatusCode.UNAVAILABLE: "silent",
        grpc.StatusCode.DEADLINE_EXCEEDED: "silent",
        grpc.StatusCode.UNIMPLEMENTED: "not_ray",
    }
    with channel:
        try:
            return "answered", channel.unary_unary(method)(b"", timeout=CALL_WITHIN_S, metadata=metadata)
        except grpc.RpcError as error:  # any other: it was let in, and the question made no sense
            return meanings.get(error.code(), "answered"), b""


def _main() -> None:
    question = Question(**json.load(sys.stdin))
    as_anybody, said = hear(question, as_anybody=True)
    as_ourselves = as_anybody
    if question.token or question.tls:
        as_ourselves, said = hear(question)
    release = _RELEASE.search(said) if not question.is_client_server else None
    answer = Answer(as_anybody, as_ourselves, release[1].decode() if release else "")
    sys.stdout.write(json.dumps(asdict(answer)))


if __name__ == "__main__":
    _main()
