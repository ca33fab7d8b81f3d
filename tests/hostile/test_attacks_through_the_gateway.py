"""The attacks of this folder that the gateway has a door to: names, sizes, lists, texts, searches, tables.

Whoever holds a token of one department sends them. What they may not have they do not get, nobody else is
held up, and every answer is one that the interface describes.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import socket
import urllib.parse
import zipfile
from typing import TYPE_CHECKING

import pytest
from attack import drop, recording
from attacks_on_recordings import plain
from gatewayed import Gatewayed

from asr_daemon.gateway import spool as spools
from asr_daemon.gateway.spool import NoRoomError, Spool, Upload
from asr_daemon.printable import HARMFUL
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

API = "/api/v1"
PIECE = {"Content-Type": "application/offset+octet-stream"}
BONUSES = "机密奖金名单"
SCRIPT = "<img src=x onerror=alert(1)>"
REFUSED = (400, 404, 413)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatewayed]:
    """Return both processes; what they wrote into their logs is looked at in the end."""
    folder = tmp_path_factory.mktemp("site")
    with Gatewayed(folder, of_inbox='formats = ["txt"]\nhotwords = "inbox/热词.txt"') as site:
        (folder / "hr" / "奖金.txt").write_text(f"{BONUSES}\n", encoding="utf-8")
        site.start()
        drop(folder / "inbox" / "会议.wav", recording(1, segments=2))
        drop(folder / "hr" / "工资.wav", recording(2))
        site.wait_until_done(2)
        yield site
        before = sorted(path.name for path in (folder / "hr").iterdir())
        assert before == ["奖金.txt", "工资.txt", "工资.wav"]
        assert sorted(path.name for path in folder.iterdir() if path.suffix == ".wav") == []
        assert site.stop_gateway() == 0
        for log in (site.log_text(), site.gateway_log.read_text(encoding="utf-8")):
            assert "Traceback" not in log
            assert not HARMFUL.search(log.replace("\n", ""))
            for line in log.splitlines():
                json.loads(line)  # no name began a line of its own


@pytest.fixture(scope="module")
def mine(site: Gatewayed) -> Iterator[httpx.Client]:
    """Return a program of the one department."""
    with site.client(site.let_in("财务", "inbox", may="upload,edit")) as client:
        yield client


def begin(client: httpx.Client, name: str, length: str = "5", inbox: str = "inbox") -> httpx.Response:
    """Ask to begin an upload."""
    pairs = {"inbox": inbox, "filename": name}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    return client.post(f"{API}/uploads", headers={"Upload-Length": length, "Upload-Metadata": metadata})


def upload(client: httpx.Client, name: str, content: bytes) -> httpx.Response:
    """Send a file; return the last answer."""
    begun = begin(client, name, str(len(content)))
    if begun.status_code != 201:
        return begun
    return client.patch(begun.headers["location"], content=content, headers={**PIECE, "Upload-Offset": "0"})


# ---------------------------------------------------------------------- names

NAMES = {
    "../../hr/a.wav": "a.wav",
    "/etc/b.wav": "b.wav",
    "C:\\Windows\\c.wav": "c.wav",
    "\x1b[2J红.wav": "_[2J红.wav",
    "\x1b]0;x\x07d.wav": "_]0;x_d.wav",
    "e\nINFO f.wav": "e_INFO f.wav",
    "nul\x00g.wav": "nul_g.wav",
    "gpj.\u202evaw.wav": "gpj._vaw.wav",
    "zero\u200bwidth\ufeff\u061c.wav": "zero_width__.wav",
    "\x9b31mh.wav": "_31mh.wav",
    "NUL.wav": "_NUL.wav",
    "com1.x.wav": "_com1.x.wav",
    "CON .wav": "_CON .wav",
    f"{SCRIPT}.wav": "_img src=x onerror=alert(1)_.wav",
    "[[/x].wav": "[[_x].wav" and "x].wav",
    "=cmd|' 'A0.wav": "=cmd_' 'A0.wav",
    ".~versteckt.wav": "versteckt.wav",
    "i.wav. ": "i.wav",
}
NO_NAMES = (
    "..",
    ".",
    "a.wav.part",
    "a.转写失败.txt",
    "desktop.ini",
    "a.txt",
    "a.json",
    "hotwords.txt",
    "wav",
    ".wav",
)


def test_names_of_uploads_lead_nowhere_and_steer_nothing(site: Gatewayed, mine: httpx.Client) -> None:
    """Ways out of the inbox, what a terminal obeys, what Windows cannot open: a bare, harmless name."""
    for number, (name, wanted) in enumerate(NAMES.items()):
        answer = upload(mine, name, recording(f"name {number}"))
        assert answer.status_code == 204, (name, answer.text)
        assert urllib.parse.unquote(answer.headers["x-recording-path"]) == wanted
        assert (site.inbox / wanted).is_file(), name
    for name in NO_NAMES:
        assert begin(mine, name).status_code == 400, name
    for long in ("x" * 240, "录" * 120):
        answer = upload(mine, f"{long}.wav", recording(long))
        path = urllib.parse.unquote(answer.headers["x-recording-path"])
        assert path.endswith(".wav")
        assert len(os.fsencode(path)) <= 255
    assert begin(mine, "x" * 3000 + ".wav").status_code == 400
    assert begin(mine, "x" * 9000 + ".wav").status_code == 400
    for inbox in ("../hr", "hr", "", "inbox/../hr", "inbox\x00"):
        assert begin(mine, "a.wav", inbox=inbox).status_code in (400, 404), inbox
    for metadata in ("", "filename", "filename ====,inbox", f"inbox {'A' * 7000}", "a b c,,,d", "inbox \xff"):
        headers = {"Upload-Length": "5", "Upload-Metadata": metadata.encode("latin-1")}
        assert mine.post(f"{API}/uploads", headers=headers).status_code in (400, 404), metadata


def test_same_file_that_is_sent_twice_lies_there_once(site: Gatewayed, mine: httpx.Client) -> None:
    """Whoever did not hear the answer sends it again; another file of that name gets a name of its own."""
    for content, wanted in ((b"1", "doppelt.wav"), (b"1", "doppelt.wav"), (b"2", "doppelt (2).wav")) * 2:
        answer = upload(mine, "doppelt.wav", recording("d") + content)
        assert urllib.parse.unquote(answer.headers["x-recording-path"]) == wanted
    assert len(list(site.inbox.glob("doppelt*.wav"))) == 2


def test_link_in_the_way_of_an_upload_is_neither_followed_nor_replaced(
    site: Gatewayed, mine: httpx.Client
) -> None:
    """Nor is it taken for the same file, though what it leads to is."""
    (site.inbox / "wohin.wav").symlink_to(site.folder / "hr" / "工资.wav")
    try:
        answer = upload(mine, "wohin.wav", recording(2))
        assert urllib.parse.unquote(answer.headers["x-recording-path"]) == "wohin (2).wav"
        assert (site.inbox / "wohin.wav").is_symlink()
    finally:
        (site.inbox / "wohin.wav").unlink()


# ---------------------------------------------------------------------- sizes


def test_sizes_that_are_announced_are_no_promise(site: Gatewayed, mine: httpx.Client) -> None:
    """Eight terabytes, less than nothing, more than was said, pieces in another order."""
    for length in (str(8 << 40), "-1", "0", "1e3", "9" * 5000, ""):
        assert begin(mine, "a.wav", length).status_code in REFUSED, length
    address = begin(mine, "langsam.wav", "10").headers["location"]
    for offset in ("5", "10", "-1", "x", "9" * 400):
        answer = mine.patch(address, content=b"12345", headers={**PIECE, "Upload-Offset": offset})
        assert answer.status_code in (400, 409), offset
    assert mine.patch(address, content=b"1" * 11, headers={**PIECE, "Upload-Offset": "0"}).status_code == 400
    assert mine.head(address).headers["upload-offset"] == "0"
    with socket.create_connection(("127.0.0.1", site.port)) as end:  # says 10, sends 4, goes
        head = f"PATCH {address} HTTP/1.1\r\nHost: a\r\nAuthorization: {mine.headers['authorization']}\r\n"
        piece = (
            "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: 10\r\n\r\n"
        )
        end.sendall(f"{head}{piece}1234".encode())
        eventually(lambda: mine.head(address).headers["upload-offset"] == "4", what="what was sent")
    other = {**PIECE, "Upload-Offset": "4"}
    eventually(lambda: mine.patch(address, content=b"", headers=other).status_code == 204, what="its turn")
    assert not (site.inbox / "langsam.wav").exists()
    deferred = {"Upload-Defer-Length": "1", "Upload-Metadata": "inbox aW5ib3g=,filename YS53YXY="}
    address = mine.post(f"{API}/uploads", headers=deferred).headers["location"]
    first = {**PIECE, "Upload-Offset": "0"}
    assert mine.patch(address, content=b"12345", headers=first).status_code == 204
    shorter = {**PIECE, "Upload-Offset": "5", "Upload-Length": "3"}
    assert mine.patch(address, headers=shorter).status_code == 400
    whole = {**PIECE, "Upload-Offset": "5", "Upload-Length": "5"}
    assert mine.patch(address, headers=whole).status_code == 204


def test_pieces_leave_room_on_the_disk_and_one_owner_leaves_room_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of an upload whose length nobody knew when it began."""
    spool = Spool(tmp_path)
    number = spool.begin(Upload("财务", "inbox", "a.wav", None))
    piece = spool.piece(number, 0)
    piece.write(b"12345")
    monkeypatch.setattr(spools, "ROOM_LEFT_BYTES", 1 << 62)
    with pytest.raises(OSError, match="space"):
        piece.write(b"6")
    piece.close()
    assert spool.offset_bytes(number) == 5
    with pytest.raises(NoRoomError, match="room"):
        spool.begin(Upload("财务", "inbox", "b.wav", 1))
    monkeypatch.undo()
    monkeypatch.setattr(spools, "MOST_OF_ONE_OWNER", 3)
    for _ in range(2):
        spool.begin(Upload("财务", "inbox", "c.wav", 1))
    with pytest.raises(NoRoomError, match="under way"):
        spool.begin(Upload("财务", "inbox", "c.wav", 1))
    spool.begin(Upload("人事", "hr", "d.wav", 1))


