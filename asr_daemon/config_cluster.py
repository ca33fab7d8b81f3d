"""``[cluster]``: recognisers on other machines, on a Ray cluster (see ``asr_daemon.cluster``)."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (pydantic reads it)
from typing import Annotated, Literal

from pydantic import Field, model_validator

from asr_daemon.config_sections import Section
from asr_daemon.files.credentials import handed_over

MOST_RECOGNISERS = 1000
_CLIENT = "ray://"


class ClusterSection(Section):
    """The recognisers of other machines."""

    address: Annotated[str, Field(pattern=r"^(ray://)?(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):\d{1,5}$")]
    recognisers: Literal["auto"] | Annotated[int, Field(ge=1, le=MOST_RECOGNISERS, strict=True)] = "auto"
    local: bool = True  # whether this machine's own recognisers serve the queue as well
    shared_paths: bool = False  # whether the machines see the inboxes at the same paths
    token_file: Path | None = None  # Ray's token: whoever has it may run code on every machine
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False  # neither token nor TLS: whoever reaches Ray's ports runs code there
    user: str = ""  # that the bridge runs as; "": as the daemon itself
    socket: Path | None = None  # by which it meets the daemon; None: where both look for it

    @model_validator(mode="after")
    def _has_all_files_of_tls(self) -> ClusterSection:
        given = [path is not None for path in (self.tls_ca, self.tls_certificate, self.tls_key)]
        if any(given) and not all(given):
            raise ValueError(
                "tls_ca, tls_certificate and tls_key belong together: give all three, or none "
                "(both ends of Ray's TLS show a certificate)"
            )
        return self

    def as_handed_over(self) -> ClusterSection:
        """Return the section with token and certificates where systemd handed them to this process."""
        given = {
            key: handed_over(path)
            for key in ("token_file", "tls_ca", "tls_certificate", "tls_key")
            if (path := getattr(self, key)) is not None
        }
        return self.model_copy(update=given)

    @property
    def asks_client_server(self) -> bool:
        """Whether Ray's client server is asked; else the bridge joins the Ray of its own machine."""
        return self.address.startswith(_CLIENT)

    @property
    def endpoint(self) -> str:
        """Where Ray listens: "host:port"."""
        return self.address.removeprefix(_CLIENT)

    @property
    def is_guarded(self) -> bool:
        """Whether Ray's ports ask who is there."""
        return self.token_file is not None or self.tls_ca is not None
