"""What `check` says of a cluster: guard, secrets, who answers at its address, and the bridge."""

from __future__ import annotations

import socket
import subprocess
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from asr_daemon.cluster.asking import Answer, Question, ask_ray
from asr_daemon.config import Config
from asr_daemon.doctor.cluster import look_at_cluster
from asr_daemon.doctor.finding import Machine
from asr_daemon.doctor.rights import ServiceUser
from asr_daemon.install.cluster import BRIDGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.doctor.finding import Finding

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105
GUARDED = Answer("refused", "answered", "2.60.0")
MEMBER, METHOD = "ray.rpc.NodeInfoGcsService", "CheckAlive"


@pytest.fixture
def port() -> Iterator[int]:
    """Yield a port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Return a token that nobody else can read."""
    path = tmp_path / "ray.token"
    path.write_text(f"{TOKEN}\n", encoding="ascii")
    path.chmod(0o600)
    return path


def found(
    folder: Path,
    port: int,
    answer: Answer | None = GUARDED,
    *,
    release: str | None = "2.60.0",
    daemon: ServiceUser | None = None,
    **cluster: object,
) -> list[Finding]:
    """Return what is said of a cluster at that port, which answers so; of a machine without systemd."""
    given = {"address": f"ray://127.0.0.1:{port}", **cluster}
    config = Config.model_validate({"daemon": {"state_dir": folder / "state"}, "cluster": given})
    machine = Machine(root=folder, run=lambda *_: None)
    user = daemon or ServiceUser()
    return list(
        look_at_cluster(config, None, user, machine, release=lambda: release, asked=lambda _question: answer)
    )


def problems(findings: list[Finding]) -> list[tuple[str, str]]:
    """Return level and key of what is not well."""
    return [(each.level, each.key) for each in findings if each.level != "ok"]


def test_guarded_cluster_that_answers_is_well(tmp_path: Path, port: int, token_file: Path) -> None:
    """And it is said what every machine must have; where there is no cluster, nothing is said."""
    (said,) = found(tmp_path, port, token_file=token_file)
    assert said.level == "ok"
    assert "Ray 2.60.0, Python 3." in said.text
    machine = Machine(root=tmp_path, run=lambda *_: None)
    assert list(look_at_cluster(Config(), None, ServiceUser(), machine)) == []


def test_cluster_without_token_and_tls_is_refused_unless_it_is_meant(tmp_path: Path, port: int) -> None:
    """An error that says what to do; with `insecure = true` a warning."""
    open_to_all = Answer("answered", "answered")
    first, second = found(tmp_path, port, open_to_all)
    assert (first.level, first.key) == ("error", "cluster.token_file")
    assert "RAY_AUTH_MODE=token" in first.fix
    assert "answers whoever asks" in second.text
    assert problems(found(tmp_path, port, open_to_all, insecure=True)) == [("warning", "cluster.insecure")]


def test_token_here_does_not_help_where_ray_asks_for_none(
    tmp_path: Path, port: int, token_file: Path
) -> None:
    """A head that was started without RAY_AUTH_MODE=token takes whoever comes, with or without."""
    (said,) = found(tmp_path, port, Answer("answered", "answered"), token_file=token_file)
    assert said.level == "error"
    assert "without a token" in said.text


@pytest.mark.parametrize(
    ("answer", "key", "word"),
    [
        (Answer("refused", "refused"), "cluster.token_file", "does not take this token"),
        (Answer("silent", "silent"), "cluster.tls_ca", "does it use TLS"),
        (Answer("not_ray", "not_ray"), "cluster.address", "not what the address says"),
        (Answer("refused", "answered", "2.59.1"), "cluster.address", "is 2.59.1, and here it is 2.60.0"),
    ],
)
def test_cluster_that_does_not_fit_is_told_apart(
    answer: Answer, key: str, word: str, tmp_path: Path, port: int, token_file: Path
) -> None:
    """Another token, TLS on one end, another program, another release: each has its own sentence and fix."""
    (said,) = found(tmp_path, port, answer, token_file=token_file)
    assert (said.level, said.key) == ("error", key)
    assert word in said.text
    assert said.fix


