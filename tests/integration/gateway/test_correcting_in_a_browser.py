"""Two people correct a transcript in their browsers: what each sees of the other, and the file they get."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from browsing import SOON_MS, RealSite, Watched, chromium, log_in, until
from playwright.sync_api import expect

from support import SAMPLES, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.slow

OUTDATED = "status of 412"  # a browser says so of an answer that is meant to be one


class Site(RealSite):
    """With a hotword list, and two recordings in which the same name is said."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hotwords = folder / "热词.txt"
        self.hotwords.write_text("预算会议\n", encoding="utf-8")
        config = self.config_path.read_text(encoding="utf-8")
        with_list = f'formats = ["txt"]\nhotwords = "{self.hotwords}"'
        self.config_path.write_text(config.replace('formats = ["txt"]', with_list, 1), encoding="utf-8")

    def text_of(self, name: str) -> str:
        """Return the transcript beside a recording, "" where there is none."""
        path = self.inbox / f"{name}.txt"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return both processes, with two recordings transcribed, in this order."""
    with Site(tmp_path_factory.mktemp("site")) as site:
        site.start()
        for number, name in enumerate(("例会.m4a", "复会.m4a"), 1):
            shutil.copy(SAMPLES / "finance.m4a", site.inbox / "new.part")
            with (site.inbox / "new.part").open("ab") as file:
                file.write(bytes(number))  # another recording than the one before
            (site.inbox / "new.part").rename(site.inbox / name)
            site.wait_until_done(number)
        yield site
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.fixture(scope="module")
def tokens(site: Site) -> list[str]:
    """Let two in who may edit."""
    return [site.let_in(name, "inbox", may="edit") for name in ("王敏", "李主任")]


@pytest.fixture
def two(site: Site, browser: Browser, tokens: list[str]) -> Iterator[tuple[Page, Page]]:
    """Return the pages of two who may edit; fail afterwards where one asked elsewhere or complained."""
    pages, watches = [], []
    for token in tokens:
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{site.port}", locale="zh-CN", viewport={"width": 1280, "height": 800}
        )
        context.set_default_timeout(SOON_MS)
        watches.append(Watched(context, site.port))
        page = context.new_page()
        log_in(page, token)
        pages.append(page)
    yield pages[0], pages[1]
    for page, watched in zip(pages, watches, strict=True):
        page.context.close()
        assert watched.elsewhere == []
        assert [said for said in watched.complaints if OUTDATED not in said] == []


def segment(page: Page, number: int) -> Locator:
    """Return a segment as it is read."""
    return page.locator("li.segment").nth(number)


def edit(page: Page, number: int, text: str, key: str = "Enter") -> None:
    """Give a segment another text."""
    segment(page, number).hover()
    segment(page, number).get_by_role("button", name="编辑").click()
    page.locator(".editing textarea").fill(text)
    page.keyboard.press(key)


def test_two_people_correct_a_transcript(site: Site, two: tuple[Page, Page]) -> None:
    """Saved at once and in the file soon; the second is shown both texts; what each undoes is undone."""
    one, other = two
    for page in two:
        page.goto("/recordings/1")
        until(page, "document.getElementById('audio').currentSrc.endsWith('/playback.flac')")
    expect(one.locator("#map.drawn")).to_have_count(1)
    recognised = segment(one, 1).locator(".text").inner_text()
    edit(one, 1, "大家好，我是王敏。")
    expect(one.locator("#saved")).to_contain_text("已保存")
    expect(segment(one, 1).locator(".text")).to_have_text("大家好，我是王敏。")
    eventually(lambda: "大家好，我是王敏。" in site.text_of("例会"), what="the file")

    edit(other, 1, "大家好，我是李主任。")
    clash = other.locator(".clash")
    expect(clash).to_contain_text("王敏")
    expect(clash).to_contain_text("大家好，我是王敏。")
    clash.get_by_role("button", name="用我的").click()
    expect(segment(other, 1).locator(".text")).to_have_text("大家好，我是李主任。")
    eventually(lambda: "李主任" in site.text_of("例会"), what="the other's text in the file")

    edit(one, 4, "同比增长了四分之一。")  # on a page that has not heard of it: another place, nobody is asked
    expect(segment(one, 4).locator(".text")).to_have_text("同比增长了四分之一。")
    expect(segment(one, 1).locator(".text")).to_have_text("大家好，我是李主任。")

    one.on("dialog", lambda dialog: dialog.accept())  # the newest is not always one's own
    for _ in range(3):
        with one.expect_response(lambda answer: answer.url.endswith("/undo")):
            one.get_by_role("button", name="撤销").click()
    expect(segment(one, 1).locator(".text")).to_have_text(recognised)
    eventually(lambda: "李主任" not in site.text_of("例会"), what="the file as it was")
    one.locator("#history summary").click()
    expect(one.locator("#steps > li")).to_have_count(6)
    expect(one.locator("#steps > li.undone")).to_have_count(3)


def test_keys_split_join_and_name_who_speaks(site: Site, two: tuple[Page, Page]) -> None:
    """From segment to segment without the mouse; Escape changes nothing."""
    page, _ = two
    page.goto("/recordings/1")
    expect(page.locator("li.segment")).to_have_count(5)
    until(page, "document.getElementById('audio').readyState >= 1")
    page.keyboard.press("Control+Enter")
    text, speaker = page.locator(".editing textarea"), page.locator(".editing input")
    first = text.input_value()
    speaker.fill("王敏")
    page.keyboard.press("Control+Enter")
    expect(text).not_to_have_value(first)
    second = text.input_value()
    text.fill("不要的字")
    page.keyboard.press("Escape")
    expect(segment(page, 0).locator(".speaker")).to_have_text("王敏")
    expect(segment(page, 1).locator(".text")).to_have_text(second)
    segment(page, 1).get_by_role("button", name="编辑").click()
    page.evaluate("document.querySelector('.editing textarea').setSelectionRange(3, 3)")
    page.keyboard.press("Alt+Enter")
    expect(page.locator("li.segment")).to_have_count(6)
    expect(text).to_have_value(second[3:])
    page.keyboard.press("Escape")
    expect(segment(page, 1).locator(".text")).to_have_text(second[:3])
    segment(page, 1).get_by_role("button", name="编辑").click()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("li.segment")).to_have_count(5)
    joined = segment(page, 1).locator(".text")
    expect(joined).to_contain_text(second[3:])
    assert joined.inner_text().replace(" ", "") == second  # without punctuation, a space is between them
    eventually(lambda: "王敏" in site.text_of("例会"), what="the speaker in the file")


def test_words_corrected_twice_are_offered_and_a_text_is_forgotten(
    site: Site, two: tuple[Page, Page]
) -> None:
    """One click adds them to the list, with a copy of what it was; forgetting is confirmed and told."""
    page, _ = two
    for number in (1, 2):
        page.goto(f"/recordings/{number}")
        until(page, "document.getElementById('audio').readyState >= 1")
        said = segment(page, 3).locator(".text").inner_text()
        assert "郭朱远" in said
        edit(page, 3, said.replace("郭朱远", "郭竹原"))
        expect(segment(page, 3).locator("mark.corrected")).to_have_count(1)
    page.goto("/hotwords?inbox=inbox")
    page.locator("#suggested").get_by_role("button").first.click()
    expect(page.locator("#suggested")).to_have_count(0)
    assert "郭竹原" in site.hotwords.read_text(encoding="utf-8")
    assert [path.read_text(encoding="utf-8") for path in site.folder.glob("热词.备份-*")] == ["预算会议\n"]

    page.goto("/recordings/2")
    page.get_by_role("button", name="删除文稿").click()
    expect(page.locator("#held")).to_have_text("没有备份含有这份文稿。")
    page.get_by_role("button", name="取消").click()
    assert site.text_of("复会")
    page.get_by_role("button", name="删除文稿").click()
    page.get_by_role("button", name="永久删除").click()
    expect(page.locator("#forgetting-told")).to_contain_text("复会.txt")
    page.get_by_role("button", name="关闭").click()
    expect(page.get_by_text("由 王敏 永久删除")).to_be_visible()
    assert site.text_of("复会") == ""
    assert (site.inbox / "复会.m4a").exists()
