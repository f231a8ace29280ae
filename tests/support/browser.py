"""Headless Chromium for the tests: Debian's, through its driver."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

WIDTHS = {"phone": 390, "desk": 1280}
THEMES = ("light", "dark")
SCROLL = "const root = document.documentElement; return [root.scrollWidth, root.clientWidth];"
# Relative luminance of WCAG of the colour of an element and of what it stands on.
LUMINANCE = """
const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const channel = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = colour => {
  paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map(v => channel(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
"""
GROUND = LUMINANCE + "return luminance(getComputedStyle(document.body).backgroundColor);"


class Browser:
    """Chromium without a window, through its driver; nothing is downloaded."""

    def __init__(self) -> None:
        programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
        missing = [name for name, path in programs.items() if path is None]
        if missing:
            pytest.fail(f"no {' and no '.join(missing)} on the PATH; apt-get install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = programs["chromium"]
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        # Chromium's sandbox refuses to work for root, as in a container.
        for argument in [*arguments, *(["--no-sandbox"] if os.geteuid() == 0 else [])]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(programs["chromedriver"]))

    def open(self, page: Path | str, *, width: int = 1280, theme: str = "light", media: str = "screen") -> None:
        """Show a file, or an address."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.emulate(theme, media)
        self.console(), self.requests()  # what earlier pages said
        self.driver.get(page if isinstance(page, str) else page.as_uri())

    def emulate(self, theme: str, media: str = "screen") -> None:
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def console(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def screenshot(self, file: Path) -> bytes:
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        file.write_bytes(base64.b64decode(taken["data"]))
        return file.read_bytes()

    def pdf(self) -> bytes:
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
