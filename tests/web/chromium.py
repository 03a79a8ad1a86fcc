"""A real Chromium without a window: Debian's packages chromium and chromium-driver."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

PROGRAMS = ("chromium", "chromedriver")
DESKTOP, PHONE = (1280, 900), (390, 844)
_WITHIN_S = 120
"""How long anything may take on a busy machine."""


def missing() -> list[str]:
    """Those of the programs that this machine has not."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def chromium(folder: Path, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own."""
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    width, height = size
    for each in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        f"--window-size={width},{height}",
        f"--user-data-dir={folder}",
    ):
        options.add_argument(each)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.set_page_load_timeout(_WITHIN_S)
        browser.set_script_timeout(_WITHIN_S)
        look_like(browser, size, dark=dark)
        yield browser
    finally:
        browser.quit()


def look_like(browser: webdriver.Chrome, size: tuple[int, int], *, dark: bool) -> None:
    """Have a screen of this size, and a user who prefers dark pages or light ones."""
    width, height = size
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
