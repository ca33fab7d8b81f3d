"""Sending to robots and webhooks that check, refuse, are slow, or send elsewhere."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from receivers import SECRET, TOKEN, WHSEC, Receivers

from asr_daemon.config_notify import NotifySection
from asr_daemon.control.notice_messages import Notice, Notices
from asr_daemon.gateway.notifications import posting
from asr_daemon.gateway.notifications.address import Address, Kind, address_of
from asr_daemon.gateway.notifications.apprise_child import AppriseSender
from asr_daemon.gateway.notifications.errors import NotSentError
from asr_daemon.gateway.notifications.sending import Sender
from asr_daemon.gateway.notifications.webhook import signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAMP = "2026-03-15T07:30:00.000Z"
DONE = Notice("msg_1", "done", STAMP, "财务", 12, "会议.m4a", 3000, "", "", "", None, text_is_cut=False)
BATCH = Notices("msg_1", "zh", (DONE,))
ROBOTS = {"dingtalk": Kind.DINGTALK, "feishu": Kind.FEISHU, "wecom": Kind.WECOM}


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    """Return the server."""
    with Receivers(slow_s=5.0) as found:
        yield found


def hook(receivers: Receivers, **changes: Any) -> Address:
    """Return the webhook's address."""
    known = Address(Kind.WEBHOOK, f"{receivers.host}/hook", WHSEC, allow_private=True)
    return replace(known, **changes)


def send(receivers: Receivers, address: Address, batch: Notices = BATCH, within_s: float = 5.0) -> str:
    """Send; return what was said."""
    sender = Sender(dict.fromkeys(Kind, receivers.host), within_s=within_s)
    return asyncio.run(sender.send(address, batch))


def refused(receivers: Receivers, address: Address, **more: Any) -> NotSentError:
    """Send what is not taken."""
    with pytest.raises(NotSentError) as caught:
        send(receivers, address, **more)
    return caught.value


# ---------------------------------------------------------------------- webhooks


def test_a_webhook_is_signed_and_says_all(receivers: Receivers) -> None:
    """Its receiver checks the signature; names are as they are, JSON escapes them."""
    odd = replace(DONE, file="@所有人\n.m4a", inbox="财务")
    assert send(receivers, hook(receivers), Notices("msg_1", "zh", (odd,))) == "it answers 204 No Content"
    (taken,) = receivers.of("hook")
    assert taken.identity == "msg_1"
    assert taken.payload == {
        "type": "done",
        "timestamp": STAMP,
        "data": {"id": "msg_1", "inbox": "财务", "recording": 12, "file": "@所有人\n.m4a", "duration_s": 3.0},
    }


def test_signature_is_that_of_the_standards_own_example() -> None:
    """As printed in the specification of Standard Webhooks."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 (the specification's)
    body = b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("trouble", "said", "after_s"),
    [
        ("500", "500 Internal Server Error", 0),
        ("429", "429 Too Many Requests", 7),
        ("redirect", "redirects are not followed", 0),
        ("drop", "closed the connection", 0),
        ("refuse", "400 Bad Request", 0),
    ],
)
def test_what_a_webhook_does_not_take_is_told(
    receivers: Receivers, trouble: str, said: str, after_s: float
) -> None:
    """In a sentence, with the time that it asked for; nothing else is asked."""
    receivers.will(trouble)
    error = refused(receivers, hook(receivers))
    assert said in error.said
    assert error.after_s == after_s
    assert receivers.requests == 1


def test_a_receiver_has_its_time_in_all(receivers: Receivers) -> None:
    """One that is slow, and one that sends a byte now and then."""
    receivers.will("slow")
    assert "no answer within 0 s" in refused(receivers, hook(receivers), within_s=0.3).said
    with socket.create_server(("127.0.0.1", 0)) as server:
        drip = f"http://127.0.0.1:{server.getsockname()[1]}/"
        script = "import socket,sys,time\nend,_=socket.socket(fileno=int(sys.argv[1])).accept()\n"
        script += "while True: end.send(b'H'); time.sleep(0.05)"
        command = [sys.executable, "-c", script, str(server.fileno())]
        with subprocess.Popen(command, pass_fds=[server.fileno()], stderr=subprocess.DEVNULL) as dripping:
            error = refused(receivers, hook(receivers, url=drip), within_s=0.7)
            dripping.kill()
    assert "no answer within" in error.said


def test_only_the_beginning_of_an_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that never ends fills no memory."""
    reply = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 20)

    async def ask() -> posting.Reply:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await asyncio.sleep(5)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await posting.post(f"http://127.0.0.1:{port}/", b"{}", {}, allow_private=True)

    assert len(asyncio.run(ask()).body) == posting.MOST_REPLY_BYTES


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "::"),
        *("224.0.0.1", "255.255.255.255", "ff02::1"),
    ],
)
def test_addresses_of_this_machine_and_of_local_networks_are_known(address: str) -> None:
    """Also where an IPv6 address stands for them."""
    assert not posting.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_known(address: str) -> None:
    """Those a webhook may have."""
    assert posting.is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_private_addresses_are_not_connected_to(receivers: Receivers, host: str) -> None:
    """However they are written, unless that is allowed."""
    address = hook(receivers, url=f"http://{host}:{receivers.port}/hook", allow_private=False)
    assert "allow_private" in refused(receivers, address).said
    assert receivers.requests == 0


