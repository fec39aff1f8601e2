"""A real Chromium for tests and pictures, through Playwright.

Belongs here: finding the browser, a page that records every request it tries, waiting for the report, screenshots.
Does not belong here: what a report should show. Debian's /usr/bin/chromium is used; AI_USAGE_CHROMIUM names another.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page, sync_playwright

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium_path() -> str:
    """Where Chromium is; an assertion with the remedy where it is not, so that no browser test is skipped in silence."""
    named = os.environ.get("AI_USAGE_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found or not Path(found).exists():
        raise AssertionError(
            "The browser tests need Chromium: run `apt-get install chromium`, or set AI_USAGE_CHROMIUM to its path."
        )
    return found


@dataclass
class Opened:
    """A page, with everything it asked for and complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def network(self) -> list[str]:
        """Requests that would leave the machine or its disk."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]

    def open(self, path: Path, hash_: str = "") -> None:
        """Open a report from disk and wait until every card is drawn."""
        self.page.goto("about:blank")
        self.page.goto(path.resolve().as_uri() + hash_)
        self.settled()

    def settled(self) -> None:
        self.page.wait_for_selector("body[data-ready], body[data-failed]", state="attached", timeout=30_000)
        assert not self.errors, f"the page complained: {self.errors}"


@contextmanager
def chromium_page(
    width: int = 1440, height: int = 1000, *, dark: bool = False, scale: float = 1, **context_options: Any
) -> Iterator[Opened]:
    """A fresh browser and page."""
    executable = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        try:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                device_scale_factor=scale,
                accept_downloads=True,
                locale="en-US",
                timezone_id="America/Los_Angeles",
                **context_options,
            )
            opened = Opened(context.new_page())
            opened.page.on("request", lambda request: opened.requests.append(request.url))
            opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
            opened.page.on("console", lambda m: opened.errors.append(m.text) if m.type == "error" else None)
            yield opened
        finally:
            browser.close()


def screenshot(
    path_html: Path,
    out_png: Path,
    *,
    dashboard: str = "",
    query: str = "",
    width: int = 1440,
    height: int = 1000,
    theme: Literal["light", "dark"] = "light",
    full_page: bool = True,
    scale: float = 1,
) -> None:
    """A picture of one dashboard, for instance `screenshot(html, png, dashboard="cost_allocation", scale=2)`."""
    with chromium_page(width, height, dark=theme == "dark", scale=scale) as opened:
        opened.open(Path(path_html), f"#{dashboard}{'?' + query if query else ''}")
        opened.page.wait_for_timeout(400)
        out_png.parent.mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=str(out_png), full_page=full_page)
