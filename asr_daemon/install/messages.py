"""What the gateway's unit gets for messages: the files of their addresses, and the way out to the network.

Where nothing is to be sent and it listens on this machine alone, its unit reaches nobody else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.config_sections import GatewaySection

# A name that systemd takes for a credential, and a path that needs no quoting there.
_CREDENTIAL = re.compile(r"[A-Za-z0-9_.-]+")
_PLAIN = re.compile(r"/[^\s:%\"'\\]*")


def message_lines(config: Config, section: GatewaySection) -> Iterator[str]:
    """Yield lines of the drop-in's ``[Service]``."""
    paths = [path for each in config.notify for path in each.secret_files]
    yield from credential_lines(paths, "Addresses of messages, and their secrets")
    if not config.notify and section.listens_here:
        yield "# It listens on this machine, and has no [[notify]]: it reaches nobody else."
        yield "IPAddressDeny=any"
        yield "IPAddressAllow=localhost"


def credential_lines(paths: Sequence[Path], what: str) -> Iterator[str]:
    """Yield the lines that hand files over which only root may read."""
    given = [path for path in dict.fromkeys(paths) if is_credential(path)]
    if given:
        yield f"# {what}: root's files, for this process alone."
    yield from map(credential_line, given)


def credential_line(path: Path) -> str:
    """Return the line that hands a file over."""
    return f"LoadCredential={path.name}:{path}"


def is_credential(path: Path) -> bool:
    """Return whether systemd can hand it over: where it is not there, the unit would not start."""
    return bool(_CREDENTIAL.fullmatch(path.name) and _PLAIN.fullmatch(str(path))) and path.is_file()
