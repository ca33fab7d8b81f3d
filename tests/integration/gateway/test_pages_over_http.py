"""The console's pages, exports and hotword lists over HTTP, with a real daemon behind the gateway."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from attack import drop, recording
from gatewayed import Gatewayed

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

API = "/api/v1"
PIECE = {"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0"}
PAGES = ("/", "/recordings", "/recordings/1", "/search?q=段", "/upload", "/live", "/hotwords", "/models")
NAME = "会议<script>alert(1)</script>.wav"


class WithHotwords(Gatewayed):
    """The inbox called "inbox" has a hotword file."""

    def configure(self, *, inboxes: dict[str, str], extra: str = "") -> None:
        """Write the configuration."""
        inboxes["inbox"] += '\nhotwords = "inbox/hotwords.txt"'
        super().configure(inboxes=inboxes, extra=extra)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithHotwords]:
    """Return both processes, with recordings done in each department, and one that failed."""
    with WithHotwords(tmp_path_factory.mktemp("site")) as site:
        site.start()
        drop(site.folder / "inbox" / NAME.replace("/", "_"), recording(1, segments=3))
        site.wait_until_done(1)
        drop(site.folder / "hr" / "工资.wav", recording(2))
        site.wait_until_done(2)
        yield site
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.fixture(scope="module")
def mine(site: WithHotwords) -> Iterator[httpx.Client]:
    """Return somebody who may do everything in one inbox."""
    with site.client(site.let_in("财务", "inbox", may="upload,edit")) as client:
        yield client


@pytest.fixture(scope="module")
def theirs(site: WithHotwords) -> Iterator[httpx.Client]:
    """Return somebody of the other department, who may read alone."""
    with site.client(site.let_in("人事", "hr")) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_page_is_whole_and_nothing_in_a_name_is_markup(mine: httpx.Client, path: str) -> None:
    """In both languages; not kept by anybody on the way."""
    for language, word in (("zh-CN", "总览"), ("en", "Overview")):
        answer = mine.get(path, headers={"Accept-Language": language})
        assert answer.status_code == 200
        assert word in answer.text
        assert answer.text.rstrip().endswith("</html>")
        assert "<script>alert" not in answer.text
        assert "no-store" in answer.headers["cache-control"]
        assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_without_logging_in(site: WithHotwords, path: str) -> None:
    """They are sent to the page for that, and come back."""
    with site.client() as nobody:
        answer = nobody.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=/")
        assert nobody.get("/login").status_code == 200


def test_other_department_sees_nothing_of_it(theirs: httpx.Client) -> None:
    """Neither in lists, nor by number, search, export or hotwords."""
    assert theirs.get("/recordings/1").status_code == 404
    assert "会议" not in theirs.get("/recordings").text
    assert "会议" not in theirs.get("/").text
    assert "会议" not in theirs.get("/search?q=段").text
    assert theirs.get("/recordings?inbox=inbox").status_code == 404
    assert theirs.get("/hotwords?inbox=inbox").status_code == 404
    assert theirs.get(f"{API}/export?id=1").status_code == 404
    assert theirs.post(f"{API}/retry", json={"recordings": [1]}).status_code == 404
    assert theirs.put(f"{API}/hotwords/inbox", json={"text": "", "digest": ""}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/recordings/0",
        "/recordings/x",
        "/recordings?since=yesterday",
        "/recordings?until=9999-12-31",
        "/recordings?before=x",
        "/search?q=a&mark=z",
    ],
)
def test_address_that_makes_no_sense_is_answered_by_a_page(mine: httpx.Client, path: str) -> None:
    """Never by a traceback, never by bare data."""
    answer = mine.get(path)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"].startswith("text/html")


def test_address_that_leads_nowhere_is_answered_as_it_was_asked(mine: httpx.Client) -> None:
    """A browser gets a page, a program data."""
    page = mine.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    for path, accepts in (("/nowhere", "*/*"), (f"{API}/nowhere", "text/html")):
        answer = mine.get(path, headers={"Accept": accepts})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_no_folder_of_any_kind_is_served(mine: httpx.Client) -> None:
    """Files are served by their names, and those of the package alone."""
    assert mine.get("/static/page.js").headers["content-type"].startswith("text/javascript")
    for path in ("/static/", "/static", "/static/..%2ftexts.json", "/static/%2e%2e/shell.py", "/static/x.js"):
        assert mine.get(path).status_code == 404, path
    tag = mine.get("/static/console.css").headers["etag"]
    assert mine.get("/static/console.css", headers={"If-None-Match": tag}).status_code == 304


def test_recordings_are_found_by_their_filters(mine: httpx.Client) -> None:
    """State, day and name."""
    assert "会议" in mine.get("/recordings?state=done&text=会议").text
    assert "会议" not in mine.get("/recordings?state=failed").text
    assert "会议" not in mine.get("/recordings?text=%25").text
    assert "会议" not in mine.get("/recordings?until=2020-01-01").text
    assert "会议" in mine.get("/recordings?since=2020-01-01").text


def test_several_recordings_leave_in_one_file(mine: httpx.Client) -> None:
    """As their transcripts, as a table that carries out nothing, and as everything that is known."""
    answer = mine.get(f"{API}/export?id=1&format=zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name.rpartition(".")[2] for name in archive.namelist()} == {"txt", "srt"}
        assert "第0段" in archive.read(archive.namelist()[0]).decode()
    answer = mine.get(f"{API}/export?id=1&kind=docx&kind=md")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        ends = {name.rpartition(".")[2]: archive.read(name) for name in archive.namelist()}
    assert ends.keys() == {"docx", "md"}
    assert ends["docx"].startswith(b"PK")
    assert "第0段" in ends["md"].decode()
    table = list(
        csv.reader(io.StringIO(mine.get(f"{API}/export?id=1&format=csv").content.decode("utf-8-sig")))
    )
    assert table[0][:3] == ["id", "inbox", "path"]
    assert "第2段" in table[1][-1]
    (told,) = mine.get(f"{API}/export?id=1&format=json").json()["recordings"]
    assert len(told["passages"]) == 3
    assert mine.get(f"{API}/export").status_code == 400


def test_hotwords_are_checked_saved_and_never_written_over_unseen(
    site: WithHotwords, mine: httpx.Client
) -> None:
    """What Notepad saved meanwhile stays; the list before is kept; encoding and line ends as they were."""
    path = site.folder / "inbox" / "hotwords.txt"
    path.write_bytes("# 名单\r\n顾清源\r\n".encode("gb18030"))
    before = mine.get(f"{API}/hotwords/inbox").json()
    assert before["text"] == "# 名单\n顾清源\n"
    assert [(line["number"], line["verdict"]) for line in before["lines"]] == [(2, "good")]
    assert "顾清源" in mine.get("/hotwords?inbox=inbox").text
    changed = {"text": before["text"] + "年度预算\n", "digest": before["digest"]}
    path.write_bytes("有人在记事本里改了\r\n".encode("gb18030"))
    answer = mine.put(f"{API}/hotwords/inbox", json=changed)
    assert answer.status_code == 409
    assert path.read_bytes() == "有人在记事本里改了\r\n".encode("gb18030")
    changed["digest"] = mine.get(f"{API}/hotwords/inbox").json()["digest"]
    saved = mine.put(f"{API}/hotwords/inbox", json=changed)
    assert saved.status_code == 200, saved.text
    assert path.read_bytes() == "# 名单\r\n顾清源\r\n年度预算\r\n".encode("gb18030")
    assert path.with_name("hotwords.txt.bak").read_bytes() == "有人在记事本里改了\r\n".encode("gb18030")
    assert mine.put(f"{API}/hotwords/inbox", json=changed).status_code == 409


def test_upload_may_say_its_length_at_its_end(site: WithHotwords, mine: httpx.Client) -> None:
    """As a microphone's does; it goes into the inbox when it has."""
    metadata = "inbox aW5ib3g=,filename bWljLndhdg=="
    begun = mine.post(f"{API}/uploads", headers={"Upload-Defer-Length": "1", "Upload-Metadata": metadata})
    assert begun.status_code == 201, begun.text
    address, content = begun.headers["location"], recording(7)
    assert mine.head(address).headers["upload-defer-length"] == "1"
    answer = mine.patch(address, content=content[:100], headers={**PIECE, "Upload-Offset": "0"})
    assert "x-recording-path" not in answer.headers
    assert not (site.folder / "inbox" / "mic.wav").exists()
    length = {"Upload-Length": str(len(content))}
    answer = mine.patch(address, content=content[100:], headers={**PIECE, **length, "Upload-Offset": "100"})
    assert answer.headers["x-recording-path"] == "mic.wav"
    assert (site.folder / "inbox" / "mic.wav").read_bytes() == content
    for lengths in ({}, {"Upload-Defer-Length": "1", "Upload-Length": "5"}):
        refused = mine.post(f"{API}/uploads", headers={"Upload-Metadata": metadata, **lengths})
        assert refused.status_code == 400


