"""What the gateway's unit gets for messages, and what `check` says of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from receivers import SECRET, TOKEN
from way import OpenDaemon

from asr_daemon.config import Config
from asr_daemon.config_sections import GatewaySection
from asr_daemon.doctor.finding import Machine
from asr_daemon.doctor.notify import look_at_notify
from asr_daemon.install.messages import message_lines

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.doctor.finding import Finding


def config_with(folder: Path, *notify: dict[str, Any], **gateway: Any) -> Config:
    """Return a configuration."""
    tree = {"daemon": {"state_dir": folder / "state"}, "gateway": gateway, "notify": notify}
    return Config.model_validate(tree)


def lines(config: Config) -> list[str]:
    """Return what stands in the unit's drop-in."""
    return [line for line in message_lines(config, config.gateway or GatewaySection()) if line[0] != "#"]


def test_files_of_addresses_are_credentials_and_the_way_out_is_open(tmp_path: Path) -> None:
    """Those that are there: with one that is not, the unit would not start."""
    for name in ("a.url", "a.secret"):
        (tmp_path / name).write_text("x")
    first = {"name": "a", "url_file": tmp_path / "a.url", "secret_file": tmp_path / "a.secret"}
    config = config_with(tmp_path, first, {"name": "b", "url_file": tmp_path / "b.url"})
    assert lines(config) == [
        f"LoadCredential=a.url:{tmp_path}/a.url",
        f"LoadCredential=a.secret:{tmp_path}/a.secret",
    ]


def test_without_messages_a_gateway_of_this_machine_reaches_nobody_else(tmp_path: Path) -> None:
    """One that others reach has to answer them."""
    assert lines(config_with(tmp_path)) == ["IPAddressDeny=any", "IPAddressAllow=localhost"]
    assert lines(config_with(tmp_path, listen="0.0.0.0:8760")) == []
    wanted = {
        "127.0.0.1:1": True,
        "[::1]:1": True,
        "localhost:1": True,
        "unix:/run/x": True,
        "10.0.0.1:1": False,
    }
    assert {listen: GatewaySection(listen=listen).listens_here for listen in wanted} == wanted


def findings(config: Config, path: Path | None = None) -> list[Finding]:
    """Return what `check` says of messages, of a machine without the service."""
    return list(look_at_notify(config, path, Machine(root=config.state_dir, run=lambda *_: None)))


@pytest.mark.parametrize(
    ("content", "mode", "level", "said"),
    [
        (f"feishu://{TOKEN}", 0o600, "ok", "Feishu, of failed"),
        (f"feishu://{TOKEN}", 0o644, "warning", "can be read by everybody"),
        (f"https://user:{SECRET}@a.example/", 0o600, "error", "without a user"),
        ("", 0o600, "error", "is empty"),
        (None, 0, "error", "cannot be read: No such file"),
    ],
)
def test_check_looks_at_an_address_and_tells_nothing_of_it(
    tmp_path: Path, content: str | None, mode: int, level: str, said: str
) -> None:
    """Its kind, who may read it, and what is wrong with it."""
    file = tmp_path / "a.url"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    found = findings(config_with(tmp_path, {"name": "a", "url_file": file, "on": ["failed"]}))
    assert any((each.level == level and said in each.text) for each in found), found
    assert TOKEN not in str(found)
    assert SECRET not in str(found)


def test_check_asks_apprise_whether_it_knows_an_address(tmp_path: Path) -> None:
    """In a child; what it does not know is told without the address."""
    known = {"name": "a", "url": "ntfy://host.example/topic", "on": ["failed"]}
    unknown = {"name": "b", "url": f"nosuch://{TOKEN}"}
    first, second = findings(config_with(tmp_path, known, unknown))
    assert (first.level, first.text) == ("ok", "ntfy, of failed")
    assert (second.level, second.text) == ("error", "apprise knows no such address")


def test_check_warns_of_addresses_in_a_file_for_everybody(tmp_path: Path) -> None:
    """The configuration itself."""
    path = tmp_path / "config.toml"
    path.touch(0o644)
    os.chmod(path, 0o644)  # noqa: PTH101 (whatever the umask)
    config = config_with(tmp_path, {"name": "a", "url": f"feishu://{TOKEN}"})
    assert any("which everybody can read" in each.text for each in findings(config, path))
    path.chmod(0o640)
    assert [each.level for each in findings(config, path)] == ["ok"]


def test_check_says_that_messages_wait_or_were_given_up(tmp_path: Path) -> None:
    """For a gateway that nobody configured; and what was tried for a day."""
    daemon = OpenDaemon(tmp_path)
    notify = [{"name": "a", "url": f"feishu://{TOKEN}", "on": ["blocked"]}]
    config = Config.model_validate({**daemon.config.model_dump(), "notify": notify})
    outbox = daemon.parts.upkeep.outbox
    outbox.configure(config.notify)
    outbox.announce("blocked", "queue", "no model")
    batch = outbox.due(config.notify[0].model_copy(update={"digest_s": 0}), alone=True).batch
    assert batch is not None
    outbox.settle(batch.id, is_sent=False, said="it answers 500")
    daemon.close()
    texts = [each.text for each in findings(config)]
    assert texts[0] == "messages wait: the gateway sends them, and there is no [gateway]"
    assert texts[-1] == "1 messages wait: it answers 500"
