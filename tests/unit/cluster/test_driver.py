"""What Ray says, in words that tell the administrator what to do: connecting, being refused, losing."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ray")

import grpc
import ray.exceptions as ray_errors
from ray._private.utils import check_version_info, compute_version_info

from asr_daemon.cluster.driver import Driver, _why_not_connected
from asr_daemon.cluster.guard import require_guard, set_environment
from asr_daemon.cluster.losses import lost
from asr_daemon.config_cluster import ClusterSection
from asr_daemon.errors import ClusterAwayError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODE_DIED = (
    "The actor died unexpectedly before finishing this task.\nThe actor died because its node has died. "
    "Node Id: 7e73\n\tthe actor's node was terminated unexpectedly: health check failed"
)
WORKER_DIED = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR "
    "Worker exit detail: Worker unexpectedly exits with a connection error code 2."
)
NOT_THERE = (
    "The actor died because of an error raised in its creation task, \x1b[36mray::Actor.__init__()\x1b[39m\n"
    "RuntimeError: The actor with name Actor failed to import on the worker.\n"
    "ModuleNotFoundError: No module named 'asr_daemon'"
)


MISSING = (
    "On gpu2 asr_daemon is missing from the Python that Ray runs in: pip install 'asr-daemon[cluster]' there."
)


def died(said: str) -> ray_errors.ActorDiedError:
    """Return Ray's error with what it said."""
    error = ray_errors.ActorDiedError()
    error.error_msg = said
    return error


@contextlib.contextmanager
def head(token: str) -> Iterator[str]:
    """Be the port of a head that wants that token ("": none); yield its address."""

    def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = dict(context.invocation_metadata())
        if token and metadata.get("authorization") != f"Bearer {token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
        return b""

    class Handler(grpc.GenericRpcHandler):
        def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            """Answer whatever is asked."""
            return grpc.unary_unary_rpc_method_handler(answer)

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads, handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


def test_a_cluster_that_answers_anybody_is_refused_though_we_have_a_token(tmp_path: Path) -> None:
    """The token is ours alone: the port asks nobody for it."""
    (tmp_path / "token").write_text("secret\n")
    with head("") as address:
        section = ClusterSection(address=address, token_file=tmp_path / "token")
        with pytest.raises(
            ClusterAwayError, match=r"runs programs for whoever.*RAY_AUTH_MODE=token.*insecure"
        ):
            require_guard(section)
        require_guard(section.model_copy(update={"insecure": True}))


def test_a_cluster_that_asks_for_the_token_is_taken_with_the_right_one(tmp_path: Path) -> None:
    """Another one is told from a head that is away."""
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "other").write_text("guess\n")
    with head("secret") as address:
        require_guard(ClusterSection(address=address, token_file=tmp_path / "token"))
        require_guard(ClusterSection(address=f"ray://{address}", token_file=tmp_path / "token"))
        with pytest.raises(ClusterAwayError, match="refuses our token"):
            require_guard(ClusterSection(address=address, token_file=tmp_path / "other"))
        with pytest.raises(ClusterAwayError, match="refuses our token"):
            require_guard(ClusterSection(address=address, insecure=True))


