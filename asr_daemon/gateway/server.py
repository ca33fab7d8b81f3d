"""The gateway's process: listens, serves until it is told to stop."""

from __future__ import annotations

import signal
import ssl
from typing import TYPE_CHECKING

import structlog
import uvicorn

from asr_daemon.errors import OperatorError
from asr_daemon.gateway.app import create_app

if TYPE_CHECKING:
    from typing import Any

    from asr_daemon.config import Config, GatewaySection

log = structlog.get_logger()

STOP_WITHIN_S = 5
MOST_CONNECTIONS = 1000


def serve_gateway(config: Config, section: GatewaySection) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises :class:`~asr_daemon.errors.OperatorError` where certificate or address cannot be had.
    """
    settings = uvicorn.Config(
        create_app(config, section),
        **_address(section.listen),
        ssl_certfile=section.tls_certificate,
        ssl_keyfile=section.tls_key,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    try:
        settings.load()
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"gateway.tls_certificate and tls_key cannot be used: {error}") from error
    server = uvicorn.Server(settings)
    for number in (signal.SIGTERM, signal.SIGINT):  # which uvicorn raises once more when it has ended
        signal.signal(number, lambda _number, _frame: None)
    log.info("gateway_started", listen=section.listen, tls=section.tls_certificate is not None)
    try:
        server.run()
    except SystemExit:  # uvicorn's word for an address that it cannot have
        told = f"gateway.listen: {section.listen} cannot be listened at; is another program there?"
        raise OperatorError(told) from None
    log.info("gateway_stopped")


def _address(listen: str) -> dict[str, Any]:
    kind, _, path = listen.partition(":")
    if kind == "unix":
        return {"uds": path}
    host, _, port = listen.rpartition(":")
    return {"host": host.strip("[]"), "port": int(port)}
