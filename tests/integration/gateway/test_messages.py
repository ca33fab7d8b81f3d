"""Messages by the way that they go: daemon and gateway in their processes, receivers on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attack import drop, recording
from gatewayed import Gatewayed
from receivers import SECRET, TOKEN, WHSEC, Receivers

from asr_daemon.errors import OperatorError
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parents[2]


def receivers_of(receivers: Receivers) -> str:
    """Return the configuration of a webhook, whose address is in a file, and of two robots."""
    return f"""
[[notify]]
name = "hook"
url_file = "hook.url"
secret = "{WHSEC}"
on = ["done", "failed"]
allow_private = true
include_text = true
[[notify]]
name = "财务群"
url = "feishu://{TOKEN}"
secret = "{SECRET}"
on = ["failed"]
inbox = ["hr"]
digest_s = 0
[[notify]]
name = "wrong"
url = "https://oapi.dingtalk.com/robot/send?access_token=unknown{TOKEN}"
on = ["backup_failed"]
"""


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    """Return the server."""
    with Receivers() as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, receivers: Receivers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatewayed]:
    """Return both processes."""
    monkeypatch.setenv("RECEIVERS", receivers.host)
    (tmp_path / "hook.url").write_text(f"{receivers.host}/elsewhere\n")
    with Gatewayed(tmp_path, gateway=receivers_of(receivers)) as site:
        quick = os.fspath(HERE / "quick_messages.py")
        site.program = (quick, os.fspath(HERE / "fake_recogniser.py"))
        site.gateway_program = (quick,)
        yield site.start()


def test_messages_go_wait_and_are_tried_by_hand(site: Gatewayed, receivers: Receivers) -> None:
    """From a file in a share to its receivers; what is wrong is said in a sentence, and no secret ever."""
    outputs = []

    def run(*arguments: str, code: int = 0) -> str:
        ended = site.command(*arguments)
        outputs.append(ended.stdout + ended.stderr)
        assert ended.returncode == code, outputs[-1]
        return outputs[-1]

    # A wrong address is told, and mended without a restart.
    assert "hook: not sent: it answers 404" in run("notify", "test", "hook", code=1)
    (site.folder / "hook.url").write_text(f"{receivers.host}/hook\n")
    assert run("notify", "test", "hook") == "hook: sent: it answers 204 No Content\n"
    assert site.ask("notify_test", name="财务群") == {"sent": True, "said": "Feishu took it"}
    refused = site.ask("notify_test", name="wrong")
    assert "DingTalk refuses it: 300001" in refused["said"]
    outputs.append(str(refused))
    with pytest.raises(OperatorError, match=r"there is no .* called 'x'"):
        site.ask("notify_test", name="x")
    assert [each.payload["type"] for each in receivers.of("hook")] == ["test"]

    # What happens is told to whom it concerns.
    drop(site.inbox / "会议.wav", recording(1, segments=2))
    eventually(lambda: len(receivers.of("hook")) == 2, what="the message")
    told = receivers.of("hook")[1].payload
    assert (told["type"], told["data"]["file"]) == ("done", "会议.wav")
    assert told["data"]["text"].count("\n") == 1
    assert len(receivers.of("feishu")) == 1

    # Without a gateway they wait, which is said.
    site.kill_gateway()
    drop(site.folder / "hr" / "面试.wav", recording(2, fail="not_decodable"))
    waiting = "SELECT count(*) FROM notices WHERE state = 'waiting'"
    eventually(lambda: site.query(waiting) == [(2,)], what="the messages")
    assert "面试.wav" in run("notify", "list")
    eventually(lambda: not site.live()["gateways"], what="its absence")
    with pytest.raises(OperatorError, match="no gateway serves"):
        site.ask("notify_test", name="hook")
    shown = {each["name"]: each for each in json.loads(run("status", "--json"))["notify"]}
    assert shown["财务群"]["waiting"] == 1
    assert "messages wait for the gateway" in shown["财务群"]["problem"]
    site.start_gateway()
    eventually(lambda: len(receivers.of("feishu")) == 2, what="the message")
    assert "《面试.wav》" in receivers.of("feishu")[1].text
    eventually(lambda: site.query(waiting) == [(0,)], what="an empty outbox")
    check = site.command("check").stdout
    assert "notify 'hook': webhook, of done, failed" in check

    shown_texts = "".join(outputs) + check + site.log_text() + site.gateway_log.read_text(encoding="utf-8")
    for secret in (TOKEN, SECRET, WHSEC, f"{receivers.host}/hook"):
        assert secret not in shown_texts
