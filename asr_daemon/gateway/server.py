"""The gateway's process: listens, tells systemd and the daemon so, serves until it is told to stop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import getpass
import os
import signal
import ssl
from typing import TYPE_CHECKING

import structlog
import uvicorn

from asr_daemon import __version__
from asr_daemon.control import messages as m
from asr_daemon.errors import OperatorError
from asr_daemon.gateway.app import create_app
from asr_daemon.gateway.bodies import Bodies
from asr_daemon.gateway.connection import MOST_CONNECTIONS, Connection, SocketConnection
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.listening import UNIX, listening, port_of
from asr_daemon.gateway.notifications.serving import Messenger
from asr_daemon.gateway.proxies import Proxies
from asr_daemon.service.sd_notify import Notifier

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.config_sections import GatewaySection
    from asr_daemon.gateway.daemon_client import DaemonClient

log = structlog.get_logger()

STOP_WITHIN_S = 5
MOST_MESSAGE_BYTES = 1 << 20  # of a WebSocket, as of FunASR's own server: one for each is held in memory
ANSWER_PING_WITHIN_S = 120.0  # a client that only speaks reads now and then
THREADS = 64  # that ask the daemon or write to the disk; each may wait for a slow share
ATTEND_AGAIN_S = 2.0  # how soon a daemon that went is looked for again


def serve_gateway(
    config: Config,
    section: GatewaySection,
    on_ready: Callable[[int], None] = lambda _port: None,
    *,
    config_path: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; ``on_ready`` is told the port (0 at a Unix socket).

    ``config_path``: the file of that configuration, in which receivers of messages may change.

    Raises :class:`~asr_daemon.errors.OperatorError` where certificate or address cannot be had.
    """
    app = create_app(config, section)
    notifier = Notifier.from_environment()

    async def sign_of_life() -> None:
        notifier.watchdog()

    proxies = Proxies(Bodies(app), section)
    settings = uvicorn.Config(
        proxies,
        http=functools.partial(Connection, trusts=proxies.trusts),  # type: ignore[arg-type]
        ws=SocketConnection,
        ws_max_size=MOST_MESSAGE_BYTES,
        ws_ping_timeout=ANSWER_PING_WITHIN_S,
        ws_per_message_deflate=False,  # sound does not become smaller, and captions are short
        ssl_certfile=section.tls_certificate,
        ssl_keyfile=section.tls_key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # believed from listed addresses alone: see proxies.py
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        callback_notify=sign_of_life,
        timeout_notify=max(1, int(notifier.watchdog_interval_s or 30)),
    )
    try:
        settings.load()
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"gateway.tls_certificate and tls_key cannot be used: {error}") from error
    for number in (signal.SIGTERM, signal.SIGINT):  # which uvicorn raises once more when it has ended
        signal.signal(number, lambda _number, _frame: None)
    with listening(section.listen) as sockets:
        port = 0 if section.listen.startswith(UNIX) else port_of(sockets)
        here = _attending(section)

        def ready() -> None:
            notifier.ready()
            log.info("gateway_started", listen=here.listen, port=port, tls=here.tls)
            on_ready(port)

        messenger = Messenger(config, config_path, app.state.daemon)
        _Server(settings, app.state.daemon, here, ready, messenger).run(sockets)
        notifier.stopping()
    log.info("gateway_stopped")


def _attending(section: GatewaySection) -> m.Attend:
    return m.Attend(
        section.listen, section.tls_certificate is not None, os.getpid(), _own_name(), __version__
    )


def _own_name() -> str:
    with contextlib.suppress(KeyError, OSError):
        return getpass.getuser()
    return str(os.geteuid())


class _Server(uvicorn.Server):
    """uvicorn's, which says when it listens, and lets the daemon know as long as it does."""

    def __init__(
        self,
        config: uvicorn.Config,
        daemon: DaemonClient,
        here: m.Attend,
        ready: Callable[[], None],
        messenger: Messenger,
    ) -> None:
        super().__init__(config)
        self._daemon = daemon
        self._here = here
        self._ready = ready
        self._messenger = messenger
        self._beside: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        workers = concurrent.futures.ThreadPoolExecutor(THREADS, "gateway")
        asyncio.get_running_loop().set_default_executor(workers)
        await super().startup(sockets)
        self._beside = [asyncio.ensure_future(each) for each in (self._attend(), self._messenger.run())]
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and say so."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await super().shutdown(sockets)

    async def _attend(self) -> None:
        problem = ""
        while True:
            try:
                async for _ in self._daemon.follow(self._here, ""):
                    problem = ""
            except AnsweredError as error:
                if problem != error.refusal.message:
                    log.warning("daemon_not_reached", problem=error.refusal.message)
                problem = error.refusal.message
            await asyncio.sleep(ATTEND_AGAIN_S)  # a daemon that starts calls nobody
