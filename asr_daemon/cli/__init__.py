"""The command line. Each module holds commands of one kind; ``main`` gathers them.

Errors are one clear sentence on stderr, no traceback (``--debug`` shows it). Exit codes: 0 done; 1 something
failed; 2 usage or configuration; 75 another daemon holds the state folder.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click

from asr_daemon.cli.context import Context
from asr_daemon.cli.utf8 import speak_utf8
from asr_daemon.errors import AsrDaemonError, ConfigurationError, OperatorError
from asr_daemon.files.owner import name_of
from asr_daemon.printable import printable
from asr_daemon.service.time_zone import take_zones

MODULES = {
    **dict.fromkeys(("run", "serve", "demo"), "run"),
    "bridge": "bridge",
    "transcribe": "transcribe",
    "live": "live",
    **dict.fromkeys(("status", "history", "search", "show"), "look"),
    **dict.fromkeys(("retry", "cancel", "pause", "resume", "reload", "backup"), "steer"),
    "forget": "forget",
    "hotwords": "hotwords",
    "speakers": "speakers",
    "models": "models",
    "check": "check",
    "healthcheck": "healthcheck",
    "itn": "itn",
    "access": "access",
    **dict.fromkeys(("install", "uninstall"), "service"),
    "notify": "notify",
    "container": "container",
}


class Commands(click.Group):
    """The commands by name; the module of one is imported when it is asked for: `healthcheck` runs often."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, as the help shows them."""
        return sorted({*MODULES, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        if cmd_name in MODULES:
            module = importlib.import_module(f"asr_daemon.cli.{MODULES[cmd_name]}")
            for command in module.COMMANDS:
                self.add_command(command)
        return super().get_command(ctx, cmd_name)


def _show_versions(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Print the versions and end; a configuration with problems is named, the defaults then answer."""
    if not wanted or context.resilient_parsing:
        return
    from asr_daemon.cli.versions import version_text  # noqa: PLC0415 (rarely wanted)
    from asr_daemon.config import Config  # noqa: PLC0415

    try:
        config = Context(context.params.get("config_path")).config()
    except ConfigurationError as error:
        click.echo(f"asr-daemon: {printable(str(error), lines=True)}", err=True)
        config = Config()
    click.echo(printable(version_text(config), lines=True))
    context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,  # read before --version, wherever it stands
    help="The configuration. Without it: $ASR_DAEMON_CONFIG, /etc/asr-daemon/config.toml, then the defaults.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    callback=_show_versions,
    help="Show the versions of this program, of what it uses, and the model.",
)
@click.pass_context
def cli(context: click.Context, config_path: Path | None, debug: bool) -> None:
    """Watch folders and write beside every recording its transcript.

    Everything stays on this machine. `asr-daemon demo` shows the whole way on sample recordings.
    """
    context.obj = Context(config_path=config_path, debug=debug)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    speak_utf8()
    take_zones()
    debug = "--debug" in sys.argv
    try:
        code = cli.main(prog_name="asr-daemon", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # `asr-daemon history | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except AsrDaemonError as error:
        if debug:
            raise
        click.echo(f"asr-daemon: {printable(str(error), lines=True)}", err=True)
        sys.exit(error.exit_code if isinstance(error, OperatorError) else 1)
    except PermissionError as error:  # of whoever the command is: see Context.config
        if debug:
            raise
        who, what = name_of(os.geteuid()), printable(str(error.filename))
        click.echo(f"asr-daemon: {what} is closed to the user {who}: {error.strerror}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
