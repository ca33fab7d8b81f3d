"""What every command needs: the configuration, and a way to the daemon or to one's own."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import asr_daemon
from asr_daemon.cli.in_force import config_in_force
from asr_daemon.config import Config, find_config, load_config
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.errors import ConfigurationError
from asr_daemon.files.owner import as_caller, become_for_good, become_owner_of, owner_of
from asr_daemon.telemetry import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.control.commands import Commands
    from asr_daemon.control.socket import Answer

OTHER_PROCESSES = tuple(
    f"asr_daemon.{name}" for name in ("recogniser", "grouping", "gateway", "cluster", "hotwords.seaco")
)
F = TypeVar("F", bound="Callable[..., Any]")


def _state_folder(config: Config) -> Path:
    return config.state_dir


def _may_import() -> bool:
    """Return whether the effective user may read this program and its libraries, as the service's must."""
    places = (os.__file__, click.__file__, asr_daemon.__file__)
    return all(os.access(place, os.R_OK, effective_ids=True) for place in places)


def _import_everything() -> None:
    """Import what commands would import on their way; other processes import their own parts."""
    for module in pkgutil.walk_packages(asr_daemon.__path__, "asr_daemon."):
        if not module.name.startswith(OTHER_PROCESSES) and not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    for name in ("encodings.ascii", "encodings.latin_1", "encodings.utf_8_sig", "_strptime"):
        importlib.import_module(name)


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

    def config(self, place: Callable[[Config], Path] = _state_folder) -> Config:
        """Return the configuration; from now on the command is the user who rules in the folder it needs.

        Only root's commands change: whoever may write into the service's folder must not have root follow its
        links there, nor root make files that the service could not use. What the caller named is opened
        :func:`~asr_daemon.files.owner.as_caller`. Raises :class:`~asr_daemon.errors.ConfigurationError`.
        """
        config = self.config_as_caller()
        self.act_for_owner_of(place(config))
        return config

    def config_as_caller(self) -> Config:
        """Return the configuration, for what does nothing in the service's folders or goes on as root."""
        with as_caller():
            return load_config(self.found_path)

    def act_for_owner_of(self, folder: Path) -> None:
        """Be the user who rules in that folder from now on, where the caller is root."""
        if os.geteuid() != 0 or (owner := owner_of(folder)) is None:
            return
        from asr_daemon.doctor.finding import Machine  # noqa: PLC0415 (rarely wanted)
        from asr_daemon.doctor.service import service_user  # noqa: PLC0415

        service = service_user(self.found_path and self.found_path.absolute(), Machine())
        groups = service.group_numbers() if service.name == owner.name else ()
        if become_owner_of(folder, groups) is not None and not _may_import():
            with as_caller():
                _import_everything()

    def config_in_force(self) -> Config:
        """Return the same for looking and steering: where it has problems, that of the running daemon."""
        if self.known is None:
            try:
                self.known = self.config()
            except ConfigurationError as error:
                self.known = config_in_force(self.found_path)
                if self.known is None:
                    raise
                self.act_for_owner_of(self.known.state_dir)
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
        from asr_daemon.life import Daemon  # noqa: PLC0415 (commands that only look stay quick)

        become_for_good()
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
