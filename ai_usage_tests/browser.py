"""A real Chromium for tests and pictures, through Playwright.

Belongs here: finding the browser, a page that records every request it tries, waiting for the report,
screenshots. Does not belong here: what a report should show. Debian's /usr/bin/chromium is used;
AI_USAGE_CHROMIUM names another.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page, Playwright, TimeoutError, sync_playwright

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium_path() -> str:
    """Where Chromium is; where it is not, an assertion with the remedy; a test marked `browser` is left out then."""
    named = os.environ.get("AI_USAGE_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found or not Path(found).exists():
        raise AssertionError("The browser tests need Chromium: run `apt-get install chromium`, or set AI_USAGE_CHROMIUM to its path.")
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


_running: list[Playwright] = []


@contextmanager
def _playwright() -> Iterator[Playwright]:
    """Playwright's own process; one inside another shares it, because its sync API allows one per thread."""
    if _running:
        yield _running[0]
        return
    with sync_playwright() as playwright:
        _running.append(playwright)
        try:
            yield playwright
        finally:
            _running.clear()


@contextmanager
def chromium_page(
    width: int = 1440, height: int = 1000, *, dark: bool = False, scale: float = 1, **context_options: Any
) -> Iterator[Opened]:
    """A fresh browser and page."""
    executable = chromium_path()
    with _playwright() as playwright:
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
            opened.page.on("console", lambda m: opened.errors.append(m.text) if m.type in ("error", "warning") else None)
            yield opened
        finally:
            browser.close()


def exact(title: str | None) -> Decimal | None:
    """The figure in a cell's title: full precision, then its unit."""
    assert title is not None
    return None if title == "unknown" else Decimal(title.split(" ")[0])


def saved(opened: Opened, key: str, label: str) -> bytes:
    """A card's file. Chromium drops the eleventh of many downloads in quick succession without a word: then it is asked for once more."""
    for patience in (5_000, 30_000):
        try:
            with opened.page.expect_download(timeout=patience) as download:
                opened.page.click(f"[data-card={key}] [aria-label^='{label}: ']")
            return Path(download.value.path()).read_bytes()
        except TimeoutError:
            if patience == 30_000:
                raise
    raise AssertionError("unreachable")


def read_csv(opened: Opened, key: str) -> tuple[list[str], list[list[str]], str]:
    """Download a card's CSV: its head, its rows, and the text as it is on disk."""
    text = saved(opened, key, "Download CSV").decode("utf-8")
    parsed = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    return parsed[0], parsed[1:], text


def csv_text(value: Any) -> str:
    """How a value of SQL stands in a CSV file: unknown is empty, a formula has its apostrophe."""
    text = "" if value is None else value.isoformat() if isinstance(value, date) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def choose(opened: Opened, key: str, *values: str) -> None:
    """Tick values of a multi-select filter, as a reader would."""
    opened.page.click(f"button[data-filter={key}]")
    for value in values:
        opened.page.locator(f"#filter-{key} li input").and_(
            opened.page.locator(f"[value='{value}']")
        ).click()  # fmt: skip
        opened.settled()
    opened.page.keyboard.press("Escape")


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
    """A picture of one dashboard: `screenshot(html, png, dashboard="cost_allocation", scale=2)`."""
    with chromium_page(width, height, dark=theme == "dark", scale=scale) as opened:
        opened.open(Path(path_html), f"#{dashboard}{'?' + query if query else ''}")
        opened.page.wait_for_timeout(400)
        out_png.parent.mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=str(out_png), full_page=full_page)
