"""The pages in headless Chromium: both themes, a phone and a desk, paper.

Needs ``apt-get install chromium chromium-driver``; run with ``pytest -m browser``. Screenshots of every
combination are left in pytest's temporary folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flows.reporting.comparing import compare_reports
from flows.reporting.comparison_page import render_comparison
from flows.reporting.page import render_report, wrong_images
from tests.support.browser import GROUND, LUMINANCE, SCROLL, THEMES, WIDTHS, Browser
from tests.support.reports import empty_report, exact_report, full_report, large_report

pytestmark = pytest.mark.browser

REPORT_SECTIONS = ["verdict", "exactness", "accuracy", "images", "fit", "speed", "bits", "provenance"]
COMPARISON_SECTIONS = ["verdict", "reports", "figures", "plots", "origins", "changes"]
# Elements that reach out of the window and are not in a box that scrolls by itself.
OVERFLOWING = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll') || e.classList.contains('scroll'))
  .filter(e => e.getBoundingClientRect().right > width + 0.5 || e.getBoundingClientRect().left < -0.5)
  .map(e => e.outerHTML.slice(0, 120));
"""
VISIBLE = """
const box = document.getElementById(arguments[0])?.getBoundingClientRect();
return box ? box.width > 0 && box.height > 0 : false;
"""
CONTRASTS = (
    LUMINANCE
    + """
const paper = luminance(getComputedStyle(document.body).backgroundColor);
return [...document.querySelectorAll('p, th, td, a, figcaption, summary, h1, svg text')]
  .filter(e => e.getBoundingClientRect().height && !e.closest('.cell, .differs, .missing, .callout, .tiles'))
  .map(e => {
    const style = getComputedStyle(e);
    const ink = luminance(e.tagName === 'text' ? style.fill : style.color);
    return [(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), e.outerHTML.slice(0, 120)];
  });
"""
)
TEXT_HEIGHTS = "return [...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height);"
STRIPS = "return [...document.querySelectorAll('.strip svg')].map(e => [e.getBoundingClientRect().width, e.ariaLabel])"
UNFOLDED = "return [...document.querySelectorAll('details tr:last-child')].map(e => e.checkVisibility());"


def _full() -> str:
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    return render_report(full_report(), wrong_images(images, np.ones(5, int), np.eye(10)[[0] * 5]))


def _comparison() -> str:
    other = full_report()
    other["accuracy"]["csim"] = 70.0
    other["layers"][0]["zeros"] = 4
    other["versions"]["torch"] = "9.9.9"
    reports = [full_report(), exact_report(), other]
    return render_comparison(compare_reports(["out/a", "out/with/a/long/name/of/many/folders", "out/c"], reports, []))


