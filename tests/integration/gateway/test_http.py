"""The gateway's interface over HTTP, with a real daemon behind it."""

from __future__ import annotations

import base64
import collections
import json
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop, recording
from gatewayed import Gatewayed

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

API = "/api/v1"
PIECE = {"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatewayed]:
    """Return both processes, with a recording of each department done."""
    with Gatewayed(tmp_path_factory.mktemp("site")) as site:
        site.start()
        drop(site.folder / "inbox" / "会议.wav", recording(1, segments=3))
        drop(site.folder / "hr" / "工资.wav", recording(2))
        site.wait_until_done(2)
        yield site
        assert site.stop_gateway() == 0
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.fixture(scope="module")
def mine(site: Gatewayed) -> Iterator[httpx.Client]:
    """Return a program that may do everything in one inbox."""
    with site.client(site.let_in("财务", "inbox", may="upload,edit")) as client:
        yield client


@pytest.fixture(scope="module")
def theirs(site: Gatewayed) -> Iterator[httpx.Client]:
    """Return one of the other department."""
    with site.client(site.let_in("人事", "hr", may="upload,edit")) as client:
        yield client


def test_department_reads_its_recordings(mine: httpx.Client) -> None:
    """From the list to the transcript, in every format, and the sound."""
    (listed,) = mine.get(f"{API}/recordings").json()["recordings"]
    assert (listed["inbox"], listed["path"], listed["state"]) == ("inbox", "会议.wav", "done")
    number = listed["id"]
    detail = mine.get(f"{API}/recordings/{number}").json()
    assert len(detail["passages"]) == 3
    assert detail["passages"][0]["words"][0]["start_ms"] == 0
    for kind in ("txt", "srt", "vtt", "json"):
        answer = mine.get(f"{API}/recordings/{number}/transcript.{kind}")
        assert answer.status_code == 200
        assert detail["passages"][0]["text"] in answer.text.replace("\n", "")
    sound = mine.get(f"{API}/recordings/{number}/audio")
    assert sound.content == recording(1, segments=3)
    part = mine.get(f"{API}/recordings/{number}/audio", headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, recording(1, segments=3)[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(sound.content)}"
    found = mine.get(f"{API}/search", params={"q": "第1段"}).json()["places"]
    assert [place["recording"] for place in found] == [number]


def test_nobody_gets_in_without_a_token(site: Gatewayed) -> None:
    """Also on the machine itself: others use it, too."""
    with site.client() as nobody, site.client("asr_wrong") as guess:
        for path in described_paths(site):
            for client in (nobody, guess):
                assert client.get(path).status_code in (401, 405), path


def described_paths(site: Gatewayed) -> list[str]:
    """Return an address of every route that OpenAPI describes."""
    with site.client() as client:
        document = client.get("/api/openapi.json").json()
    given = collections.defaultdict(lambda: "1", format="txt", number="x" * 32, inbox="inbox")
    asked = {f"{API}/search": "?q=a", f"{API}/export": "?id=1"}
    return [
        path.format_map(given) + asked.get(path, "") for path in document["paths"] if path != f"{API}/session"
    ]


def test_one_departments_token_opens_nothing_of_the_others(
    site: Gatewayed, mine: httpx.Client, theirs: httpx.Client
) -> None:
    """Every route that names a recording answers as if there were none."""
    (listed,) = mine.get(f"{API}/recordings").json()["recordings"]
    number = listed["id"]
    for method, path in (
        ("GET", f"{API}/recordings/{number}"),
        ("GET", f"{API}/recordings/{number}/transcript.txt"),
        ("GET", f"{API}/recordings/{number}/audio"),
        ("POST", f"{API}/recordings/{number}/retry"),
        ("POST", f"{API}/recordings/{number}/cancel"),
        ("GET", f"{API}/recordings/{number}/corrections"),
        ("GET", f"{API}/recordings/{number}/playback"),
        ("GET", f"{API}/recordings/{number}/playback.flac"),
        ("GET", f"{API}/recordings/{number}/peaks"),
        ("DELETE", f"{API}/recordings/{number}/transcript"),
        ("GET", f"{API}/inboxes/inbox/hotwords/suggestions"),
        ("GET", f"{API}/recordings?inbox=inbox"),
        ("GET", f"{API}/search?q=段&inbox=inbox"),
    ):
        answer = theirs.request(method, path)
        assert answer.status_code == 404, path
        assert set(answer.json()["error"]) == {"code", "message", "message_zh"}
    assert theirs.post(f"{API}/queue/pause").status_code == 403
    assert [each["name"] for each in theirs.get(f"{API}/overview").json()["inboxes"]] == ["hr"]
    assert site.live()["recogniser"]["state"] != "paused"


def test_browser_logs_in_and_out(site: Gatewayed) -> None:
    """The cookie is not for scripts, not for other sites, and of no use afterwards."""
    token = site.let_in("浏览器", "inbox", may="edit")
    with site.client() as browser:
        answer = browser.post(f"{API}/session", json={"token": token})
        assert answer.json() == {"name": "浏览器", "inboxes": ["inbox"], "rights": ["edit", "read"]}
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get(f"{API}/me").json()["name"] == "浏览器"
        secret = browser.cookies["asr_session"]
        for strange in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert browser.post(f"{API}/recordings/1/retry", headers=strange).status_code == 403
        assert browser.delete(f"{API}/session").status_code == 200
        assert browser.get(f"{API}/me", cookies={"asr_session": secret}).status_code == 401


def test_wrong_tokens_are_told_in_the_journal_and_cost_time(site: Gatewayed) -> None:
    """Who guesses waits longer each time; the address is in the log."""
    with site.client() as client:
        for _ in range(3):
            assert client.post(f"{API}/session", json={"token": "asr_guess"}).status_code == 401
    told = [
        json.loads(line)
        for line in site.gateway_log.read_text(encoding="utf-8").splitlines()
        if '"log_in_failed"' in line
    ]
    assert [each["times"] for each in told[-3:]] == [1, 2, 3]
    assert {each["address"] for each in told} == {"127.0.0.1"}
    assert "asr_guess" not in site.gateway_log.read_text(encoding="utf-8")


def begin(client: httpx.Client, name: str, content: bytes, inbox: str = "inbox") -> str:
    """Begin an upload; return its address."""
    pairs = {"inbox": inbox, "filename": name}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    headers = {"Upload-Length": str(len(content)), "Upload-Metadata": metadata, "Tus-Resumable": "1.0.0"}
    answer = client.post(f"{API}/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def test_upload_goes_on_after_a_lost_connection_and_a_killed_gateway(
    site: Gatewayed, mine: httpx.Client
) -> None:
    """What was taken counts; the whole file lies in the inbox, once, and is transcribed."""
    content = recording(3) + bytes(3_000_000)
    address = begin(mine, "上传 录音.wav", content)
    for first in (0, 1_000_000):
        piece = content[first : first + 1_000_000]
        answer = mine.patch(address, content=piece, headers={**PIECE, "Upload-Offset": str(first)})
        assert answer.status_code == 204, answer.text
        site.kill_gateway()
        site.start_gateway()
        told = mine.head(address).headers
        assert (int(told["upload-offset"]), int(told["upload-length"])) == (first + 1_000_000, len(content))
    again = mine.patch(address, content=b"x", headers={**PIECE, "Upload-Offset": "0"})
    assert again.status_code == 409
    answer = mine.patch(address, content=content[2_000_000:], headers={**PIECE, "Upload-Offset": "2000000"})
    assert urllib.parse.unquote(answer.headers["x-recording-path"]) == "上传 录音.wav"
    assert (site.inbox / "上传 录音.wav").read_bytes() == content
    eventually((site.inbox / "上传 录音.txt").exists, what="its transcript")
    told = mine.head(address).headers  # who did not hear the last answer asks again, and sends nothing twice
    assert (int(told["upload-offset"]), int(told["upload-length"])) == (len(content), len(content))
    for headers in (told, mine.patch(address, headers={**PIECE, "Upload-Offset": str(len(content))}).headers):
        assert urllib.parse.unquote(headers["x-recording-path"]) == "上传 录音.wav"
    assert [path.name for path in site.inbox.glob("上传*.wav")] == ["上传 录音.wav"]


@pytest.mark.parametrize(
    ("name", "inbox", "status"),
    [("a.wav", "hr", 404), ("报告.docx", "inbox", 400), (".", "inbox", 400), ("a.wav", "../hr", 404)],
)
def test_upload_that_may_not_be_is_refused_before_a_byte_is_sent(
    mine: httpx.Client, name: str, inbox: str, status: int
) -> None:
    """Another department's inbox, and what is no recording."""
    pairs = {"inbox": inbox, "filename": name}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    answer = mine.post(f"{API}/uploads", headers={"Upload-Length": "5", "Upload-Metadata": metadata})
    assert answer.status_code == status, answer.text


def test_upload_is_its_owners_alone(mine: httpx.Client, theirs: httpx.Client) -> None:
    """Whoever learns its address has nothing of it."""
    address = begin(mine, "a.wav", b"12345")
    for method in ("HEAD", "DELETE"):
        assert theirs.request(method, address).status_code == 404
    answer = theirs.patch(address, content=b"12345", headers={**PIECE, "Upload-Offset": "0"})
    assert answer.status_code == 404
    more = mine.patch(address, content=b"123456", headers={**PIECE, "Upload-Offset": "0"})
    assert more.status_code == 400
    assert mine.delete(address).status_code == 204


def test_listener_is_told_of_changes(site: Gatewayed, mine: httpx.Client) -> None:
    """Server-sent events: one at once, the next when something changed."""
    with mine.stream("GET", f"{API}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        first = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
        drop(site.inbox / "neu.wav", recording(9))
        second = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
    assert second["version"] > first["version"]


def test_every_answer_carries_what_protects_a_page(site: Gatewayed, mine: httpx.Client) -> None:
    """No script from elsewhere, no frame, no guess at types; also where nothing is found."""
    for answer in (mine.get(f"{API}/me"), mine.get("/nowhere"), mine.get("/api/openapi.json")):
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
    assert site.port


@pytest.mark.parametrize(
    "path",
    [
        "/recordings/0",
        "/recordings/-1",
        "/recordings/99999999999999999999",
        "/recordings/x",
        "/recordings?limit=0",
        "/recordings?limit=100000",
        "/recordings/1/transcript.exe",
        "/search?q=",
        "/search?q=%00",
        "/search",
    ],
)
def test_what_makes_no_sense_is_refused_in_the_one_shape(mine: httpx.Client, path: str) -> None:
    """400, with a sentence in both languages; never a traceback."""
    answer = mine.get(API + path)
    assert answer.status_code in (400, 404)
    error = answer.json()["error"]
    assert error["code"] in ("refused", "not_found")
    assert error["message_zh"]


def test_daemon_that_is_away_is_said_and_comes_back(tmp_path: Path) -> None:
    """The gateway outlives it, and goes on with it."""
    with Gatewayed(tmp_path) as site:
        site.start()
        with site.client(site.let_in("a")) as client:
            assert client.get(f"{API}/me").status_code == 200
            assert site.stop() == 0
            answer = client.get(f"{API}/me")
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            AttackedDaemon.start(site)
            assert client.get(f"{API}/me").status_code == 200


def test_gateway_opens_nothing_of_the_share_or_the_history(site: Gatewayed) -> None:
    """What it has open are its own files, sockets and libraries."""
    assert site._gateway is not None
    process = Path("/proc") / str(site._gateway.pid)
    for path in (descriptor.readlink() for descriptor in (process / "fd").iterdir()):
        assert "history.db" not in path.name
        assert site.inbox not in (path, *path.parents)
    assert "torch" not in (process / "maps").read_text(encoding="utf-8")


OF_NOBODY = ("/api/v1/session", "/api/v1/uploads", "/v1/audio/transcriptions")  # sent to, not read from


def test_every_route_is_closed_to_the_other_departments_token(
    site: Gatewayed, mine: httpx.Client, theirs: httpx.Client
) -> None:
    """Also those to come: a recording, an upload or an inbox of another department is not there."""
    document = mine.get("/api/openapi.json").json()
    number = mine.get(f"{API}/recordings").json()["recordings"][-1]["id"]
    upload = begin(mine, "offen.wav", b"12345").rpartition("/")[2]
    given = {"recording": str(number), "format": "txt", "number": upload}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in OF_NOBODY or path.endswith("/events"):
                continue
            names = {each["name"]: each["in"] for each in operation.get("parameters", [])}
            values = {name: given.get(name, "1") for name, place in names.items() if place == "path"}
            query = {"inbox": "inbox"} if "inbox" in names else {}
            query |= {"q": "段"} if "q" in names else {}
            headers = {"Upload-Offset": "0", "Content-Type": PIECE["Content-Type"]}
            answer = theirs.request(
                method, path.format(**values), params=query, headers=headers if method == "patch" else {}
            )
            told = f"{method} {path}: {answer.status_code} {answer.text}"
            assert "第0段" not in answer.text, told
            assert "会议" not in answer.text, told
            assert answer.status_code < 500, told
            if values.keys() & given.keys() or query:
                assert answer.status_code in (400, 403, 404), told
    assert mine.delete(f"{API}/uploads/{upload}").status_code == 204
    files = {"file": ("a.wav", recording("fremd"))}
    assert theirs.post("/v1/audio/transcriptions", files=files, data={"inbox": "inbox"}).status_code == 404
    assert site.port
