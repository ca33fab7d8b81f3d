"""``models``: what lies in the models folder, bringing models there, and whether they are what they were."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from asr_daemon.cli.context import Context, with_config
from asr_daemon.clock import Clock
from asr_daemon.errors import ModelMissingError, OperatorError, UsageError
from asr_daemon.files.home import expanded
from asr_daemon.files.owner import for_caller
from asr_daemon.models.catalogue import BUILTIN_FOLDER, BUILTIN_NAME, find_folder
from asr_daemon.models.code import code_asked_for
from asr_daemon.models.known import HUBS, KNOWN, find_known, pull_command
from asr_daemon.models.manifest import Manifest, read_manifest
from asr_daemon.models.soundness import faults, way_out
from asr_daemon.printable import json_text, printable
from asr_daemon.views.console import console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from asr_daemon.config import Config
    from asr_daemon.models.bringing import Bringer, Brought
    from asr_daemon.models.known import Hub
    from asr_daemon.models.overview import Entry

_path = click.Path(path_type=Path)
_force = click.option("--force", is_flag=True, help="Replace what is there, also what was placed by hand.")


def _models_folder(config: Config) -> Path:
    return config.models_dir


@click.group()
def models() -> None:
    """See, fetch, verify and carry models. The daemon itself never asks a hub."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@with_config
