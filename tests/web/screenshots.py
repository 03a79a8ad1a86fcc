"""Takes the pictures of docs/screenshots: `python -m tests.web.screenshots [FOLDER]`."""

import sys
import tempfile
import time
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.harness import ROOT, RedisServer
from tests.web.chromium import DESKTOP, PHONE, chromium, look_like
from tests.web.operators import TOKEN, Api
from tests.web.staged import FIRST, THIRD, Stage, staged

PAGES = {
    "login": "/admin/login",
    "overview": "/admin/",
    "sessions": "/admin/sessions?count=15",
    "session": "/admin/session?id=demo-session&tenant=acme",
    "models": "/admin/models",
    "replicas": "/admin/replicas",
    "queue": "/admin/queue",
}
SESSIONS = 3000


def main() -> None:
    """Take every page, light and dark, on a desktop and on a phone."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        server = RedisServer(place).start()
        try:
            with staged(place, server, SESSIONS) as stage, chromium(place / "profile") as browser:
                play(stage)
                take(stage, browser, folder)
        finally:
            server.stop()


def play(stage: Stage) -> None:
    """Have a session moved by a failure and by an operator, and one model drained."""
    api = Api(stage.address)
    for turns in (1, 2, 3):
        stage.ask("demo-session", turns=turns)
    stage.providers[FIRST].behave("status", code=503)
    stage.ask("demo-session", turns=4)
    stage.ask("another-session", turns=1)
    stage.providers[FIRST].behave(None)
    time.sleep(1.5)
    api.post("/session/pin", id="demo-session", tenant="acme", model=FIRST, why="the outage is over")
    api.post("/session/hold", id="demo-session", tenant="acme", why="a demo at noon")
    stage.ask("demo-session", turns=5)
    api.post("/models/drain", model=THIRD, why="new weights")
    time.sleep(2)


def take(stage: Stage, browser: Chrome, folder: Path) -> None:
    """The pictures, each as high as its page."""
    browser.get(f"{stage.address}/admin/login")
    shots(stage, browser, folder, "login")
    browser.find_element(By.NAME, "token").send_keys(TOKEN)
    browser.find_element(By.NAME, "name").send_keys("ada")
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    for page in list(PAGES)[1:]:
        shots(stage, browser, folder, page)


def shots(stage: Stage, browser: Chrome, folder: Path, page: str) -> None:
    """One page in all four ways."""
    for screen, size in (("desktop", DESKTOP), ("phone", PHONE)):
        for dark in (False, True):
            look_like(browser, size, dark=dark)
            browser.get(stage.address + PAGES[page])
            time.sleep(2 if page == "overview" else 0.3)
            height = browser.execute_script("return document.documentElement.scrollHeight")
            look_like(browser, (size[0], max(size[1], min(height, 2400))), dark=dark)
            time.sleep(0.5)
            browser.save_screenshot(str(folder / f"{page}-{screen}-{'dark' if dark else 'light'}.png"))


if __name__ == "__main__":
    main()