PAGES: dict[str, tuple[Callable[[], str], list[str]]] = {
    "full": (_full, REPORT_SECTIONS),
    "empty": (lambda: render_report(empty_report()), REPORT_SECTIONS),
    "large": (lambda: render_report(large_report()), REPORT_SECTIONS),
    "comparison": (_comparison, COMPARISON_SECTIONS),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name, (make, _) in PAGES.items():
        (folder / f"{name}.html").write_text(make(), encoding="utf-8")
    return folder


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page(browser: Browser, pages: Path, name: str, width: str, theme: str):
    browser.open(pages / f"{name}.html", width=WIDTHS[width], theme=theme)
    scroll, client = browser.run(SCROLL)
    assert client == WIDTHS[width] and scroll <= client
    assert browser.run(OVERFLOWING) == []
    for section in PAGES[name][1]:
        assert browser.run(VISIBLE, section), section
    assert (browser.run(GROUND) > 0.5) == (theme == "light")
    assert len(browser.screenshot(pages / f"{name}-{width}-{theme}.png")) > 10_000
    # All that is folded must fit too.
    browser.run("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    scroll, client = browser.run(SCROLL)
    assert scroll <= client and browser.run(OVERFLOWING) == []
    assert browser.console() == []
    assert [address for address in browser.requests() if not address.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["full", "comparison"])
def test_text_is_readable(browser: Browser, pages: Path, name: str, theme: str):
    """WCAG AA: 4.5 to 1, in plots and tables too."""
    browser.open(pages / f"{name}.html", theme=theme)
    found = browser.run(CONTRASTS)
    assert len(found) > 100
    assert [item for item in found if item[0] < 4.5] == []


def test_figures_are_large_enough_on_a_phone(browser: Browser, pages: Path):
    browser.open(pages / "full.html", width=WIDTHS["phone"])
    heights = browser.run(
        "return [...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) > 80 and min(heights) >= 8


def test_the_button_overrides_the_system(browser: Browser, pages: Path):
    browser.open(pages / "full.html", theme="dark")
    button = "const b = document.getElementById('theme'); "
    seen = [(browser.run(button + "return b.textContent"), browser.run(GROUND) > 0.5)]
    for _ in range(2):
        browser.run(button + "b.click()")
        seen.append((browser.run(button + "return b.textContent"), browser.run(GROUND) > 0.5))
    assert seen == [("Light theme", False), ("Dark theme", True), ("Light theme", False)]
    browser.emulate("light")
    assert browser.run(GROUND) < 0.5  # chosen dark, whatever the system says later


def test_paper_is_white_and_everything_is_open(browser: Browser, pages: Path):
    browser.open(pages / "full.html", width=680, theme="dark")
    browser.run("document.getElementById('theme').click(); document.getElementById('theme').click()")
    assert browser.run(GROUND) < 0.5 and not any(browser.run(UNFOLDED))
    browser.emulate("dark", media="print")
    assert browser.run(GROUND) > 0.5
    assert len(browser.run(UNFOLDED)) >= 3 and all(browser.run(UNFOLDED))
    assert browser.run("return getComputedStyle(document.getElementById('theme')).display") == "none"
    scroll, client = browser.run(SCROLL)
    assert scroll <= client
    assert browser.pdf().startswith(b"%PDF-")


def test_without_scripts_the_page_is_whole(browser: Browser, pages: Path):
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(pages / "full.html", theme="dark")
        shown = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {})["data"]
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert len(shown) > 10_000
    assert browser.run("return document.getElementById('theme').hidden")
    assert browser.run(VISIBLE, "provenance") and browser.run(GROUND) < 0.5


def test_the_timeline_unfolds_from_blocks_to_processes(browser: Browser, pages: Path):
    """Rows that are visible: the axis and the blocks, then their operators, then the processes of these."""
    count = "return [...document.querySelectorAll('.timeline-row')].filter(e => e.checkVisibility()).length"
    for width in WIDTHS.values():
        browser.open(pages / "large.html", width=width)
        seen = [browser.run(count)]
        for level in ("block", "operator"):
            browser.run(f"document.querySelectorAll('details.{level} > summary').forEach(e => e.click())")
            seen.append(browser.run(count))
        assert seen == [1 + 10, 1 + 10 + 40, 1 + 10 + 40 + 80]
        strips = browser.run(STRIPS)
        assert len(strips) == 130 and min(size for size, _ in strips) > width / 3
        assert all("busy" in label and "starved" in label for _, label in strips)


def test_on_paper_operators_are_open_and_processes_folded(browser: Browser, pages: Path):
    browser.open(pages / "large.html", width=680, media="print")
    shown = "return [...document.querySelectorAll(arguments[0])].map(e => e.checkVisibility())"
    assert all(browser.run(shown, "details.operator > summary")) and not any(browser.run(shown, ".process"))


def test_these_checks_can_fail(browser: Browser, pages: Path):
    wide = "const e = document.createElement('p'); e.style = 'width: 5000px; height: 1px'; document.body.append(e);"
    browser.open(pages / "full.html", width=WIDTHS["phone"])
    browser.run(wide)
    scroll, client = browser.run(SCROLL)
    assert scroll > client and len(browser.run(OVERFLOWING)) == 1
    browser.run(
        "setTimeout(() => { throw new Error('seen') }); const i = new Image(); i.src = 'https://example.invalid/x';"
    )
    browser.driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert len(browser.console()) == 2  # the error, and what the page's policy kept from the network
    assert not browser.run(VISIBLE, "no-such-section")
