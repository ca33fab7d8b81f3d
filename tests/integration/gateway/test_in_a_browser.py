"""The console in a real browser: what an office worker does with it on a day, and what they must not see.

Debian's Chromium through Playwright, which downloads none; skips where there is no Chromium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import SOON_MS, RealSite, Watched, chromium, log_in, until
from playwright.sync_api import expect

from support import SAMPLES, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """Return both processes."""
    with RealSite(tmp_path_factory.mktemp("site")) as site:
        site.start()
        yield site
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.fixture(scope="module")
def token(site: RealSite) -> str:
    """Let somebody in who may do everything in one inbox."""
    return site.let_in("王敏", "inbox", may="upload,edit,operate")


@pytest.fixture
def watched(site: RealSite, browser: Browser) -> Iterator[tuple[Page, Watched]]:
    """Return a page, and fail afterwards where it asked elsewhere or complained."""
    base = f"http://127.0.0.1:{site.port}"
    context = browser.new_context(
        base_url=base, locale="zh-CN", viewport={"width": 1280, "height": 800}, permissions=["microphone"]
    )
    context.set_default_timeout(SOON_MS)
    watched = Watched(context, site.port)
    yield context.new_page(), watched
    context.close()
    assert watched.elsewhere == []
    assert watched.complaints == []


def middle_of(page: Page, word: str) -> tuple[float, float]:
    """Return where a word of the transcript stands on the screen."""
    box = page.evaluate(
        """word => {
            const text = document.getElementById("transcript");
            const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
            for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                const at = node.nodeValue.indexOf(word);
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(node, at);
                range.setEnd(node, at + word.length);
                range.startContainer.parentElement.scrollIntoView({ block: "center" });
                const box = range.getBoundingClientRect();
                return [box.left + box.width / 2, box.top + box.height / 2];
            }
            return null;
        }""",
        word,
    )
    assert box is not None, f"{word} is not on the page"
    return box[0], box[1]


def test_a_day_with_the_console(site: RealSite, token: str, watched: tuple[Page, Watched]) -> None:
    """Log in, upload three files, see them done, listen from a word, search, look on a phone, log out."""
    page, _ = watched
    log_in(page, token)
    upload_three(page, site.folder / "inbox")
    page.locator("#uploading a", has_text="finance.m4a").click()
    listen(page)
    search(page)
    export(page)
    look_on_a_phone(page)
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_label("访问口令")).to_be_visible()
    page.goto("/recordings/1")
    expect(page).to_have_url("/login?next=/recordings/1")


def upload_three(page: Page, inbox: Path) -> None:
    """Choose three files and wait for their transcripts."""
    page.get_by_role("link", name="上传").click()
    files = [SAMPLES / name for name in ("finance.m4a", "support.mp3", "lecture.wav")]
    page.locator("#files").set_input_files(files)
    expect(page.locator("#uploading li")).to_have_count(3)
    expect(page.locator("#uploading .told.good")).to_have_count(3)
    expect(page.locator("#sum")).to_have_text("3 个中 3 个完成")
    assert (inbox / "finance.m4a").read_bytes() == files[0].read_bytes()
    assert (inbox / "finance.txt").exists()


def test_files_chosen_before_the_script_came_are_taken(
    site: RealSite, token: str, watched: tuple[Page, Watched]
) -> None:
    """Over a slow line the button works before the script is there: what was chosen meanwhile is not lost."""
    page, _ = watched
    log_in(page, token)
    held: list[Route] = []
    page.route("**/upload.js*", lambda route: held.append(route))  # noqa: PLW0108 (Playwright marks it)
    page.goto("/upload", wait_until="commit")
    page.locator("#files").set_input_files([SAMPLES / "lecture.wav"])
    eventually(lambda: page.evaluate("true") and held, what="the script being asked for")
    held[0].continue_()
    expect(page.locator("#uploading .told.good")).to_have_count(1)


def listen(page: Page) -> None:
    """Click a word: the player is there; the word is marked; keys steer it."""
    expect(page.get_by_role("heading", name="finance.m4a")).to_be_visible()
    until(page, "document.getElementById('audio').readyState >= 1")
    detail = page.evaluate("fetch('/api/v1' + location.pathname).then(answer => answer.json())")
    passage = detail["passages"][1]
    spoken = passage["words"][4]
    assert passage["text"].startswith("".join(word["text"] for word in passage["words"][:5]))
    page.mouse.click(*middle_of(page, passage["text"][4]))
    until(page, "!document.getElementById('audio').paused")
    page.keyboard.press("Space")
    until(page, "document.getElementById('audio').paused")
    heard_s = page.evaluate("document.getElementById('audio').currentTime")
    assert spoken["start_ms"] / 1000 - 0.05 <= heard_s <= spoken["start_ms"] / 1000 + 2.5
    marked = page.evaluate("[...CSS.highlights.get('spoken')].map(String).join('')")
    assert marked in passage["text"]
    expect(page.locator(".segment.current")).to_have_attribute("data-index", "1")
    expect(page.locator("#transcript mark.number").first).to_have_attribute(
        "title", "原话：二零二五年三月十五号"
    )
    page.keyboard.press("ArrowUp")
    expect(page.locator(".segment.current")).to_have_attribute("data-index", "0")


def search(page: Page) -> None:
    """Find two words, and go to where one was said."""
    page.get_by_role("link", name="搜索").click()
    page.get_by_role("searchbox").fill("预算 会议")
    page.keyboard.press("Enter")
    found = page.locator(".found > li")
    expect(found.first).to_contain_text("finance.m4a")
    found.locator("a.at").first.click()
    until(page, "document.getElementById('audio').readyState >= 1")
    expect(page.locator(".segment.current")).to_have_count(1)


def export(page: Page) -> None:
    """Take a transcript along."""
    page.get_by_role("link", name="录音").first.click()
    page.locator("tbody input").first.check()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载文稿").click()
    assert download.value.suggested_filename == "transcripts.zip"


def look_on_a_phone(page: Page) -> None:
    """Every page fits its width, and the way to the others is on the screen."""
    page.set_viewport_size(PHONE)
    for path in (
        "/",
        "/recordings",
        "/recordings/1",
        "/search?q=预算",
        "/upload",
        "/live",
        "/hotwords",
        "/models",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        expect(page.get_by_role("navigation").get_by_role("link", name="总览")).to_be_in_viewport()


def test_recording_with_the_microphone_becomes_a_transcript(
    site: RealSite, token: str, watched: tuple[Page, Watched]
) -> None:
    """Slices are with the server while recording; a visit that was cut off is offered again and sent."""
    page, _ = watched
    log_in(page, token)
    page.goto("/upload")
    page.get_by_role("button", name="开始录音").click()
    spool = site.folder / "state" / "gateway" / "uploads"
    until(page, "document.getElementById('recorded').textContent !== ''")
    eventually(
        lambda: any(path.stat().st_size for path in spool.glob("*.data")),
        what="a slice of what is being recorded",
    )
    page.goto("/")  # as if the lid had been closed
    page.goto("/upload")
    kept = page.locator("#kept li")
    expect(kept).to_have_count(1)
    kept.get_by_role("button", name="上传").click()
    expect(page.locator("#uploading .told")).to_contain_text("已收到")
    arrived = [path for path in (site.folder / "inbox").iterdir() if path.suffix == ".webm"]
    assert len(arrived) == 1
    assert arrived[0].read_bytes()[:4] == b"\x1aE\xdf\xa3"
    expect(kept).to_have_count(0)
    assert not list(spool.glob("*.data"))


def test_language_is_the_browsers(site: RealSite, browser: Browser) -> None:
    """English for those who ask for it."""
    with browser.new_context(base_url=f"http://127.0.0.1:{site.port}", locale="en-GB") as context:
        page = context.new_page()
        page.goto("/login")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