def test_a_name_that_changes_its_meaning_gains_nothing(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked up once, and what was looked at is what is connected to."""
    looked_up: list[str] = []
    connected: list[str] = []

    async def rebinding(_loop: object, host: str, port: int, **_: object) -> list[Any]:
        looked_up.append(host)
        address = "8.8.8.8" if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async def connect(host: str, _port: int, **_: object) -> Any:
        connected.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", rebinding)
    monkeypatch.setattr(asyncio, "open_connection", connect)
    refused(receivers, hook(receivers, url="http://rebind.example/hook", allow_private=False))
    assert (looked_up, connected) == (["rebind.example"], ["8.8.8.8"])


def test_a_public_name_with_a_private_address_beside_goes_to_the_public_one(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The private one is passed over."""
    connected: list[str] = []

    async def both(_loop: object, _host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (each, port)) for each in ("10.0.0.1", "8.8.8.8")]

    async def connect(host: str, _port: int, **_: object) -> Any:
        connected.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", both)
    monkeypatch.setattr(asyncio, "open_connection", connect)
    refused(receivers, hook(receivers, url="https://two.example/", allow_private=False))
    assert connected == ["8.8.8.8"]


# ---------------------------------------------------------------------- robots


@pytest.mark.parametrize("kind", ROBOTS)
def test_robots_take_what_is_signed(receivers: Receivers, kind: str) -> None:
    """DingTalk gets markdown with a title, the others text."""
    assert "took it" in send(receivers, Address(ROBOTS[kind], TOKEN, SECRET))
    (taken,) = receivers.of(kind)
    assert "《会议.m4a》" in taken.text


@pytest.mark.parametrize("kind", ["dingtalk", "feishu"])
def test_robots_refuse_what_is_signed_wrongly_in_a_200(receivers: Receivers, kind: str) -> None:
    """That is no success; the code and the words are told."""
    error = refused(receivers, Address(ROBOTS[kind], TOKEN, "SECother"))
    assert "sign" in error.said
    assert receivers.taken == []


@pytest.mark.parametrize("kind", ROBOTS)
def test_what_a_robot_says_holds_no_secret(receivers: Receivers, kind: str) -> None:
    """Some repeat the token."""
    receivers.will("refuse")
    error = refused(receivers, Address(ROBOTS[kind], TOKEN, SECRET))
    assert "310000 no …" in error.said


def test_a_robot_that_hears_too_much_is_left_alone_for_a_minute(receivers: Receivers) -> None:
    """DingTalk says so in a 200."""
    receivers.dingtalk_a_minute = 0
    assert refused(receivers, Address(Kind.DINGTALK, TOKEN, SECRET)).after_s == 60


def test_a_digest_fits_into_wecoms_bytes(receivers: Receivers) -> None:
    """The server counts bytes, as WeCom does."""
    many = tuple(replace(DONE, file=f"{number}、第三季度部门预算会议录音.m4a") for number in range(50))
    assert "took it" in send(receivers, Address(Kind.WECOM, TOKEN), Notices("msg_2", "zh", many))


# ---------------------------------------------------------------------- apprise


