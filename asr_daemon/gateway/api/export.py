"""Several recordings in one file: their transcripts (zip), a table (csv), or everything (json)."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import zipfile
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter
from starlette.responses import StreamingResponse

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (FastAPI reads the annotations)
from asr_daemon.printable import harmless_cell, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import IO

    from asr_daemon.gateway.daemon_client import DaemonClient

router = APIRouter(tags=["recordings"])

Numbers = Annotated[list[Annotated[int, Query(ge=1, le=(1 << 63) - 1)]], Query(min_length=1, max_length=200)]
IN_MEMORY_BYTES = 4 << 20  # more of it lies in the gateway's temporary folder
BLOCK_BYTES = 64 << 10
Kind = Literal["txt", "srt", "vtt", "json", "md", "docx"]
IN_ZIP: tuple[Kind, ...] = ("txt", "srt")
COLUMNS = ("id", "inbox", "path", "state", "written_at", "duration_s", "text")
MEDIA = {"zip": "application/zip", "csv": "text/csv; charset=utf-8", "json": "application/json"}
_DETAIL = TypeAdapter(m.RecordingDetail)


@router.get("/export", response_class=Response)
def export(
    daemon: Daemon,
    secret: Secret,
    id: Numbers,  # noqa: A002
    format: Literal["zip", "csv", "json"] = "zip",  # noqa: A002
    kind: Annotated[tuple[Kind, ...], Query(description="What is in the zip.")] = IN_ZIP,
) -> Response:
    """Return recordings in one file; those without a transcript are in csv and json alone."""
    numbers = tuple(dict.fromkeys(id))
    file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 (closed when it is sent)
    try:
        if format == "zip":
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                _fill(archive, daemon, secret, numbers, tuple(dict.fromkeys(kind)))
        else:
            details = (daemon.ask(m.RecordingDetail, m.GetRecording(number), secret) for number in numbers)
            file.writelines(_csv(details) if format == "csv" else _json(details))
        length = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = {
        "Content-Disposition": f'attachment; filename="transcripts.{format}"',
        "Content-Length": str(length),
    }
    return StreamingResponse(_blocks(file), headers=headers, media_type=MEDIA[format])


def _csv(details: Iterable[m.RecordingDetail]) -> Iterator[bytes]:
    """Yield a table that Excel opens as UTF-8, a row at a time."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    yield b"\xef\xbb\xbf" + out.getvalue().encode()
    for detail in details:
        out.seek(0)
        out.truncate()
        row = detail.recording
        length_s = "" if row.duration_ms is None else f"{row.duration_ms / 1000:.1f}"
        text = "\n".join(passage.text for passage in detail.passages)
        cells = (row.inbox, row.path, row.state, row.written_at or "", length_s, text)
        writer.writerow((row.id, *map(harmless_cell, cells)))
        yield out.getvalue().encode("utf-8", "replace")


def _json(details: Iterable[m.RecordingDetail]) -> Iterator[bytes]:
    """Yield one object, a recording at a time."""
    between = b'{"recordings": ['
    for detail in details:
        yield between + _DETAIL.dump_json(detail)
        between = b", "
    yield b"]}"


def _fill(
    archive: zipfile.ZipFile, daemon: DaemonClient, secret: str, numbers: Sequence[int], kinds: Sequence[Kind]
) -> None:
    taken: set[str] = set()
    for number in numbers:
        for kind in kinds:
            asked = m.GetTranscript(number, kind)
            try:
                rendered, descriptor = daemon.ask_for_descriptor(m.Rendered, asked, secret)
            except AnsweredError as error:
                if error.refusal.code == "conflict":  # it has no transcript yet
                    break
                raise
            name = printable(rendered.name).replace("/", "_").replace("\\", "_")
            if name in taken:
                name = f"{number} {name}"
            taken.add(name)
            if descriptor is None:
                archive.writestr(name, rendered.text.encode("utf-8", "replace"))
                continue
            with os.fdopen(descriptor, "rb") as file:  # Word's is no text
                file.seek(0)
                archive.writestr(name, file.read())


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK_BYTES):
            yield block
