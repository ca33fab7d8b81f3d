"""``live``: what is being spoken, as text in a terminal or as JSON for programs."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import click

from asr_daemon.cli.context import Context, with_config
from asr_daemon.control.socket import NotAnsweringError, NotRunningError, ask
from asr_daemon.errors import OperatorError, UsageError
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.printable import json_text, printable
from asr_daemon.transcripts import live as events
from asr_daemon.views.captions import Captions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config

READ_BYTES = events.BYTES_PER_S // 10
# A busy sound server's time stamps run backwards, which ffmpeg complains of.
_RENUMBERED = ("-af", "asetpts=N/SR/TB")
_RAW = ("-f", "s16le", "-ar", str(events.SAMPLE_RATE_HZ), "-ac", "1")


@click.command("live")
@click.option("--inbox", required=True, metavar="NAME", help="Whose profile: hotwords, ITN, known voices.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as things happen.")
@click.option(
    "--device",
    metavar="SOURCE",
    help="Record by ffmpeg: a PulseAudio source (`default`), or an ALSA device (`alsa:hw:1`).",
)
@with_config
def live(context: Context, inbox: str, as_json: bool, device: str | None) -> int:
    r"""Write down what is being spoken, a second behind the speaker.

    Sound comes on stdin as raw PCM, 16 bits little-endian, 16 kHz, mono:

    \b
        arecord -q -f S16_LE -r 16000 -c 1 -t raw | asr-daemon live --inbox lectures

    A running daemon listens, before what waits in its queue. Nothing is kept. The end of stdin, or Ctrl-C,
    ends it once the last words are written.
    """
    if device is None and sys.stdin.isatty():
        raise UsageError("sound is expected on stdin, as raw PCM; or name a --device to record from")
    config = context.config_in_force()
    ours, theirs = socket.socketpair()
    with ours, _sound(config, device) as source:
        with theirs:
            _ask_for_session(config, inbox, theirs, interim=as_json or sys.stdout.isatty())
        speaker = threading.Thread(target=_speak, args=(source, ours), daemon=True)
        speaker.start()
        _show(ours, as_json=as_json)
    return 0


def _ask_for_session(config: Config, inbox: str, end: socket.socket, *, interim: bool) -> None:
    config.require_inbox(inbox)
    try:
        ask(config.socket_path, "live_open", inbox=inbox, interim=interim, descriptors=[end.fileno()])
    except NotRunningError:
        raise OperatorError(
            "no daemon is running that could listen: `systemctl start asr-daemon`, or `asr-daemon run`"
        ) from None
    except NotAnsweringError as error:
        raise OperatorError(str(error)) from None


@contextlib.contextmanager
def _sound(config: Config, device: str | None) -> Iterator[int]:
    """Yield a descriptor that raw sound can be read from."""
    if device is None:
        yield sys.stdin.fileno()
        return
    kind, _, name = device.partition(":") if device.startswith(("alsa:", "pulse:")) else ("pulse", "", device)
    command = [os.fspath(find_ffmpeg(config.engine.ffmpeg)), "-nostdin", "-hide_banner", "-loglevel", "error"]
    command += ["-f", kind, "-i", name, *_RENUMBERED, *_RAW, "-"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    try:
        yield process.stdout.fileno()
    finally:
        process.kill()  # asked to end, it would complain that nobody reads
        process.stdout.close()
        code = process.wait()
    if code not in (0, 255, -signal.SIGKILL):  # 255: Ctrl-C reached it as well
        raise OperatorError(f"ffmpeg cannot record from {printable(device)}: see what it says above")


def _speak(source: int, end: socket.socket) -> None:
    """Hand on the sound as it comes, then its end."""
    with contextlib.suppress(OSError):  # the recogniser has gone: whoever reads its words hears of it
        while data := os.read(source, READ_BYTES):
            end.sendall(data)
        end.shutdown(socket.SHUT_WR)


def _show(end: socket.socket, *, as_json: bool) -> None:
    """Print what is said until its end.

    Raises :class:`~asr_daemon.errors.OperatorError` where it ended before.
    """
    captions = Captions()
    for event in _events(end):
        if as_json:
            click.echo(json_text(json.loads(events.encode(event))))
        else:
            captions.show(event)
        match event:
            case events.Ended():
                return
            case events.Failed(_, message):
                captions.close()
                raise OperatorError(message)
    captions.close()
    raise OperatorError("the recogniser was ended, and with it the session: begin again")


def _events(end: socket.socket) -> Iterator[events.Event]:
    """Yield what is said; Ctrl-C ends the sound, a second one everything."""
    rest, is_interrupted = b"", False
    with _interrupts() as interrupts:
        while True:
            ready, _, _ = select.select([end, interrupts], [], [])
            if interrupts in ready:
                interrupts.recv(1)
                if is_interrupted:
                    raise KeyboardInterrupt
                is_interrupted = True
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_WR)
            if end not in ready:
                continue
            try:
                data = end.recv(1 << 16)
            except ConnectionResetError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from map(events.decode, lines)


@contextlib.contextmanager
def _interrupts() -> Iterator[socket.socket]:
    """Yield what can be read from at every Ctrl-C.

    An exception would be missed where the signal comes in the moment before a read begins to wait.
    """
    told, teller = socket.socketpair()
    teller.setblocking(False)
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.set_wakeup_fd(teller.fileno(), warn_on_full_buffer=False)
    try:
        yield told
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, before)
        told.close()
        teller.close()


COMMANDS = (live,)
