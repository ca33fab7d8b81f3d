"""The console at work, in a browser: a list tried, voices named, and drafts that outlive the page."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from browsing import SOON_MS, RealSite, Watched, chromium, log_in
from playwright.sync_api import expect

from support import SAMPLES, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.slow

MEANT = ("status of 401", "status of 412", "status of 400")  # a browser complains of answers that are meant


class Site(RealSite):
    """With a hotword list, and a recording in which two people speak."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hotwords = folder / "热词.txt"
        self.hotwords.write_text("黄敏\n", encoding="utf-8")
        config = self.config_path.read_text(encoding="utf-8")
        more = f'formats = ["txt"]\nspeakers = true\nhotwords = "{self.hotwords}"'
        self.config_path.write_text(config.replace('formats = ["txt"]', more, 1), encoding="utf-8")

    def text(self) -> str:
        """Return the transcript beside the recording."""
        return (self.inbox / "采访.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return both processes, with the recording transcribed."""
    with Site(tmp_path_factory.mktemp("site")) as site:
        site.start()
        shutil.copy(SAMPLES / "interview.ogg", site.inbox / "new.part")
        (site.inbox / "new.part").rename(site.inbox / "采访.ogg")
        site.wait_for("inbox/采访.txt")
        yield site
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    """Let somebody in who may edit."""
    return site.let_in("王敏", "inbox", may="edit")


@pytest.fixture
def page(site: Site, browser: Browser, token: str) -> Iterator[Page]:
    """Return their page; fail afterwards where it asked elsewhere or complained."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{site.port}", locale="zh-CN")
    context.set_default_timeout(SOON_MS)
    watched = Watched(context, site.port)
    page = context.new_page()
    log_in(page, token)
    yield page
    context.close()
    assert watched.elsewhere == []
    assert [said for said in watched.complaints if not any(each in said for each in MEANT)] == []


def begin(page: Page, number: int, text: str) -> Locator:
    """Begin to write another text for a segment; return where it is written."""
    row = page.locator("li.segment").nth(number)
    row.hover()
    row.get_by_role("button", name="编辑").click()
    field = page.locator(".editing textarea")
    field.fill(text)
    return field


def test_a_list_is_tried_before_it_is_saved(site: Site, page: Page) -> None:
    """Both texts, what differs is marked, hits too; neither list nor transcript nor history changes."""
    before, history = site.text(), len(site.history())
    page.goto("/hotwords?inbox=inbox")
    page.locator("#words").fill("朱思远\n采购部")
    page.get_by_role("button", name="试用").click()
    expect(page.locator("#tried")).to_be_visible()
    expect(page.locator("#tried-sum")).to_contain_text("2 个词")
    page.locator("#tried-changed").uncheck()
    expect(page.locator("table.tried td.after .hotword").first).to_be_visible()
    assert page.locator("table.tried tbody tr").count() >= 5
    page.locator("input[name=from]").fill("9:59")
    page.get_by_role("button", name="试用").click()
    expect(page.locator("#try-wrong")).to_have_text("录音没有这么长。")
    assert site.hotwords.read_text(encoding="utf-8") == "黄敏\n"
    assert site.text() == before
    eventually(lambda: len(site.history()) == history, what="a history without what was tried")
    page.locator("#words").fill("黄敏\n")  # as it was: the page may be left


def test_a_voice_is_named_remembered_and_forgotten(site: Site, page: Page) -> None:
    """On the page and in the file at once; what is stored is said where it is asked for."""
    page.goto("/recordings/1")
    chips = page.locator(".speaker-chip")
    expect(chips).to_have_count(2)
    chips.first.click()
    expect(page.locator("#naming-stored")).to_contain_text("生物识别")
    page.get_by_label("姓名").fill("林夏")
    page.locator("#naming-remember input").check()
    page.locator("#naming").get_by_role("button", name="保存").click()
    expect(page.locator("li.segment .speaker").first).to_have_text("林夏")
    expect(chips.first).to_contain_text("林夏")
    eventually(lambda: "林夏 00:00:0" in site.text(), what="the name in the file")
    page.get_by_role("button", name="重新区分发言人").click()
    page.locator("#regrouping-count").select_option("1")
    page.locator("#regrouping").get_by_role("button", name="重新区分").click()
    expect(chips).to_have_count(1)
    page.get_by_role("link", name="这个文件夹记住的声音").click()
    expect(page.locator("#known tbody tr")).to_have_count(1)
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#known").get_by_role("button", name="忘记").click()
    expect(page.locator("#known tbody tr")).to_have_count(0)
    assert site.command("speakers", "list").stdout.startswith("Nobody")


def test_what_was_being_written_is_offered_again(site: Site, page: Page, token: str) -> None:
    """After a reload, a lost session and another's change; it goes with saving, leaving and logging out."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/recordings/1")
    texts = page.locator("li.segment .text").all_inner_texts()
    begin(page, 1, "还没有保存的一句")
    page.reload()
    offers = page.locator("#drafts li")
    expect(offers).to_have_count(1)
    offers.get_by_role("button", name="继续修改").click()
    expect(page.locator(".editing textarea")).to_have_value("还没有保存的一句")
    page.context.clear_cookies()  # the session is lost
    page.keyboard.press("Enter")
    expect(page).to_have_url("/login?next=%2Frecordings%2F1")
    page.get_by_label("访问口令").fill(token)
    page.get_by_role("button", name="登录").click()
    offers.get_by_role("button", name="继续修改").click()
    page.locator(".editing textarea").press("Enter")
    expect(page.locator("#saved")).to_contain_text("已保存")
    expect(page.locator("li.segment .text").nth(1)).to_have_text("还没有保存的一句")
    page.reload()
    expect(page.locator("li.segment")).to_have_count(len(texts))
    expect(offers).to_have_count(0)

    begin(page, 2, "我写的")
    page.goto("/recordings")
    with site.client(site.let_in("李主任", "inbox", may="edit")) as other:
        shown = other.get("/api/v1/recordings/1")
        headers = {"If-Match": shown.headers["etag"]}
        saved = other.patch("/api/v1/recordings/1/segments/2", json={"text": "别人写的"}, headers=headers)
        assert saved.status_code == 200
    page.goto("/recordings/1")
    expect(offers).to_contain_text("别人写的")
    offers.get_by_role("button", name="用我的继续修改").click()
    page.locator(".editing textarea").press("Enter")
    expect(page.locator("li.segment .text").nth(2)).to_have_text("我写的")

    begin(page, 0, "不要的").press("Escape")
    begin(page, 0, "退出时的")
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_label("访问口令")).to_be_visible()
    log_in(page, token)
    page.goto("/recordings/1")
    expect(page.locator("li.segment .text").first).to_have_text(texts[0])
    expect(offers).to_have_count(0)