def test_operator_frees_the_cards_memory(site: WithHotwords, mine: httpx.Client) -> None:
    """Not beside recordings in work, unless the queue is paused; the next recording loads the model again."""
    assert mine.post(f"{API}/engine/unload").status_code == 403
    with site.client(site.let_in("管理", may="operate,edit")) as operator:
        assert "卸载模型" in operator.get("/").text
        assert "卸载模型" not in mine.get("/").text
        drop(site.folder / "inbox" / "长.wav", recording("long", segments=4, ms=500))
        eventually(lambda: site.live()["in_work"], what="something in work")
        refused = operator.post(f"{API}/engine/unload")
        assert (refused.status_code, "暂停" in refused.json()["error"]["message_zh"]) == (409, True)
        assert operator.post(f"{API}/queue/pause").json() == {"count": 1}
        assert operator.post(f"{API}/engine/unload").json() == {"count": 1}
        eventually(lambda: site.live()["recognisers"][0]["pid"] is None, what="the unloaded model")
        site.wait_for("inbox/长.txt")  # what was in work was finished first
        assert "模型未载入" in operator.get("/").text
        assert operator.post(f"{API}/queue/resume").status_code == 200
        drop(site.folder / "inbox" / "后.wav", recording("after"))
        site.wait_for("inbox/后.txt")
        assert site.live()["recognisers"][0]["pid"] is not None


def test_times_of_words_come_when_they_are_asked_for(mine: httpx.Client) -> None:
    """The page has none; programs may leave them out; some segments' come with the version they are of."""
    whole = mine.get(f"{API}/recordings/1")
    light = mine.get(f"{API}/recordings/1", params={"words": False})
    assert (light.status_code, light.headers["etag"]) == (200, whole.headers["etag"])
    passages = whole.json()["passages"]
    assert all(each["words"] for each in passages)
    assert [{**each, "words": []} for each in passages] == light.json()["passages"]
    times = mine.get(f"{API}/recordings/1/times", params={"first": 1, "count": 1}).json()
    assert f'"{times["version"]}"' == whole.headers["etag"]
    (only,) = times["passages"]
    assert (only["index"], only["start_ms"]) == (1, passages[1]["start_ms"])
    assert sum(only["times"][0::3]) == len(passages[1]["text"])
    assert "data-times" not in mine.get("/recordings/1").text
    assert mine.get(f"{API}/recordings/1/times", params={"first": 99}).json()["passages"] == []
