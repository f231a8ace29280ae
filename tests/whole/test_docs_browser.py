"""The documentation in headless Chromium: every page, both themes, a phone and a desk.

Needs ``apt-get install chromium chromium-driver`` and ``pip install -e '.[docs]'``; run with ``pytest -m browser``.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.browser import GROUND, SCROLL, THEMES, WIDTHS, Browser
from tests.support.documentation import make_site

pytestmark = pytest.mark.browser

HEADING = "return document.querySelector('article h1')?.checkVisibility() ? document.title : null;"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The address at which the site is served, and its pages."""
    folder = tmp_path_factory.mktemp("site")
    make_site(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pages = sorted(f"{path.parent.relative_to(folder).as_posix()}/" for path in folder.rglob("index.html"))
    yield f"http://127.0.0.1:{server.server_port}/", pages
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page(browser: Browser, site: tuple[str, list[str]], width: str, theme: str):
    address, pages = site
    assert len(pages) > 20
    browser.open(address, theme=theme)
    browser.run("localStorage.clear()")  # the theme that a page was shown in is kept there
    titles = set()
    for page in pages:
        browser.open(address + page, width=WIDTHS[width], theme=theme)
        title = browser.run(HEADING)
        assert title, page
        titles.add(title)
        scroll, client = browser.run(SCROLL)
        assert client == WIDTHS[width] and scroll <= client, page
        assert (browser.run(GROUND) > 0.5) == (theme == "light"), page
        assert browser.console() == [], page
        assert [url for url in browser.requests() if not url.startswith((address, "data:", "blob:"))] == [], page
    assert len(titles) == len(pages)
