"""The operator's pages in a real Chromium: what is told of a session, and that buttons do what they say."""

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tests.harness import ROOT, RedisServer, wait_until
from tests.web.chromium import DESKTOP, PHONE, chromium, look_like, missing
from tests.web.operators import TOKEN, Api
from tests.web.screenshots import PAGES
from tests.web.staged import FIRST, SECOND, THIRD, Stage, staged

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")
SESSIONS = 10_000
AXE = ROOT / "tests/web/vendor/axe-core-4.14.1.min.js"
_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A pool of its own with ten thousand sessions."""
    folder = tmp_path_factory.mktemp("stage")
    server = RedisServer(folder).start()
    try:
        with staged(folder, server, SESSIONS) as stage:
            yield stage
    finally:
        server.stop()


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(profile: Chrome, stage: Stage) -> Iterator[Chrome]:
    """Logged in; afterwards its console has told of no error, such as a script that the policy forbids."""
    look_like(profile, DESKTOP, dark=False)
    profile.get(f"{stage.address}/admin/login")
    profile.delete_all_cookies()
    complaints(profile)
    log_in(profile, stage)
    yield profile

    assert complaints(profile) == []


def complaints(browser: Chrome) -> list[dict[str, Any]]:
    """The errors that the browser's console has told of since it was asked last."""
    entries: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium's
    return [entry for entry in entries if entry["level"] == "SEVERE"]


def log_in(browser: Chrome, stage: Stage) -> None:
    """By the keyboard alone."""
    browser.get(f"{stage.address}/admin/login")
    focused = browser.switch_to
    wait_until(lambda: focused.active_element.get_attribute("name") == "token", within_s=_WITHIN_S, what="the focus")
    browser.switch_to.active_element.send_keys(TOKEN, Keys.TAB)
    browser.switch_to.active_element.send_keys("ada", Keys.ENTER)
    wait_until(lambda: browser.title.startswith("Overview"), within_s=_WITHIN_S, what="the login")


def shown(browser: Chrome, selector: str = "main") -> str:
    """What a part of the page says; live parts are replaced now and then."""
    script = "return document.querySelector(arguments[0])?.innerText ?? ''"
    return str(browser.execute_script(script, selector))


def says(browser: Chrome, words: str, selector: str = "main") -> None:
    wait_until(lambda: words in shown(browser, selector), within_s=_WITHIN_S, what=f"{words!r} in {selector}")


def click(browser: Chrome, by: str, what: str) -> None:
    """It is looked for again where a live part was replaced meanwhile."""

    def clicked() -> bool:
        with contextlib.suppress(NoSuchElementException, StaleElementReferenceException):
            browser.find_element(by, what).click()
            return True
        return False

    wait_until(clicked, within_s=_WITHIN_S, what=what)


def model_of(answer: Any) -> str:
    return str(answer.json()["model"]).rpartition("/")[2]


def test_a_session_is_found_read_moved_and_its_model_drained(browser: Chrome, stage: Stage) -> None:
    """What an operator does when a client asks why its session has changed its model."""
    first = stage.ask("wanted-session", turns=1)
    stage.providers[FIRST].behave("status", code=503)
    second = stage.ask("wanted-session", turns=2)
    stage.providers[FIRST].behave(None)
    assert (model_of(first), model_of(second)) == ("gpt-5.2", "claude-sonnet-4-5")

    browser.find_element(By.LINK_TEXT, "Sessions").click()
    browser.find_element(By.ID, "text").send_keys("wanted")
    says(browser, "wanted-session", "#found tbody")
    wait_until(lambda: shown(browser, "#found tbody").count("\n") < 3, within_s=_WITHIN_S, what="one session alone")
    click(browser, By.LINK_TEXT, "wanted-session")
    says(browser, f"moved from {FIRST} to {SECOND}: {FIRST} answered 503", ".timeline")
    says(browser, f"was given {FIRST} by the route deep_reasoning", ".timeline")

    Select(browser.find_element(By.NAME, "model")).select_by_visible_text(THIRD)
    browser.find_element(By.CSS_SELECTOR, "form[action$=pin] [name=why]").send_keys("by <hand>")
    browser.find_element(By.CSS_SELECTOR, "form[action$='session/pin'] button").click()
    says(browser, f"ada pinned it to {THIRD} in place of {SECOND}: by <hand>", ".timeline")
    assert model_of(stage.ask("wanted-session", turns=3)) == "mistral-large"

    browser.find_element(By.LINK_TEXT, "Models").click()
    assert share(browser, THIRD) > 10
    click(browser, By.XPATH, f"{row_of(THIRD)}//button[text()='At once']")
    says(browser, "drained", "#live")
    assert 100 < use_all_of(stage, THIRD) < 400
    wait_until(lambda: use_all_of(stage, THIRD) == 0, within_s=_WITHIN_S, what="the last ones that are served by it")
    wait_until(lambda: share(browser, THIRD) == 0, within_s=_WITHIN_S, what="a share of nothing, without a reload")
    assert model_of(stage.ask("wanted-session", turns=4)) == "gpt-5.2"
    click(browser, By.XPATH, f"{row_of(THIRD)}//button[text()='End drain']")
    wait_until(lambda: "End drain" not in shown(browser, "#live"), within_s=_WITHIN_S, what="the end of the drain")