def test_what_is_no_recording_harms_nobody_who_would_listen(site: Gatewayed, mine: httpx.Client) -> None:
    """Tar, zip, text, headers that lie, sent as recordings: told as such, and the next is served."""
    kinds = ("empty.wav", "text.wav", "archive.mp3", "zeros.flac", "channels-255.wav", "huge-size.wav")
    sent = [each for each in plain() if each[0] in kinds]
    sent.append(("tar.wav", b"a\0".ljust(257, b"\0") + b"ustar\x0000" + bytes(5000)))
    numbers = {}
    for name, content in sent:
        answer = upload(mine, name, content)
        assert answer.status_code == (204 if content else 400), name
    for name, content in sent:
        if content:
            numbers[name] = eventually(lambda wanted=name: number_of(mine, wanted), what=name)
    for name, number in numbers.items():
        told = eventually(
            lambda wanted=number: settled(mine.get(f"{API}/recordings/{wanted}/playback")), what=name
        )
        assert told["state"] in ("ready", "failed"), name
        assert mine.get(f"{API}/recordings/{number}").json()["recording"]["state"] in (
            "failed",
            "waiting",
            "running",
        )
    assert mine.get(f"{API}/overview").status_code == 200


def number_of(client: httpx.Client, name: str) -> int | None:
    """Return the number of a recording of that name, once it was found."""
    found = client.get(f"{API}/recordings", params={"text": name, "limit": 200}).json()["recordings"]
    return next((each["id"] for each in found if each["path"] == name), None)


