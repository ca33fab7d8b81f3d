"""Mail, ntfy and whatever else apprise knows: sent in a process of its own, which is ended after a time.

apprise waits for whoever it speaks to, and imports a hundred modules; neither is done in the gateway. The
child is given the address on its standard input, so that no list of processes shows it, and answers with
one line of JSON. It is run as ``python -m asr_daemon.gateway.notifications.apprise_child``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from asr_daemon.gateway.notifications.errors import NotSentError
from asr_daemon.printable import printable

if TYPE_CHECKING:
    from asr_daemon.gateway.notifications.address import Address
    from asr_daemon.gateway.notifications.wording import Message

PROGRAM = ("-m", "asr_daemon.gateway.notifications.apprise_child")
WITHIN_S = 30.0
MOST_BYTES = 3000  # of a text: what most of its services take in one piece
MOST_SAID_CHARS = 300
_AT_ONCE = 2  # processes


class AppriseSender:
    """Starts a child for each message, few at a time."""

    def __init__(self, program: tuple[str, ...] = PROGRAM, within_s: float = WITHIN_S) -> None:
        self._program = program
        self._within_s = within_s
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def send(self, address: Address, message: Message) -> str:
        """Send; return what was said, raise :class:`NotSentError` where it was not taken."""
        body = message.text.partition("\n")[2] or message.text
        asked = {"url": address.url, "title": message.title, "body": body}
        async with self._free:
            answer = await self._ask(json.dumps(asked).encode())
        said = address.without_secrets(printable(str(answer.get("said", ""))))[:MOST_SAID_CHARS]
        if answer.get("sent") is not True:
            raise NotSentError(said or "apprise could not send it")
        return said

    async def _ask(self, asked: bytes) -> dict[str, Any]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            told, _ = await asyncio.wait_for(child.communicate(asked), self._within_s)
            answer = json.loads(told)
        except asyncio.TimeoutError:
            raise NotSentError(f"apprise had not sent it within {self._within_s:.0f} s") from None
        except ValueError:
            raise NotSentError("apprise failed") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return answer if isinstance(answer, dict) else {}


class _Heard(logging.Handler):
    """Keeps what apprise complains of: it returns no more than yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = record.getMessage()


def send_by_apprise(asked: dict[str, Any]) -> dict[str, Any]:
    """Send one message in this process."""
    import apprise  # noqa: PLC0415 (only here)

    heard = _Heard()
    apprise.logger.addHandler(heard)
    asset = apprise.AppriseAsset(async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY)
    sender = apprise.Apprise(asset=asset)
    if not sender.add(asked["url"]):
        return {"sent": False, "said": "apprise knows no such address"}
    if asked.get("only_look"):
        return {"sent": True, "said": sender[0].service_name and str(sender[0].service_name)}
    is_sent = sender.notify(title=asked["title"], body=asked["body"], body_format=apprise.NotifyFormat.TEXT)
    name = str(sender[0].service_name)
    return {"sent": bool(is_sent), "said": f"{name} took it" if is_sent else heard.said or f"{name} did not"}


def main() -> None:
    """Read what is asked, answer."""
    answer = send_by_apprise(json.load(sys.stdin))
    os.write(1, json.dumps(answer).encode())


if __name__ == "__main__":
    main()
