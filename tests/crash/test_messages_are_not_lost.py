"""Gateway and daemon are killed while receivers fail in every way: each message arrives, in order."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from attack import AttackedDaemon, drop, recording
from gatewayed import Gatewayed
from receivers import SECRET, TOKEN, WHSEC, Receivers, numbers_in_order

from support import eventually

HERE = Path(__file__).parents[1]
RECORDINGS, TIMES = 50, 2  # each fails, and fails again when it is retried: 100 events
TROUBLES = ("500", "drop", "refuse", "taken, then drop", "redirect")


def receivers_of(receivers: Receivers) -> str:
    """Return the configuration of a webhook and of three robots."""
    told = f"""
[[notify]]
name = "hook"
url = "{receivers.host}/hook"
secret = "{WHSEC}"
on = ["failed"]
allow_private = true
"""
    addresses = {
        "dingtalk": f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}",
        "feishu": f"feishu://{TOKEN}",
        "wecom": f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={TOKEN}",
    }
    for name, url in addresses.items():
        told += f'[[notify]]\nname = "{name}"\nurl = "{url}"\nsecret = "{SECRET}"\non = ["failed"]\n'
        told += f"digest_s = {0.0 if name == 'feishu' else 0.5}\n"
    return told


def site_of(folder: Path, receivers: Receivers) -> Gatewayed:
    """Return daemon and gateway with these receivers."""
    os.environ["RECEIVERS"] = receivers.host
    site = Gatewayed(folder, gateway=receivers_of(receivers))
    quick = os.fspath(HERE / "quick_messages.py")
    site.program = (quick, os.fspath(HERE / "fake_recogniser.py"))
    site.gateway_program = (quick,)
    return site


@pytest.mark.slow
def test_every_message_arrives_in_order_whatever_is_killed(tmp_path: Path) -> None:
    """A hundred events to four receivers that fail every third time; neither process lives long."""
    chance = random.Random(7)
    with Receivers(slow_s=1.0) as receivers, site_of(tmp_path, receivers) as site:
        site.start()
        for number in range(RECORDINGS):
            drop(site.inbox / f"会议 {number:02}.wav", recording(number, fail="not_decodable"))
        for _ in range(6):
            receivers.will(*(chance.choice((*TROUBLES, "", "", "")) for _ in range(25)))
            time.sleep(chance.uniform(0.3, 1.2))
            if chance.random() < 0.5:
                site.kill_gateway()
                site.start_gateway()
            else:
                AttackedDaemon.kill(site)
                site.launch()
        eventually(site.all_settled, what="the first round")
        eventually(lambda: site.command("retry", "--failed").returncode == 0, what="the retry")
        receivers.will(*(chance.choice((*TROUBLES, "", "")) for _ in range(60)), "slow")
        site.kill_gateway()
        site.start_gateway()
        sent = "SELECT count(*) FROM notices WHERE state = 'sent'"
        wanted = [(4 * RECORDINGS * TIMES,)]
        eventually(lambda: site.query(sent) == wanted, within_s=120, what="every message")
        rows = site.query("SELECT uid, recording_id FROM notices WHERE target = 'hook' ORDER BY id")
        events = [each.payload for each in receivers.once("hook")]
        assert sorted(each["data"]["id"] for each in events) == sorted(uid for uid, _ in rows)
        in_order: dict[int, list[str]] = {}
        for uid, number in rows:
            in_order.setdefault(number, []).append(uid)
        assert numbers_in_order(events) == in_order
        assert all(len(heard) == TIMES for heard in in_order.values())
        for kind in ("dingtalk", "feishu", "wecom"):
            told = "\n".join(each.text for each in receivers.of(kind))
            listed = [number for number in range(RECORDINGS) if f"会议 {number:02}.wav" in told]
            assert len(listed) == RECORDINGS, kind
        shown = (tmp_path / "gateway.log").read_text() + site.log_text() + site.command("status").stdout
        assert TOKEN not in shown
        assert SECRET not in shown
        assert WHSEC not in shown