def settled(answer: httpx.Response) -> dict[str, str] | None:
    """Return what became of a copy to listen to."""
    told: dict[str, str] = answer.json()
    return told if answer.status_code == 200 and told["state"] not in ("making", "waiting") else None


# ---------------------------------------------------------------------- hotword lists

LISTS = {
    "combining marks": "".join(f"字{chr(0x300) * 500}{n}\n" for n in range(550)),
    "many words": "\n".join(f"词{n}" for n in range(45_000)),
    "another department's": "@include ../hr/奖金.txt\n@include ../../hr/奖金.txt\n",
    "an absolute path": "@include /etc/passwd\n@include /proc/self/environ\n",
    "nul, escapes": "a\0b\n\x1b[2J\n\u202e名\n" * 100,
    "wide": "𠮷" * 250_000,
}


@pytest.mark.parametrize("attack", LISTS)
def test_lists_that_are_put_cost_and_tell_no_more_than_a_list(mine: httpx.Client, attack: str) -> None:
    """However it is made: written, or refused, within bounds; nothing of others stands in the answer."""
    before = mine.get(f"{API}/hotwords/inbox").json()
    answer = mine.put(
        f"{API}/hotwords/inbox", json={"text": LISTS[attack], "digest": before["digest"]}, timeout=20
    )
    assert answer.status_code in (200, 400), answer.text
    assert BONUSES not in answer.text
    assert "root:" not in answer.text
    told = mine.get(f"{API}/hotwords/inbox")
    assert told.status_code == 200
    assert BONUSES not in told.text
    page = mine.get("/hotwords", params={"inbox": "inbox"})
    assert page.status_code == 200
    assert BONUSES not in page.text