def test_tls_at_one_end_alone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself would wait for ever."""
    monkeypatch.setattr("asr_daemon.cluster.asking.CALL_WITHIN_S", 0.5)
    for name in ("ca", "crt", "key"):
        (tmp_path / name).write_text(name)
    tls = {"tls_ca": tmp_path / "ca", "tls_certificate": tmp_path / "crt", "tls_key": tmp_path / "key"}
    with head("secret") as address, pytest.raises(ClusterAwayError, match="does not speak TLS"):
        require_guard(ClusterSection(address=address, **tls))
    with socket.create_server(("127.0.0.1", 0)) as other:  # which answers no plain question
        address = f"127.0.0.1:{other.getsockname()[1]}"
        require_guard(ClusterSection(address=address, **tls))
        with pytest.raises(ClusterAwayError, match="speaks TLS, or is no Ray"):
            require_guard(ClusterSection(address=address, insecure=True))


def test_without_token_and_tls_nothing_is_asked_at_all() -> None:
    """Unless the administrator says so."""
    with pytest.raises(ClusterAwayError, match=r"cluster\.token_file"):
        require_guard(ClusterSection(address="127.0.0.1:1"))


def test_ray_is_told_of_token_and_certificates_and_to_tell_nobody_of_us(tmp_path: Path) -> None:
    """And never to start a cluster of its own where ours is gone."""
    for name in ("token", "ca", "crt", "key"):
        (tmp_path / name).write_text(name)
    environment = {"RAY_AUTH_TOKEN": "of somebody else"}
    section = ClusterSection(
        address="head:6379",
        token_file=tmp_path / "token",
        tls_ca=tmp_path / "ca",
        tls_certificate=tmp_path / "crt",
        tls_key=tmp_path / "key",
    )
    set_environment(section, environment)
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "token")
    assert environment["RAY_USE_TLS"] == "1"
    assert environment["RAY_TLS_CA_CERT"] == str(tmp_path / "ca")
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["RAY_ENABLE_AUTO_CONNECT"] == "0"
    assert "RAY_AUTH_TOKEN" not in environment
    (tmp_path / "token").unlink()
    with pytest.raises(ClusterAwayError, match=r"cluster\.token_file: .* cannot be read: No such file"):
        set_environment(section, environment)


def test_nobody_at_the_address_is_said_at_once() -> None:
    """Ray itself would take a minute."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    driver = Driver(ClusterSection(address=f"127.0.0.1:{port}", insecure=True))
    with pytest.raises(
        ClusterAwayError, match=rf"Nothing answers at 127\.0\.0\.1:{port} \(.*refused.*head up"
    ):
        driver.connect()


@pytest.mark.parametrize(("ray_there", "python_there"), [("2.59.1", None), (None, "3.11.2")])
def test_versions_that_differ_are_named_in_one_sentence(
    ray_there: str | None, python_there: str | None
) -> None:
    """As Ray itself finds them."""
    ray_here, python_here = compute_version_info()
    there = {"ray_version": ray_there or ray_here, "python_version": python_there or python_here}
    with pytest.raises(RuntimeError) as found:
        check_version_info(there, "this node", raise_on_mismatch=True)
    assert _why_not_connected("head:6379", found.value) == (
        f"The cluster at head:6379 has Ray {there['ray_version']} on Python {there['python_version']}, "
        f"this machine has Ray {ray_here} on Python {python_here}: install the same on all of them."
    )


@pytest.mark.parametrize(
    ("error", "lives", "code", "said"),
    [
        (concurrent.futures.TimeoutError(), True, "machine_lost", "gpu2 does not answer any more."),
        (died(NODE_DIED), True, "machine_lost", "gpu2 is gone, as Ray found."),
        (died(WORKER_DIED), False, "machine_lost", "gpu2 is gone, as Ray found."),
        (
            died(WORKER_DIED),
            True,
            "recogniser_crashed",
            "On gpu2 the recogniser's process ended unexpectedly.",
        ),
        (
            died("The actor is dead because its owner has died. Owner Id: 01"),
            True,
            "cluster_away",
            "The head of the cluster is gone.",
        ),
        (
            ray_errors.OutOfMemoryError("Task was killed due to the node running low on memory."),
            True,
            "killed_for_memory",
            "On gpu2 Ray ended the recogniser for want of memory.",
        ),
        (
            died(NOT_THERE),
            True,
            "cluster_away",
            MISSING,
        ),
        (
            ConnectionError("GRPC connection failed: x"),
            True,
            "cluster_away",
            "Ray cannot be reached any more: GRPC connection failed: x",
        ),
    ],
)
def test_a_loss_is_told_by_whose_fault_it_may_be(
    error: BaseException, lives: bool, code: str, said: str
) -> None:
    """A code on which it hangs whether an attempt is spent, and a sentence."""
    found = lost("gpu2", error, lambda: lives)
    assert found.code == code
    assert found.message == said
    assert type(error).__name__ in found.evidence
