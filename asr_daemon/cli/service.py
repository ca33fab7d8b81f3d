"""``install``, ``uninstall``: making a systemd service of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.config import SYSTEM_CONFIG

if TYPE_CHECKING:
    from asr_daemon.install import StepRecord

_user = click.option(
    "--user", metavar="NAME", default="asr-daemon", show_default=True, help="The service's system user."
)
_prefix = click.option(
    "--prefix",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/"),
    help="Write the files below this folder and run nothing: for an image or a package.",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


@click.command()
@_user
@_prefix
@_dry_run
@_json
@with_config
def install(context: Context, user: str, prefix: Path, dry_run: bool, as_json: bool) -> None:
    """Make a systemd service of this environment: user, folders, configuration, unit. Needs root.

    Run it again after inboxes came or went, and after an upgrade: it renews the unit and what the service may
    write, keeps the configuration, and backs the history up first. RESTART: a service runs that does not see
    these changes yet (with --json: "restart_needed").
    """
    from asr_daemon.install import Installation, install  # noqa: PLC0415

    path = (context.config_path or SYSTEM_CONFIG).absolute()
    wanted = Installation(user=user, root=prefix.absolute(), config_path=path, dry_run=dry_run)
    _show(install(wanted), as_json=as_json)


@click.command()
@_user
@_prefix
@_dry_run
@_json
def uninstall(user: str, prefix: Path, dry_run: bool, as_json: bool) -> None:
    """Stop the service and remove its unit. History, backups, configuration and user stay. Needs root."""
    from asr_daemon.install import Installation, uninstall  # noqa: PLC0415

    _show(uninstall(Installation(user=user, root=prefix.absolute(), dry_run=dry_run)), as_json=as_json)


def _show(records: list[StepRecord], *, as_json: bool) -> None:
    from asr_daemon.install import Outcome  # noqa: PLC0415

    if as_json:
        told = {
            "restart_needed": any(record.outcome is Outcome.RESTART for record in records),
            "steps": [{"outcome": record.outcome.value, "what": record.what} for record in records],
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for record in records:
        click.echo(f"{record.outcome.value:<10} {record.what}")


COMMANDS = (install, uninstall)
