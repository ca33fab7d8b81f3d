"""Whether Ray asks who is there: its ports run code for whoever reaches them, and by default it does not ask.

Enters: the cluster's address and section. Leaves: what Ray is to read from the environment, before it is
imported; and whether the cluster's own port answers somebody without token or certificate.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asr_daemon.cluster.asking import hear, question_of
from asr_daemon.errors import ClusterAwayError

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

    from asr_daemon.config_cluster import ClusterSection

OPEN = (
    "Ray on {address} runs programs for whoever reaches its ports: start it with RAY_AUTH_MODE=token on "
    "every machine and name the token's file as cluster.token_file, or say cluster.insecure = true where "
    "nobody else is on that network."
)


def set_environment(section: ClusterSection, environment: MutableMapping[str, str] | None = None) -> None:
    """Tell Ray of token and certificates, and to tell nobody of us; before it is imported.

    Raises :class:`~asr_daemon.errors.ClusterAwayError` where a file of them cannot be read.
    """
    environment = os.environ if environment is None else environment
    environment["RAY_USAGE_STATS_ENABLED"] = "0"
    environment["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    environment["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a lost connection would end in a cluster on this machine
    environment["RAY_CLIENT_RECONNECT_GRACE_PERIOD"] = "10"  # as long as a lease: calls wait until then
    if section.token_file is not None:
        _require_readable("token_file", section.token_file)
        environment["RAY_AUTH_MODE"] = "token"
        environment["RAY_AUTH_TOKEN_PATH"] = os.fspath(section.token_file)
        environment.pop("RAY_AUTH_TOKEN", None)
    files = {
        "tls_ca": ("RAY_TLS_CA_CERT", section.tls_ca),
        "tls_certificate": ("RAY_TLS_SERVER_CERT", section.tls_certificate),
        "tls_key": ("RAY_TLS_SERVER_KEY", section.tls_key),
    }
    for key, (name, path) in files.items():
        if path is not None:
            _require_readable(key, path)
            environment["RAY_USE_TLS"] = "1"
            environment[name] = os.fspath(path)


def require_guard(section: ClusterSection) -> None:
    """Ask the cluster's port as anybody could, then with our token.

    Raises :class:`~asr_daemon.errors.ClusterAwayError` where it answers anybody, or not us.
    """
    address, question = section.endpoint, question_of(section)
    if not section.is_guarded and not section.insecure:
        raise ClusterAwayError(OPEN.format(address=address))
    heard, _ = hear(question, as_anybody=True)
    if heard == "silent":
        if section.tls_ca is None:
            raise ClusterAwayError(
                f"What answers at {address} speaks TLS, or is no Ray: name its certificates as "
                "cluster.tls_ca, tls_certificate and tls_key."
            )
        return
    if heard != "refused" and not section.insecure:
        raise ClusterAwayError(OPEN.format(address=address))
    if section.tls_ca is not None:
        raise ClusterAwayError(
            f"Ray at {address} does not speak TLS: start it with RAY_USE_TLS=1 on every machine, or leave "
            "cluster.tls_ca, tls_certificate and tls_key empty."
        )
    if heard == "refused" and hear(question)[0] == "refused":
        raise ClusterAwayError(
            f"Ray at {address} refuses our token: cluster.token_file is to name the one it was started with."
        )


def _require_readable(key: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ClusterAwayError(f"cluster.{key}: {path} cannot be read: {error.strerror}.") from None
