"""Corrected, listened to, transcribed again, forgotten: real daemon, real model, real gateway."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from gatewayed import Gatewayed

from support import SAMPLES, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

API = "/api/v1"
SAMPLE = SAMPLES / "lecture.wav"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatewayed]:
    """Return both processes, with a recording that the built-in model transcribed."""
    with Gatewayed(tmp_path_factory.mktemp("site")) as site:
        site.program, site.environment = ("-m", "asr_daemon"), {}
        site.start()
        convert(SAMPLE, site.inbox / "会议.mp3", "-c:a", "libmp3lame", "-q:a", "5", "-write_xing", "0")
        site.wait_until_done(1)
        yield site
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.fixture(scope="module")
def first(site: Gatewayed) -> Iterator[httpx.Client]:
    """Return one who may edit."""
    with site.client(site.let_in("秘书", "inbox", may="edit")) as client:
        yield client


@pytest.fixture(scope="module")
def second(site: Gatewayed) -> Iterator[httpx.Client]:
    """Return another one."""
    with site.client(site.let_in("主任", "inbox", may="edit")) as client:
        yield client


def detail(client: httpx.Client) -> tuple[str, list[dict[str, Any]]]:
    """Return the text's version and its segments."""
    answer = client.get(f"{API}/recordings/1")
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"], answer.json()["passages"]


def write(client: httpx.Client, etag: str, text: str) -> httpx.Response:
    """Give the first segment a text."""
    path = f"{API}/recordings/1/segments/0"
    return client.patch(path, json={"text": text}, headers={"If-Match": etag})


def transcript(folder: Path) -> str:
    """Return the file beside the recording."""
    return (folder / "会议.txt").read_text(encoding="utf-8")


def test_two_editors_and_the_file_in_the_share(
    site: Gatewayed, first: httpx.Client, second: httpx.Client
) -> None:
    """The first's text is in force at once and soon in the file; the second is told of it, with the text."""
    etag, passages = detail(first)
    answer = write(first, etag, "王小明在第一排。")
    assert answer.status_code == 200, answer.text
    assert answer.json()["passages"][0]["text"] == "王小明在第一排。"
    late = write(second, etag, "别的")
    assert late.status_code == 412
    told = late.json()
    assert told["error"]["code"] == "changed"
    assert [step["who"] for step in told["current"]["steps"]] == ["秘书"]
    assert told["current"]["passages"][0]["text"] == "王小明在第一排。"
    assert late.headers["etag"] == answer.headers["etag"] == detail(second)[0]
    assert first.get(f"{API}/search", params={"q": "王小明"}).json()["places"][0]["recording"] == 1
    eventually(lambda: "王小明在第一排。" in transcript(site.inbox), what="the file")
    undone = second.post(f"{API}/recordings/1/corrections/undo", headers={"If-Match": late.headers["etag"]})
    assert undone.json()["passages"][0]["text"] == passages[0]["text"]
    eventually(lambda: "王小明" not in transcript(site.inbox), what="the file as it was")
    log = site.log_text() + site.gateway_log.read_text(encoding="utf-8")
    assert "王小明" not in log
    assert "transcript_corrected" in log


def test_killed_daemon_loses_nothing_that_it_said_was_saved(site: Gatewayed, first: httpx.Client) -> None:
    """Whatever was acknowledged is in force after the restart, and the file says the same."""
    for _ in range(2):
        etag = detail(first)[0]
        saved: list[str] = []
        over = threading.Event()

        def edit(etag: str = etag, saved: list[str] = saved, over: threading.Event = over) -> None:
            for number in range(10_000):
                text = f"第{number}版"
                try:
                    answer = write(first, etag, text)
                except httpx.HTTPError:
                    break
                if answer.status_code != 200:
                    break
                saved.append(text)
                etag = answer.headers["etag"]
            over.set()

        writer = threading.Thread(target=edit)
        writer.start()
        eventually(lambda saved=saved: len(saved) > 5, what="some corrections")  # type: ignore[misc]
        assert site._process is not None
        site._process.kill()
        site._process.wait()
        writer.join()
        assert over.is_set()
        site.launch()
        eventually(site._answers, what="the daemon's start")
        text = detail(first)[1][0]["text"]
        assert text in (saved[-1], f"第{len(saved)}版")  # the last may have been saved, and not been said
        eventually(lambda text=text: text in transcript(site.inbox), what="the file")  # type: ignore[misc]
        site.check_integrity()