def test_lists_that_are_too_long_are_refused_before_they_are_read(mine: httpx.Client) -> None:
    """Half a million words, four megabytes, eight."""
    digest = mine.get(f"{API}/hotwords/inbox").json()["digest"]
    for text in ("\n".join(f"词{n}" for n in range(599_049)), "字" * 1_300_000, "字" * 2_700_000):
        answer = mine.put(f"{API}/hotwords/inbox", json={"text": text, "digest": digest})
        assert answer.status_code in (400, 413)
    assert mine.get(f"{API}/hotwords/inbox").json()["digest"] == digest
    assert mine.put(f"{API}/hotwords/..%2Fhr", json={"text": "a", "digest": ""}).status_code in (404, 405)


@pytest.mark.parametrize("where", ["list", "copy"])
def test_link_in_place_of_a_list_is_neither_read_nor_written(
    site: Gatewayed, mine: httpx.Client, where: str
) -> None:
    """Nor one in place of the copy that is kept of it."""
    digest = mine.get(f"{API}/hotwords/inbox").json()["digest"]
    target = site.folder / "hr" / "奖金.txt"
    link = site.inbox / ("热词.txt" if where == "list" else "热词.txt.bak")
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    try:
        told = mine.get(f"{API}/hotwords/inbox")
        answer = mine.put(f"{API}/hotwords/inbox", json={"text": "词\n", "digest": digest})
        assert BONUSES not in told.text + answer.text + mine.get("/hotwords").text
        assert answer.status_code == (503 if where == "list" else 200)
        assert target.read_text(encoding="utf-8") == f"{BONUSES}\n"
    finally:
        link.unlink(missing_ok=True)


# ---------------------------------------------------------------------- texts


def test_corrections_are_text_and_nothing_else(site: Gatewayed, mine: httpx.Client) -> None:
    """Markup is shown, what steers a terminal is not kept, what is too long or no text is refused."""
    number = number_of(mine, "会议.wav")
    address = f"{API}/recordings/{number}/segments"
    for given in (
        SCRIPT,
        f"“{SCRIPT}”\x1b[2J\x00\u202e\u200b\r\nx",
        "{{ 7*7 }}{% raw %}",
        "=1+1",
        "𠮷" * 10_000,
    ):
        tag = mine.get(f"{API}/recordings/{number}").headers["etag"]
        answer = mine.patch(
            f"{address}/0", json={"text": given, "speaker": given[:90]}, headers={"If-Match": tag}
        )
        assert answer.status_code == 200, answer.text
        (first, *_) = mine.get(f"{API}/recordings/{number}").json()["passages"]
        assert not HARMFUL.search(first["text"] + first["speaker"])
        page = mine.get(f"/recordings/{number}").text
        assert SCRIPT not in page
        assert not HARMFUL.search(re.sub(r"[\n\t]", "", page))
    assert "{{" not in mine.get("/").text
    for body in (
        b'{"text": "\\ud800"}',
        b'{"text": "' + b"x" * 10_001 + b'"}',
        b"[" * 50_000,
        b"\xff",
        b'{"text": 1}',
    ):
        tag = mine.get(f"{API}/recordings/{number}").headers["etag"]
        headers = {"If-Match": tag, "Content-Type": "application/json"}
        answer = mine.patch(f"{address}/0", content=body, headers=headers)
        assert answer.status_code == 400, (body[:20], answer.text)
        assert answer.json()["error"]["message_zh"]
    for tag in ("", '"', "*", "9" * 90, "x" * 4000):
        answer = mine.patch(f"{address}/0", json={"text": "x"}, headers={"If-Match": tag.encode()})
        assert answer.status_code in (400, 412), tag
    written = eventually(lambda: text_of(site.inbox / "会议.txt", "𠮷"), what="the file")
    assert not HARMFUL.search(re.sub(r"\n", "", written))


