"""``access``: who may use the gateway. Tokens are printed once and kept nowhere."""

from __future__ import annotations

import json

import click

from asr_daemon.access import EVERY_INBOX, parse_rights
from asr_daemon.cli.context import Context, with_config
from asr_daemon.errors import UsageError


@click.group()
def access() -> None:
    """Who may use the gateway: add, list, remove."""


@access.command("add")
@click.argument("name")
@click.option(
    "--inbox", "inboxes", metavar="NAME", multiple=True, help="An inbox; may be given several times."
)
@click.option("--every-inbox", is_flag=True, help="All inboxes, also those to come.")
@click.option(
    "--may",
    "rights",
    metavar="RIGHTS",
    default="read",
    show_default=True,
    help="Of read, upload, edit and operate, with commas between.",
)
@with_config
def add(context: Context, name: str, inboxes: tuple[str, ...], every_inbox: bool, rights: str) -> None:
    """Let somebody in, by a token that is printed once: a person, a department or a program."""
    if bool(inboxes) == every_inbox:
        raise UsageError("name inboxes with --inbox, or take --every-inbox")
    parse_rights(rights)
    wanted = [EVERY_INBOX] if every_inbox else list(inboxes)
    answer = context.steer("access_add", name=name, inboxes=wanted, rights=rights)
    click.echo(answer["token"])
    click.echo(f"asr-daemon: this token of {name!r} is shown this once; hand it over by a safe way", err=True)


@access.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def list_(context: Context, as_json: bool) -> None:
    """List who may do what."""
    accesses = context.steer("access_list")["accesses"]
    if as_json:
        click.echo(json.dumps(accesses, ensure_ascii=False, indent=2))
        return
    for each in accesses:
        inboxes = "every inbox" if EVERY_INBOX in each["inboxes"] else ", ".join(each["inboxes"])
        used = each["used_at"] or "never used"
        click.echo(f"{each['name']}: {', '.join(each['rights'])} in {inboxes} ({used})")
    if not accesses:
        click.echo("Nobody may use the gateway yet; `asr-daemon access add NAME --inbox N` lets somebody in.")


@access.command("remove")
@click.argument("name")
@with_config
def remove(context: Context, name: str) -> None:
    """Let somebody in no more; whoever is logged in with it is out at once."""
    context.steer("access_remove", name=name)
    click.echo(f"{name} is let in no more.")


COMMANDS = (access,)
