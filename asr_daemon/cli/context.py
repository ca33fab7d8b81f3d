"""What every command needs: the configuration, and a way to the daemon or to one's own."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from asr_daemon.cli.in_force import config_in_force
from asr_daemon.config import Config, find_config, load_config
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.errors import ConfigurationError
from asr_daemon.telemetry import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.control.commands import Commands
    from asr_daemon.control.socket import Answer

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(slots=True)
class Context:
    """The options that stand before, or behind, the command's name."""

    config_path: Path | None
    debug: bool = False
    known: Config | None = None

    @property
    def found_path(self) -> Path | None:
        """The configuration file in force; None: the defaults."""
        return find_config(self.config_path)

    def config(self) -> Config:
        """Return the configuration; raises :class:`~asr_daemon.errors.ConfigurationError`."""
        return load_config(self.found_path)

    def config_in_force(self) -> Config:
        """Return the same for looking and steering: where it has problems, that of the running daemon."""
        if self.known is None:
            try:
                self.known = self.config()
            except ConfigurationError as error:
                self.known = config_in_force(self.found_path)
                if self.known is None:
                    raise
                click.echo(
                    f"asr-daemon: {error}\nasr-daemon: the running daemon goes on with what it read before; "
                    "it would not start again",
                    err=True,
                )
        return self.known

    def steer(self, command: str, **arguments: Any) -> Answer:
        """Ask the running daemon; with none running take the lock and do it here."""
        config = self.config_in_force()
        try:
            return ask(config.socket_path, command, **arguments)
        except NotRunningError:
            with self.own_commands(config) as commands:
                return commands.answer({"command": command, **arguments})

    @contextlib.contextmanager
    def own_commands(self, config: Config) -> Iterator[Commands]:
        """Hold the state folder for the length of a command, without watching or recognising."""
        from asr_daemon.daemon import Daemon  # noqa: PLC0415 (commands that only look stay quick)

        log.configure("console", "warning")
        daemon = Daemon(config, self.found_path)
        daemon.open()
        try:
            yield daemon.commands
        finally:
            daemon.close()


def with_config(command: F) -> F:
    """Give a command ``-c`` and ``--debug`` of its own, so that they may stand behind its name too."""

    @click.option(
        "-c",
        "--config",
        "own_config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The configuration.",
    )
    @click.option("--debug", "own_debug", is_flag=True, help="Show the traceback of an error.")
    @click.pass_obj
    @functools.wraps(command)
    def wrapped(context: Context, /, own_config: Path | None, own_debug: bool, **arguments: Any) -> Any:
        context.config_path = own_config or context.config_path
        context.debug = context.debug or own_debug
        return command(context, **arguments)

    return wrapped  # type: ignore[return-value]