def test_transcribed_again_it_keeps_what_people_wrote(site: Gatewayed, first: httpx.Client) -> None:
    """The same model hears the same words: the correction lies over them."""
    etag, _ = detail(first)
    write(first, etag, "人写的一段。")
    before = first.get(f"{API}/recordings/1").json()
    assert first.post(f"{API}/recordings/1/retry").status_code == 200
    eventually(lambda: detail(first)[0] != etag and len(detail(first)[1]) > 0, what="another recognition")
    site.wait_until_done(1)
    after = first.get(f"{API}/recordings/1").json()
    assert [each["text"] for each in after["passages"]] == [each["text"] for each in before["passages"]]
    assert after["passages"][0]["text"] == "人写的一段。"
    assert first.get(f"{API}/recordings/1/corrections").json()["unplaced"] == []
    shown = site.command("show", "1")
    assert "人写的一段。" in shown.stdout
    assert "corrected: " in shown.stderr
    assert "秘书" in shown.stderr


def test_copy_is_listened_to_from_any_byte(site: Gatewayed, first: httpx.Client) -> None:
    """Made when somebody first asks; ranges to the end, the peaks of the whole."""
    path = f"{API}/recordings/1/playback"

    def ready() -> bool:
        told = first.get(path).json()
        assert told["state"] != "failed", told
        return bool(told["state"] == "ready")

    eventually(ready, what="the copy")
    whole = first.get(f"{path}.flac")
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.content.startswith(b"fLaC")
    size = len(whole.content)
    tail = first.get(f"{path}.flac", headers={"Range": f"bytes={size - 100}-"})
    assert (tail.status_code, tail.content) == (206, whole.content[-100:])
    assert tail.headers["content-range"] == f"bytes {size - 100}-{size - 1}/{size}"
    assert first.get(f"{path}.flac", headers={"Range": f"bytes={size}-"}).status_code == 416
    every = first.get(f"{API}/recordings/1/peaks", params={"format": "binary"}).content
    duration_s = first.get(f"{API}/recordings/1").json()["recording"]["duration_ms"] / 1000
    assert len(every) == pytest.approx(duration_s * 20, abs=2)
    some = first.get(f"{API}/recordings/1/peaks", params={"points": 50}).json()
    assert len(some["peaks"]) <= 50
    assert max(some["peaks"]) == max(every)
    with site.client(site.let_in("人事", "hr")) as other:
        for part in (path, f"{path}.flac", f"{API}/recordings/1/peaks"):
            assert other.get(part).status_code == 404


def test_forgotten_for_good_and_the_sound_stays(site: Gatewayed, first: httpx.Client) -> None:
    """Not a word is left in the history's bytes; the recording lies there, and is left alone."""
    etag, _ = detail(first)
    write(first, etag, "Zwieback还在吗。")
    eventually(lambda: "Zwieback" in transcript(site.inbox), what="the file")
    refused = site.command("forget", "1")
    assert refused.returncode == 130  # nobody said yes
    assert "Zwieback" in transcript(site.inbox)
    told = first.delete(f"{API}/recordings/1/transcript")
    assert told.status_code == 200, told.text
    assert told.json()["removed"] == ["会议.txt"]
    assert [path.name for path in site.inbox.iterdir()] == ["会议.mp3"]
    held = b"".join(path.read_bytes() for path in (site.folder / "state").glob("history.db*"))
    assert b"wieback" not in held.lower()
    assert not list((site.folder / "state" / "playback").iterdir())
    assert first.get(f"{API}/search", params={"q": "Zwieback"}).json()["places"] == []
    assert first.get(f"{API}/recordings/1/transcript.txt").status_code == 409
    again = site.command("forget", "--yes", "--json", "1")
    assert again.returncode == 0, again.stderr
    assert [path.name for path in site.inbox.iterdir()] == ["会议.mp3"]
