"""``check``: configuration and environment, every problem at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.cli.in_force import config_in_force
from asr_daemon.errors import ConfigurationError
from asr_daemon.printable import json_text, printable

if TYPE_CHECKING:
    from asr_daemon.doctor import Finding

MARKS = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def check(context: Context, as_json: bool) -> int:
    """Look at configuration and environment; name every problem with its key and its fix.

    As root it tries what the installed service's user may do. Ends with 2 when the configuration is wrong,
    with 1 when the environment is; warnings end with 0.
    """
    from asr_daemon.doctor import Finding, examine  # noqa: PLC0415

    try:
        findings = examine(context.config_as_caller(), context.found_path and context.found_path.absolute())
        code = 1 if any(finding.level == "error" for finding in findings) else 0
    except ConfigurationError as error:
        findings = [Finding("error", "configuration", problem) for problem in error.problems]
        findings += _running(context)
        code = 2
    if as_json:
        click.echo(json_text([asdict(finding) for finding in findings], indent=2))
        return code
    click.echo(f"configuration: {context.found_path or 'none, the defaults hold'}")
    for finding in findings:
        fix = f" -> {finding.fix}" if finding.fix else ""
        click.echo(MARKS[finding.level] + printable(f" {finding.key}: {finding.text}{fix}"))
    return code


def _running(context: Context) -> list[Finding]:
    """Say what holds while the file is wrong."""
    from asr_daemon.doctor import Finding  # noqa: PLC0415

    if config_in_force(context.found_path) is None:
        return [Finding("error", "service", "no daemon runs, and none would start with this configuration")]
    text = "a daemon runs with the configuration that it read before, and would not start again"
    return [Finding("warning", "service", text, "mend the file, then systemctl reload asr-daemon")]


COMMANDS = (check,)