def test_apprise_sends_from_a_child_and_its_address_is_in_no_list_of_processes(receivers: Receivers) -> None:
    """The child has it on its standard input."""
    address = Address(Kind.APPRISE, f"json://127.0.0.1:{receivers.port}/apprise")
    assert "took it" in send(receivers, address)
    (taken,) = receivers.of("apprise")
    assert "《会议.m4a》" in taken.payload["message"]


def test_apprise_fails_within_its_time_and_in_words(receivers: Receivers) -> None:
    """What it knows no way to, and whoever does not answer."""
    assert "no such address" in refused(receivers, Address(Kind.APPRISE, "nosuch://x")).said
    receivers.will("slow")
    slow = Address(Kind.APPRISE, f"json://127.0.0.1:{receivers.port}/apprise?rto=60&cto=60")
    sender = Sender(apprise=AppriseSender(within_s=2.5))
    with pytest.raises(NotSentError, match="had not sent it within"):
        asyncio.run(sender.send(slow, BATCH))


def test_gateway_and_daemon_do_not_import_apprise() -> None:
    """Only the child does."""
    script = "import sys, asr_daemon.gateway.server, asr_daemon.life; print('apprise' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


# ---------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "kind", "token", "secret"),
    [
        (f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}", Kind.DINGTALK, TOKEN, ""),
        (f"dingtalk://{SECRET}@{TOKEN}", Kind.DINGTALK, TOKEN, SECRET),
        (f"https://open.feishu.cn/open-apis/bot/v2/hook/{TOKEN}", Kind.FEISHU, TOKEN, ""),
        (f"https://open.larksuite.com/open-apis/bot/v2/hook/{TOKEN}", Kind.LARK, TOKEN, ""),
        (f"feishu://{TOKEN}/", Kind.FEISHU, TOKEN, ""),
        (f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={TOKEN}", Kind.WECOM, TOKEN, ""),
        (f"wecombot://{TOKEN}", Kind.WECOM, TOKEN, ""),
        ("https://hooks.example/x?y=1", Kind.WEBHOOK, "https://hooks.example/x?y=1", ""),
        ("mailto://a:b@example.com", Kind.APPRISE, "mailto://a:b@example.com", ""),
    ],
)
def test_addresses_are_known_by_what_they_are(url: str, kind: Kind, token: str, secret: str) -> None:
    """As the robot's page shows them, as apprise has them, and webhooks."""
    found = address_of(NotifySection(name="x", url=url))  # type: ignore[arg-type]
    assert (found.kind, found.url, found.secret) == (kind, token, secret)
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example/x", "allow_private"),
        ("https://user:pass@hooks.example/", "without a user"),
        ("https://oapi.dingtalk.com/robot/send", "no token"),
        ("https://[::1", "none that can be read"),
        (f"dingtalk://{TOKEN}/13800138000", "phone numbers"),
    ],
)
def test_addresses_of_no_use_are_told(url: str, said: str) -> None:
    """Without repeating them."""
    with pytest.raises(NotSentError, match=said) as caught:
        address_of(NotifySection(name="x", url=url))  # type: ignore[arg-type]
    assert "pass" not in caught.value.said


def test_an_address_comes_from_a_credential_first_then_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read anew each time; Windows' marks and remarks are no part of it."""
    file, folder = tmp_path / "office.url", tmp_path / "credentials"
    section = NotifySection(name="x", url_file=file, secret_file=tmp_path / "office.secret")
    with pytest.raises(NotSentError, match=r"office\.url' cannot be read"):
        address_of(section)
    file.write_bytes(b"\xef\xbb\xbf# of the office\r\n  https://a.example/1 \r\n")
    (tmp_path / "office.secret").write_text(WHSEC)
    assert (address_of(section).url, address_of(section).secret) == ("https://a.example/1", WHSEC)
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert address_of(section).url == "https://a.example/1"
    (folder / "office.url").write_text("https://a.example/2\n")
    assert address_of(section).url == "https://a.example/2"
    (folder / "office.url").write_text("\n")
    with pytest.raises(NotSentError, match="empty"):
        address_of(section)


def test_json_of_a_webhook_holds_no_lone_surrogates(receivers: Receivers) -> None:
    """Whatever a file is called."""
    send(receivers, hook(receivers), Notices("msg_3", "zh", (replace(DONE, file="\udcff.m4a"),)))
    (taken,) = receivers.of("hook")
    json.dumps(taken.payload, ensure_ascii=False).encode()
