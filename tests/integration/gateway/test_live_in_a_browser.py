"""Live captions as a lecturer and the hall see them: Chromium, whose microphone says a lecture."""

from __future__ import annotations

import re
import shutil
import wave
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import pytest
from browsing import SOON_MS, RealSite, Watched, chromium, log_in
from playwright.sync_api import expect

from support import SAMPLES, eventually, reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}
ALIKE = 0.8  # of characters: the small model, and a microphone that a busy machine makes stutter
KEEPING_WHAT_IS_GREY = """() => {
    window.grey = [];
    const keep = () => window.grey.push(document.querySelector(".saying").textContent);
    const said = document.getElementById("said");
    new MutationObserver(keep).observe(said, { subtree: true, childList: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Chromium, whose microphone says the lecture once."""
    with chromium(f"--use-file-for-fake-audio-capture={SAMPLES / 'lecture.wav'}%noloop") as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """Return both processes."""
    with RealSite(tmp_path_factory.mktemp("site")) as site:
        site.start()
        shutil.copy(SAMPLES / "voice.ogg", site.folder / "hr")
        site.wait_for("hr/voice.txt")  # the model is loaded: the lecture is heard as it is spoken
        yield site
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


def alike(one: str, other: str) -> float:
    """Return how much of two texts is the same, marks aside."""
    bare = ["".join(each for each in text if each.isalnum()) for text in (one, other)]
    return SequenceMatcher(None, *bare, autojunk=False).ratio()


def captions(page: Page) -> list[str]:
    """Return the final ones on a page."""
    return page.locator("#said p[data-number]").all_text_contents()


def test_lecture_is_read_in_the_hall_and_becomes_a_recording_with_its_transcript(
    site: RealSite, browser: Browser
) -> None:
    """Through a gateway that is killed in the middle: the lecturer goes on speaking, and no word is lost."""
    token = site.let_in("王老师", "inbox", may="upload")
    base = f"http://127.0.0.1:{site.port}"
    with browser.new_context(base_url=base, locale="zh-CN", permissions=["microphone"]) as context:
        context.set_default_timeout(SOON_MS)
        watched = Watched(context, site.port)
        page = context.new_page()
        log_in(page, token)
        page.get_by_role("link", name="实时字幕").click()
        page.evaluate(KEEPING_WHAT_IS_GREY)
        page.get_by_label("这次的热词").fill("声学模型 语言模型")
        page.get_by_role("button", name="开始", exact=True).click()
        expect(page.locator("#device option")).not_to_have_count(0)
        with browser.new_context(base_url=base, locale="zh-CN", viewport=PHONE) as hall:
            reader = hall.new_page()
            reader.goto(read_along(page))
            expect(reader.locator("#said p[data-number]")).not_to_have_count(0)
            site.kill_gateway()
            expect(page.locator("#standing")).to_contain_text("连接中断")
            site.start_gateway()
            expect(page.locator("#standing")).to_have_text("正在识别")
            text = reference("lecture", "written")
            eventually(lambda: len("".join(captions(page))) > ALIKE * len(text), what="the whole lecture")
            page.keyboard.press("Space")
            expect(reader.locator("#standing")).to_have_text("已暂停")
            page.get_by_role("button", name="结束并保存").click()
            expect(page.locator("#how-ended")).to_contain_text("实时字幕")
            expect(reader.locator("#standing")).to_have_text("字幕已结束。")
            assert captions(reader) == captions(page)
            said = "".join(captions(page))
            assert reader.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert any(len(each) > 1 for each in page.evaluate("window.grey"))
    assert watched.elsewhere == []
    assert all("WebSocket" in each or "ERR_CONNECTION" in each for each in watched.complaints)
    (recording,) = (site.folder / "inbox").glob("实时字幕*.wav")
    with wave.open(str(recording)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
        assert sound.getnframes() > 14 * 16000
    written = site.wait_for(f"inbox/{recording.stem}.txt").read_text(encoding="utf-8")
    transcript = re.sub(r"\[[\d:]+\]", "", written.partition("\n\n")[2])
    assert alike(transcript, text) > ALIKE
    assert alike(transcript, said) > ALIKE


def read_along(page: Page) -> str:
    """Return the address for readers, as the speaker sees it."""
    page.get_by_role("button", name="给大家看").click()
    code = page.locator("#code")
    expect(code).to_be_visible()
    eventually(lambda: code.evaluate("image => image.naturalWidth"), what="the code")
    address = page.locator("#link").get_attribute("href")
    page.get_by_role("button", name="关闭").click()
    assert address is not None
    return address
