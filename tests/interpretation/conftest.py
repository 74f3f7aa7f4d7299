"""A headless browser that opens pages from disk and notes what they ask the network for."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Browser:
    """Chromium, as a reader uses it: at a desktop, or with a phone's width and touch."""

    def __init__(self, chromium):
        self._chromium = chromium

    def open(self, path: Path, *, is_phone: bool = False, is_dark: bool = False):
        """Open a page of playwright's that knows what it asked for and complained of."""
        context = self._chromium.new_context(
            viewport={"width": 390, "height": 844} if is_phone else {"width": 1280, "height": 900},
            has_touch=is_phone,
            color_scheme="dark" if is_dark else "light",
        )
        page = context.new_page()
        requests: list[str] = []
        page.problems = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: page.problems.append(message.text))
        own = ("data:", path.as_uri())
        page.outside_requests = lambda: [url for url in requests if not url.startswith(own)]
        width = "document.documentElement.scrollWidth - window.innerWidth"
        page.overflow = lambda: page.evaluate(width)
        page.goto(path.as_uri())
        return page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no browser is installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield Browser(chromium)
        chromium.close()