def text_of(path: Path, wanted: str) -> str | None:
    """Return what a file says, once it says that."""
    text = path.read_text(encoding="utf-8")
    return text if wanted in text else None


def test_names_of_files_are_text_on_pages_and_in_tables(site: Gatewayed, mine: httpx.Client) -> None:
    """What somebody calls a file in the share: no markup, no formula, no line of a log, no way in a zip."""
    names = (
        f"{SCRIPT.replace('/', '')}.wav",
        '=HYPERLINK("x").wav',
        "＋1.wav",
        "\x1b]0;x\x07.wav",
        "\u202evaw.wav",
    )
    names += ("zeile\nzwei.wav", "[b]fett[.wav", "{{7*7}}.wav", "C:\\x.wav", "a\\..\\x.wav", "-2+3.wav")
    raw = [name.encode() for name in names] + [b"\xff\xfe.wav"]
    for count, name in enumerate(raw):
        drop(site.inbox / os.fsdecode(name), recording(f"file {count}"))
    within = {"since": "2000-01-01", "limit": 200}

    def listed() -> list[dict[str, str]] | None:
        found = mine.get(f"{API}/recordings", params=within).json()["recordings"]
        ours = [each for each in found if each["path"] in (*names, "\ufffd\ufffd.wav")]
        return ours if len(ours) == len(raw) and all(each["state"] == "done" for each in ours) else None

    ids = [each["id"] for each in eventually(listed, what="all of them done")]
    pages = [mine.get(path).text for path in ("/", "/recordings", *(f"/recordings/{each}" for each in ids))]
    pages.append(mine.get("/search", params={"q": "第0段"}).text)
    for page in pages:
        assert SCRIPT not in page
        assert "<img src=x" not in page
        assert not HARMFUL.search(re.sub(r"[\n\t]", "", page))
    table = mine.get(f"{API}/export", params={"id": ids, "format": "csv"})
    assert table.headers["content-disposition"] == 'attachment; filename="transcripts.csv"'
    assert not re.search(r'(?m)(^|,)"?\s*[=+@＋-]', table.text.replace("\ufeff", ""))
    assert not HARMFUL.search(re.sub(r"[\r\n\t\ufeff]", "", table.text))
    archive = zipfile.ZipFile(io.BytesIO(mine.get(f"{API}/export", params={"id": ids}).content))
    for name in archive.namelist():
        assert not HARMFUL.search(name)
        assert "/" not in name
        assert "\\" not in name
    assert len(archive.namelist()) == 2 * len(ids)
    told = mine.get(f"{API}/export", params={"id": ids, "format": "json"}).json()["recordings"]
    assert [each["recording"]["id"] for each in told] == ids


# ---------------------------------------------------------------------- questions

QUESTIONS = (
    '"', "'", "a AND", "NEAR(段 段, 2)", "*", "段*", "(", ")", "text:段", '段" OR "工资', "-段", "^段", "%",
    "段 OR 工资", "'; DROP TABLE recordings; --", "\x00", "段\x00工资", "\ud7ff", "\u202e段", "😀", "_",
    " ".join("甲乙丙丁" * 20), "a" * 1000, "段" * 1000, "%" * 200, "\\", "{}", SCRIPT,
)  # fmt: skip


def test_questions_find_what_they_say_and_nothing_of_others(mine: httpx.Client) -> None:
    """The index's own syntax, quotes, NUL, far too long ones: an answer that is described, soon."""
    for asked in QUESTIONS:
        for path in (f"{API}/search", "/search"):
            answer = mine.get(path, params={"q": asked}, timeout=10)
            assert answer.status_code in (200, 400), (asked, answer.text)
            assert "工资.wav" not in answer.text
            assert SCRIPT not in answer.text or path.startswith(API)
        listed = mine.get(f"{API}/recordings", params={"text": asked[:200]}, timeout=10)
        assert listed.status_code in (200, 400)
        assert "工资.wav" not in listed.text
    for mark in ("x", "9" * 400, "-1", "1.1.1", "\x00", "1;DROP"):
        assert mine.get("/search", params={"q": "段", "mark": mark}).status_code in (200, 400), mark
    for query in ({"since": "x' OR 1"}, {"state": "\x00"}, {"until": "9" * 32}, {"before": "9" * 30}):
        assert mine.get(f"{API}/recordings", params=query).status_code in (200, 400), query
    assert mine.get(f"{API}/search?q={'a' * 65_000}").status_code in REFUSED
    for name in ("../../etc/passwd", "%2e%2e%2fx", "x" * 5000, "\x1b[2J", SCRIPT):
        answer = mine.get(f"/v1/models/{urllib.parse.quote(name, safe='')}")
        assert answer.status_code in REFUSED, name
        assert SCRIPT not in answer.text or answer.headers["content-type"] == "application/json"
    for path in (
        "/static/..%2fshell.py",
        "/static/%2e%2e/texts.json",
        "/..%2f..%2fetc/passwd",
        "/enter/x",
    ):
        assert mine.get(path).status_code == 404, path