def row_of(model: str) -> str:
    """Where its row is, for XPath."""
    return f"//tr[th[contains(., '{model}')]]"


def share(browser: Chrome, model: str) -> float:
    """The share of sessions that the page shows, in percent."""
    script = (
        "return [...document.querySelectorAll('#live tr')].find(e => e.innerText.includes(arguments[0]))?.innerText"
    )
    found = re.search(r"([\d.]+) %", str(browser.execute_script(script, model)))
    return float(found[1]) if found else -1.0


def use_all_of(stage: Stage, model: str) -> int:
    """Have each of the newest sessions that the model serves make a request; how many they are."""
    api = Api(stage.address)
    page = api.get("/sessions", model=model, count=200).json()
    rows = page["sessions"]
    while page["after"]:
        page = api.get("/sessions", model=model, count=200, after=page["after"]).json()
        rows += page["sessions"]
    with ThreadPoolExecutor(4) as together:
        answers = list(together.map(lambda row: stage.ask(row["id"], tenant=row["tenant"]), rows))
    assert [answer.status_code for answer in answers] == [200] * len(rows)
    return len(rows)


def test_one_of_ten_thousand_sessions_is_found_by_a_part_of_its_name(browser: Chrome, stage: Stage) -> None:
    browser.get(f"{stage.address}/admin/sessions")
    browser.find_element(By.NAME, "every").click()
    browser.find_element(By.ID, "text").send_keys("-07777")

    wait_until(lambda: shown(browser, "#found tbody").count("-07777") == 1, within_s=_WITHIN_S, what="the session")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious(
    browser: Chrome, stage: Stage, page: str, size: tuple[int, int], *, dark: bool
) -> None:
    stage.ask("demo-session")
    look_like(browser, size, dark=dark)
    if page == "session":
        wait_until(lambda: Api(stage.address).get("/session", id="demo-session", tenant="acme").ok, what="its record")
    browser.get(stage.address + PAGES[page])
    if page == "overview":
        wait_until(lambda: browser.find_elements(By.TAG_NAME, "canvas"), within_s=_WITHIN_S, what="the charts")

    browser.execute_script(AXE.read_text())
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")

    faults = [
        (fault["id"], [node["target"] for node in fault["nodes"]])
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]
    assert faults == []
    assert len(found["passes"]) > 10
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= size[0], "the page is wider than the screen"


def test_the_pages_are_gone_through_by_keyboard(browser: Chrome) -> None:
    """The first stop skips the navigation; each stop can be seen."""
    names = []
    for _ in range(7):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        focused = browser.switch_to.active_element
        names.append(focused.text)
        assert browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", focused) != "none"

    assert names == ["Skip to the content", "Overview", "Sessions", "Models", "Replicas", "Queue", "Log out"]


def test_a_page_that_cannot_be_renewed_says_so(browser: Chrome, stage: Stage) -> None:
    """And is as it was when it can be again; when its login has ended it goes to the login."""
    browser.get(f"{stage.address}/admin/replicas")
    away = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}

    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", away)
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "main.stale"), within_s=_WITHIN_S, what="a word of it")
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", away | {"offline": False})
    wait_until(lambda: not browser.find_elements(By.CSS_SELECTOR, "main.stale"), within_s=_WITHIN_S, what="a look")
    browser.delete_all_cookies()
    wait_until(lambda: "/admin/login" in browser.current_url, within_s=_WITHIN_S, what="the login")

    assert complaints(browser) != []


def test_the_charts_show_what_the_table_says(browser: Chrome, stage: Stage) -> None:
    for span, rows in (("hour", 60), ("day", 96)):
        browser.get(f"{stage.address}/admin/?span={span}")
        wait_until(lambda: len(browser.find_elements(By.TAG_NAME, "canvas")) == 6, within_s=_WITHIN_S, what="charts")
        assert len(browser.find_elements(By.CSS_SELECTOR, "details tbody tr")) == rows
