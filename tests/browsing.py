"""Debian's Chromium through Playwright, which downloads none, before a daemon with the built-in model."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from gatewayed import Gatewayed
from playwright.sync_api import expect, sync_playwright

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ALLOWED = (
    "--no-sandbox",  # tests run as root in containers
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
SOON_MS = 60_000  # a bound for a machine that is busy
expect.set_options(timeout=SOON_MS)


class RealSite(Gatewayed):
    """The gateway before a daemon with the built-in model."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.program = ("-m", "asr_daemon")


class Watched:
    """What a page asked for and complained of."""

    def __init__(self, context: BrowserContext, port: int) -> None:
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        context.on("request", lambda request: self._asked(request.url, port))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))

    def _asked(self, url: str, port: int) -> None:
        parts = urlsplit(url)
        is_ours = parts.scheme in ("blob", "data") or parts.netloc == f"127.0.0.1:{port}"
        if not is_ours:
            self.elsewhere.append(url)


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Run it, with more arguments; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ALLOWED, *more])
        yield browser
        browser.close()


def log_in(page: Page, token: str) -> None:
    """Log in as people do."""
    page.goto("/")
    expect(page).to_have_url("/login?next=/")
    page.get_by_label("访问口令").fill(token)
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("heading", name="总览")).to_be_visible()


def until(page: Page, expression: str) -> None:
    """Wait until a script's expression is true (the page's own policy forbids Playwright's way to wait)."""
    eventually(lambda: page.evaluate(expression), what=expression)