RANGES = (
    "bytes=-",
    "bytes=5-2",
    f"bytes=0-{1 << 70}",
    f"bytes={'9' * 5000}-",
    f"bytes=-{'9' * 5000}",
    "bytes=-0",
)


@pytest.mark.parametrize("asked", [*RANGES, "bytes=0-0,2-3,5-", "lines=1-2", "bytes=²-"])
def test_ranges_that_make_no_sense_are_answered(mine: httpx.Client, asked: str) -> None:
    """With the whole, a part, or that there is none."""
    address = f"{API}/recordings/{number_of(mine, '会议.wav')}/audio"
    answer = mine.get(address, headers={"Range": asked.encode("utf-8")})
    assert answer.status_code in (200, 206, 400, 416)


# ---------------------------------------------------------------------- OpenAI's form


def form(*parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> bytes:
    """Return a form of parts, each the words of its Content-Disposition and what it holds."""
    told = [
        f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n"
        for head, body in parts
    ]
    return b"".join(told) + end


FILE = ('name="file"; filename="a.wav"', recording("openai"))
FORMS = {
    "no end": form(FILE, end=b""),
    "two files": form(FILE, FILE),
    "no file": form(('name="model"', b"whisper-1")),
    "many parts": form(*[('name="x"', b"")] * 20_000),
    "long head": form((f'name="{"x" * 20_000}"', b"")),
    "large field": form(('name="prompt"', b"x" * 2_000_000), FILE),
    "many words": form(FILE, ('name="prompt"', " ".join(f"w{n}" for n in range(20_000)).encode())),
    "wild model": form(FILE, ('name="model"', b"../../etc/passwd\x1b[2J")),
    "wild inbox": form(FILE, ('name="inbox"', b"../hr")),
    "wild language": form(FILE, ('name="language"', b"\x00' OR 1")),
    "rubbish": os.urandom(100_000),
    "nothing": b"",
    "returns": form(('name="file"; filename="a.wav"', b"\r" * 500_000)),
}


@pytest.mark.parametrize("attack", FORMS)
def test_forms_of_every_make_are_answered(mine: httpx.Client, attack: str) -> None:
    """In OpenAI's envelope, soon."""
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = mine.post("/v1/audio/transcriptions", content=FORMS[attack], headers=headers, timeout=20)
    assert answer.status_code in REFUSED, answer.text
    assert answer.json()["error"]["message"]
    assert not HARMFUL.search(answer.json()["error"]["message"])


def test_names_and_words_of_a_form_steer_nothing(mine: httpx.Client) -> None:
    """A file's name that leads elsewhere, words made of combining marks: transcribed all the same."""
    for count, name in enumerate(
        ("../../hr/x.wav", "\x1b[2J\u202e.wav", "x" * 400 + ".wav", "..", "NUL", "")
    ):
        files = {"file": (name or "leer", recording(f"form {count}"))}
        marks = [f"字{chr(0x301) * 590}" for _ in range(50)]
        answer = mine.post("/v1/audio/transcriptions", files=files, data={"keywords[]": marks}, timeout=30)
        assert answer.status_code == 200, answer.text


def test_bodies_beyond_all_bounds_are_not_taken(site: Gatewayed) -> None:
    """Not even read, from anybody: the framework would keep all of it before it asks who sends it."""
    for head, status in (
        ("POST /api/v1/session HTTP/1.1\r\nContent-Length: 8000000000", b"413"),
        ("PUT /api/v1/hotwords/inbox HTTP/1.1\r\nTransfer-Encoding: chunked", b"413"),
    ):
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as end:
            end.sendall(f"{head}\r\nHost: a\r\nContent-Type: application/json\r\n\r\n".encode())
            if b"chunked" in head.encode():
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    for _ in range(200):
                        end.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert status in end.recv(200)
