"""Headless Chromium for the tests of pages: Debian's own, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",  # in CI we are root, and there Chromium has no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000
"""Milliseconds after which something that does not show counts as missing, on a machine that is busy with other tests."""


def chromium() -> str:
    """Where Chromium is. Without it the test is skipped, loudly; CI needs it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        assert os.environ.get("CI") != "true", "CI needs chromium (on Debian: apt-get install chromium)"
        pytest.skip("NOT TESTED: there is no chromium here, so nobody looked at the pages (on Debian: apt-get install chromium)")
    return found


class People:
    """One browser, and a window with cookies of their own for each person. What a page complains of in its console is kept."""

    def __init__(self, browser, base: str) -> None:
        self._browser = browser
        self.base = base
        self.complaints: list[str] = []

    def person(self, **options) -> Page:
        context: BrowserContext = self._browser.new_context(base_url=self.base, viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self.complaints.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        return page

    def staff(self, username: str, password: str) -> Page:
        """Signed in at the back office."""
        page = self.person()
        page.goto("/admin/")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(password)
        page.get_by_label("Password").press("Enter")
        page.wait_for_url("**/admin/")
        return page


@contextmanager
def people(base: str) -> Iterator[People]:
    """`base` is the address of the web service under test."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield People(browser, base)
        finally:
            browser.close()


def picture(page: Page, name: str) -> None:
    """A screenshot for the README, where SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
