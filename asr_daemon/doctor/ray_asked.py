"""Asks a Ray cluster who may ask it, in a child: gRPC's threads and the forks of ``check`` are no friends.

Enters: JSON on stdin (:class:`Question`). Leaves: JSON on stdout (:class:`Answer`). The question is harmless;
a cluster that answers it to anybody runs programs for anybody, too.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

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


def _main() -> None:
    grpc = importlib.import_module("grpc")
    told = json.load(sys.stdin)
    question = Question(**told)
    as_anybody, said = _call(grpc, question, None, ())
    as_ourselves = as_anybody
    if question.token or question.tls:
        credentials = None
        if question.tls:
            authority, certificate, key = (Path(path).read_bytes() for path in question.tls)
            credentials = grpc.ssl_channel_credentials(authority, key, certificate)
        metadata = (("authorization", f"Bearer {question.token}"),) if question.token else ()
        as_ourselves, said = _call(grpc, question, credentials, metadata)
    release = _RELEASE.search(said) if not question.is_client_server else None
    answer = Answer(as_anybody, as_ourselves, release[1].decode() if release else "")
    sys.stdout.write(json.dumps(asdict(answer)))


def _call(grpc: Any, question: Question, credentials: Any, metadata: Any) -> tuple[Heard, bytes]:
    method = _OF_CLIENT_SERVER if question.is_client_server else _OF_HEAD
    options = (("grpc.enable_http_proxy", 0),)
    if credentials is None:
        channel = grpc.insecure_channel(question.address, options)
    else:
        channel = grpc.secure_channel(question.address, credentials, options)
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


if __name__ == "__main__":
    _main()