def list_(context: Context, as_json: bool) -> None:
    """List the models that are here, and those that could be pulled. Contents are not read: see `verify`."""
    from asr_daemon.models.overview import overview  # noqa: PLC0415

    config = context.config(_models_folder)
    entries = overview(config)
    if as_json:
        click.echo(json_text([asdict(entry) for entry in entries], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("model", "family", "size", "state", "in use for", "good at"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        size = f"{'about ' if entry.state == 'absent' else ''}{entry.size_bytes / 1e6:,.0f} MB"
        row = (entry.name, entry.family, size, _shown_state(entry), entry.used_for, entry.good_at)
        table.add_row(*map(printable, row))
    console().print(table, markup=False)
    _echo(f"models folder: {config.models_dir}")


def _shown_state(entry: Entry) -> str:
    match entry.state:
        case "absent":
            return f"not here: {pull_command(entry.name)}"
        case "unverified":
            return f"unverified, placed by hand: asr-daemon models adopt {entry.name}"
        case "damaged":
            return f"DAMAGED: {entry.problem}"
    date, _, _ = entry.written_at.partition("T")
    return "comes with asr-daemon" if entry.is_builtin else f"{entry.origin}, {date}"


@models.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--hub", type=click.Choice(HUBS), default="modelscope", show_default=True, help="Where to fetch it."
)
@click.option("--from", "source", type=_path, help="A folder or an archive, in place of a hub.")
@click.option("--revision", default="", help="Another revision than this release knows, at your own risk.")
@_force
@with_config
def pull(
    context: Context, names: tuple[str, ...], hub: Hub, source: Path | None, revision: str, force: bool
) -> None:
    """Fetch models into the models folder, verified. Interrupted downloads resume.

    Known names: paraformer-zh, sensevoice-small, fun-asr-nano-2512, fsmn-vad, ct-punc, cam++.
    """
    if (source or revision) and len(names) > 1:
        raise UsageError("--from and --revision belong to one model")
    config = context.config(_models_folder)
    for name in names:
        with _bringer(config, name, force=force) as bringer:
            if source is not None:
                _say(bringer.bring(source, name))
                continue
            known = find_known(name)
            if known is None:
                raise UsageError(f"{name} is not known; known: {', '.join(each.name for each in KNOWN)}")
            try:
                brought = bringer.pull(known, hub, revision)
            except OperatorError as error:
                raise OperatorError(
                    f"{error}. {_OTHER_WAYS}" if _is_fetching(error) else str(error)
                ) from error
        _say(brought)


_OTHER_WAYS = (
    "Without network: `asr-daemon models export NAME FILE.tar` on a machine that has it, then here "
    "`asr-daemon models import FILE.tar`, or `models pull NAME --from FOLDER`"
)


def _is_fetching(error: OperatorError) -> bool:
    from asr_daemon.models.fetching import FetchError  # noqa: PLC0415

    return isinstance(error, FetchError)


@models.command("import")
@click.argument("paths", metavar="FILE...", type=_path, nargs=-1, required=True)
@_force
@with_config
def import_(context: Context, paths: tuple[Path, ...], force: bool) -> None:
    """Take models from archives that `export` wrote, or from folders. Each keeps its name."""
    config = context.config(_models_folder)
    for path in paths:
        with _bringer(config, path.name, force=force) as bringer:
            brought = bringer.bring(path)
        _say(brought)


@models.command()
@click.argument("name")
@click.argument("file", type=_path)
@with_config
def export(context: Context, name: str, file: Path) -> None:
    """Write a model as one tar file, for a machine without network. It is verified first."""
    from asr_daemon.models.archives import pack  # noqa: PLC0415
    from asr_daemon.models.store import disk_sentences  # noqa: PLC0415

    folder = _there(context.config(_models_folder), name)
    manifest = _manifest(folder)
    if manifest is None:
        raise OperatorError(f"{folder} was placed by hand: `asr-daemon models adopt {name}` first")
    if fault := next(faults(folder, manifest), None):
        raise OperatorError(f"the model in {folder} is damaged: {fault}. {way_out(folder)}")
    with disk_sentences(file.absolute().parent):
        pack(folder, manifest, file.absolute())
    with for_caller(file):
        size_bytes = file.stat().st_size
    _echo(f"{file} ({size_bytes / 1e6:,.0f} MB): there, `asr-daemon models import {file.name}`")


@models.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@with_config
def verify(context: Context, names: tuple[str, ...]) -> int:
    """Compare every byte of models with their manifests (of all). Ends with 1 where one differs."""
    from asr_daemon.models.overview import overview  # noqa: PLC0415

    config = context.config(_models_folder)
    here = [Path(entry.folder) for entry in overview(config) if entry.state != "absent"]
    results = [_verify(_there(config, name)) for name in names] if names else [_verify(path) for path in here]
    return 0 if all(results) else 1


def _verify(folder: Path) -> bool:
    try:
        asked = code_asked_for(folder)
        manifest = read_manifest(folder)
    except ModelMissingError as error:
        _echo(f"{folder.name}: DAMAGED: {error} {way_out(folder)}")
        return False
    if asked:
        _echo(f"{folder.name}: REFUSED: {asked}")
        return False
    if manifest is None:
        _echo(f"{folder.name}: unverified, placed by hand: asr-daemon models adopt {folder.name}")
        return True
    found = list(faults(folder, manifest))
    if found:
        _echo(f"{folder.name}: DAMAGED: {'; '.join(map(str, found))}. {way_out(folder)}")
        return False
    size = f"{manifest.size_bytes / 1e6:,.0f} MB"
    _echo(
        f"{folder.name}: sound: {len(manifest.files)} files, {size}, as in the manifest ({manifest.origin})"
    )
    return True


@models.command()
@click.argument("name", metavar="NAME|FOLDER")
@click.option("--force", is_flag=True, help="Also where there is a manifest already.")
@with_config
def adopt(context: Context, name: str, force: bool) -> None:
    """Write a manifest of a model that was placed by hand: from now on it is held to that."""
    named = expanded(name).absolute() if "/" in name else None
    config = context.config(_models_folder if named is None else lambda _config: named)
    folder = named or _there(config, name)
    with _bringer(config, folder.name, force=force) as bringer:
        brought = bringer.adopt(folder)
    _echo(f"{brought.folder}: {len(brought.manifest.files)} files are recorded in its manifest.")


def _there(config: Config, name: str) -> Path:
    """Return the folder of a model that is here."""
    folder = BUILTIN_FOLDER if name in ("builtin", BUILTIN_NAME) else find_folder(name, config.models_dir)
    if not folder.is_dir():
        raise OperatorError(f"there is no model {name} in {config.models_dir}; see `asr-daemon models list`")
    return folder


def _manifest(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except ModelMissingError as error:
        raise OperatorError(f"{error} {way_out(folder)}") from None


class _Bar:
    """A progress bar that hears of bytes."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task(printable(name), total=None)

    def begin(self, total_bytes: int) -> None:
        self._progress.update(self._task, total=total_bytes)

    def add(self, count_bytes: int) -> None:
        self._progress.advance(self._task, count_bytes)


@contextlib.contextmanager
def _bringer(config: Config, name: str, *, force: bool) -> Iterator[Bringer]:
    from asr_daemon.models.bringing import Bringer  # noqa: PLC0415 (requests: a tenth of a second)

    shown_on = console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=shown_on, transient=True, disable=not shown_on.is_terminal) as progress:
        yield Bringer(config.models_dir, Clock().now, _Bar(progress, name), force=force)


def _echo(sentence: str) -> None:
    """Print a sentence that tells of a folder: its name, and what its files say, may be anybody's."""
    click.echo(printable(sentence))


def _say(brought: Brought) -> None:
    manifest = brought.manifest
    done = "is here already" if brought.was_there else "is here"
    _echo(f"{manifest.name} {done}, verified: {manifest.size_bytes / 1e6:,.0f} MB in {brought.folder}")


COMMANDS = (models,)