def test_token_that_others_can_read_is_none(tmp_path: Path, port: int, token_file: Path) -> None:
    """Missing, empty, open to everybody: each an error; and what is not there is not asked with."""
    token_file.chmod(0o644)
    assert "read by everybody" in found(tmp_path, port, token_file=token_file)[0].text
    token_file.chmod(0o600)
    token_file.write_text("", encoding="ascii")
    refused = Answer("refused", "refused")
    assert "is empty" in found(tmp_path, port, refused, token_file=token_file)[0].text
    token_file.unlink()
    (said,) = found(tmp_path, port, refused, token_file=token_file)
    assert (said.level, said.key) == ("error", "cluster.token_file")


def test_token_that_the_daemon_can_read_is_told(
    tmp_path: Path, port: int, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its recogniser opens what anybody puts into a share: the token is for the bridge alone."""
    unit = tmp_path / BRIDGE.unit.relative_to("/")
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=a bridge -c /c.toml\nUser=root\n", encoding="utf-8")
    config_path = Path("/c.toml")
    given = {"address": f"127.0.0.1:{port}", "token_file": token_file}
    config = Config.model_validate({"daemon": {"state_dir": tmp_path / "state"}, "cluster": given})

    def said(tried: str) -> list[str]:
        monkeypatch.setattr(
            "asr_daemon.doctor.cluster.probe", lambda wanted, user: [tried if user.name == "nobody" else ""]
        )
        machine = Machine(root=tmp_path, run=lambda *_: None)
        findings = look_at_cluster(
            config,
            config_path,
            ServiceUser("nobody"),
            machine,
            release=lambda: "2.60.0",
            asked=lambda _question: GUARDED,
        )
        return [each.text for each in findings if each.key == "cluster.token_file"]

    assert said("Permission denied") == []
    (text,) = said("")
    assert "can be read by nobody" in text


def test_certificates_that_do_not_belong_together_are_told(tmp_path: Path, port: int) -> None:
    """What Ray would say in a page of its log is one sentence here."""
    files = {}
    for name in ("tls_ca", "tls_certificate", "tls_key"):
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_text("no certificate", encoding="ascii")
        files[name].chmod(0o600)
    findings = found(tmp_path, port, Answer("silent", "silent"), **files)
    assert ("error", "cluster.tls_certificate") in problems(findings)
    assert any("does not take these certificates" in each.text for each in findings)


def test_ray_that_is_not_installed_and_head_that_is_away_are_told(tmp_path: Path, token_file: Path) -> None:
    """With the command, and within seconds."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    first, second = found(tmp_path, port, release=None, token_file=token_file)
    assert "pip install 'asr-daemon[cluster]'" in first.fix
    assert "is not reached: Connection refused" in second.text


# ------------------------------------------------------------------ what Ray's ports answer


class Head:
    """Speaks gRPC as Ray's head does: to whom the token is known, or to everybody."""

    def __init__(self, *, is_guarded: bool, method: str = METHOD) -> None:
        grpc: Any = pytest.importorskip("grpc")

        def answer(request: bytes, context: Any) -> bytes:
            shown = dict(context.invocation_metadata()).get("authorization")
            if is_guarded and shown != f"Bearer {TOKEN}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "Authentication token is missing or incorrect")
            return b"\n\x00\x12\x062.60.0 \x01"

        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        handler = grpc.method_handlers_generic_handler(
            MEMBER, {method: grpc.unary_unary_rpc_method_handler(answer)}
        )
        self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Question:
        self._server.start()
        return Question(f"127.0.0.1:{self.port}", is_client_server=False, token=TOKEN)

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()


def test_open_head_is_told_from_a_guarded_one() -> None:
    """By asking without a token; with it, the head says its release."""
    with Head(is_guarded=True) as question:
        assert ask_ray(question) == Answer("refused", "answered", "2.60.0")
        assert ask_ray(Question(question.address, is_client_server=False, token="0" * 32)) == Answer(
            "refused", "refused"
        )
    with Head(is_guarded=False) as question:
        assert ask_ray(question) == Answer("answered", "answered", "2.60.0")
    with Head(is_guarded=False, method="Other") as question:
        assert ask_ray(question) == Answer("not_ray", "not_ray")


def test_token_is_never_seen_on_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody on a machine sees command lines."""
    seen: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        seen.extend(command)
        return subprocess.CompletedProcess(
            command, 0, b'{"as_anybody": "refused", "as_ourselves": "refused"}'
        )

    monkeypatch.setattr(subprocess, "run", run)
    assert ask_ray(Question("h:1", is_client_server=True, token=TOKEN)) == Answer("refused", "refused")
    assert TOKEN not in " ".join(seen)
