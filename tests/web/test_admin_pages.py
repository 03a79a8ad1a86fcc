"""The operator's pages do all that they offer without JavaScript, and say what is wrong as a page."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from shared.domain.pool_stats import Sums
from shared.store.metrics.pool_stats import StatsStore
from shared.store.web_replicas import Replicas
from tests.endpoints import connected
from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web.operators import CONFIG, TOKEN, Api, Browser

PAGES = [
    "/admin/",
    "/admin/?span=day",
    "/admin/charts.json",
    "/admin/sessions",
    "/admin/sessions?every=true&ended=true",
    "/admin/models",
    "/admin/replicas",
    "/admin/queue",
]
SAID = [{"role": "user", "content": "hello"}]
HALF = "%ED%A0%80"
"""Half of a surrogate pair, which no UTF-8 can hold."""


@pytest.fixture(scope="module", params=["redis", "memory"])
def address(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A web process with an admin token, in both modes."""
    port = free_port()
    config = CONFIG + f"routing: {{session_cache: {{type: {request.param}}}}}\n"
    folder = Path(tmp_path_factory.mktemp("admin-pages"))
    with running(Pool(folder, config, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def browser(address: str, store: redis.Redis) -> Browser:  # noqa: ARG001 - it empties Redis
    browser = Browser(address)
    browser.log_in()
    return browser


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_there_in_both_modes(browser: Browser, page: str) -> None:
    assert browser.see(page).status_code == 200


def test_what_was_served_is_summed_up_in_both_modes(address: str, browser: Browser) -> None:
    before = Api(address).get("/stats").json()["hour"]["requests"]
    asked = requests.post(f"{address}/routing/v1/chat/completions", json={"model": "a", "messages": SAID}, timeout=30)
    assert asked.status_code == 200
    wait_until(lambda: Api(address).get("/stats").json()["hour"]["requests"] == before + 1)

    page = browser.see("/admin/?span=day").text

    assert page.count(f"<dt>Requests</dt><dd>{before + 1}</dd>") == 2
    assert 'id="charts"' in page


def test_a_session_is_moved_held_released_and_unpinned_by_forms(address: str, browser: Browser) -> None:
    page = "/admin/session?id=a%2Fb&tenant=acme"
    Api(address).post("/session/pin", id="a/b", tenant="acme", model="a")

    moved = browser.press(page, "/admin/session/pin", model="openai/b", ttl_s="", why="a test")
    after = browser.see(page).text
    held = browser.press(page, "/admin/session/hold", why="")
    standing = browser.see(page).text
    released = browser.press(page, "/admin/session/release")
    ended = browser.press(page, "/admin/session/unpin")

    assert {(each.status_code, each.headers["Location"]) for each in (moved, held, released, ended)} == {(303, page)}
    assert '<code id="model">openai/b</code>' in after
    assert ("held there" in after, "held there" in standing) == (False, True)
    assert Api(address).get("/session", id="a/b", tenant="acme").json().get("session", {}).get("pinned") is not True


def test_a_model_is_drained_by_a_form(address: str, browser: Browser) -> None:
    drained = browser.press("/admin/models", "/admin/models/drain", now="true")
    (first, _) = Api(address).get("/models").json()["models"]
    undrained = browser.press("/admin/models", "/admin/models/undrain")

    assert (drained.status_code, undrained.status_code) == (303, 303)
    assert (first["state"], first["drain"]["who"], first["drain"]["now"]) == ("drained", "ada", True)
    assert Api(address).get("/models").json()["models"][0]["state"] == "serving"


def test_a_sessions_whole_id_finds_it_and_a_part_of_it_too(address: str, browser: Browser) -> None:
    for name in ("one-session", "another-session"):
        Api(address).post("/session/pin", id=name, model="a")

    whole, part, none = (
        browser.see(f"/admin/sessions?every=true&text={text}").text for text in ("one-session", "ession", "x")
    )

    assert (whole.count("one-session</code>"), whole.count("another-session</code>")) == (1, 0)
    assert (part.count("one-session</code>"), part.count("another-session</code>")) == (1, 1)
    assert "No session is found here." in none


@pytest.mark.parametrize("tenant", ["", "acme"])
@pytest.mark.parametrize("lane", [[], ["openai/a"], ["openai/b"]])
def test_a_whole_id_is_found_wherever_its_session_comes_in_the_order(
    address: str, browser: Browser, tenant: str, lane: list[str]
) -> None:
    """A session that no request has used is in no order; an agent's has the model that it asks for behind its id."""
    Api(address).post("/session/pin", id="one", tenant=tenant, lane=lane, model="a")

    shown = browser.see(f"/admin/sessions?text=one&tenant={tenant}").text

    assert shown.count("~".join(["one", *lane]) + "</code>") == 1


def test_a_list_without_the_session_leads_to_the_search_of_all(browser: Browser) -> None:
    first = browser.see("/admin/sessions?text=some%26one&tenant=acme&order=cost").text
    every = browser.see("/admin/sessions?text=someone&every=true").text

    assert (
        'href="/admin/sessions?order=cost&amp;tenant=acme&amp;text=some%26one&amp;every=true&amp;count=50"' in first
    )
    assert ("Search all sessions" in first, "Search all sessions" in every) == (True, False)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/admin/session?id=nobody", 404, "Nothing is known of"),
        ("/admin/session?id=%3Cb%3Enobody", 404, "&lt;b&gt;nobody"),
        ("/admin/session?id=%00", 400, "characters that it cannot have"),
        ("/admin/session", 400, "missing required field"),
        ("/admin/sessions?model=openai/unknown", 404, "openai/unknown"),
        ("/admin/sessions?count=x", 400, "Expected"),
        ("/admin/?span=week", 400, "Invalid"),
        *(
            (f"/admin/{page}", 400, "a character that is none")
            for page in (f"?span={HALF}", f"sessions?count={HALF}")
        ),
        (f"/admin/sessions?{HALF}=1", 400, "unknown field"),
        (f"/admin/sessions?model={HALF}", 404, "ud800"),
        (f"/admin/session?id={HALF}", 404, "ud800"),
    ],
)
def test_what_is_wrong_is_said_as_a_page(browser: Browser, path: str, status: int, words: str) -> None:
    answer = browser.see(path)

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert words in answer.text
    assert "<b>" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("query", [f"text={HALF}", f"tenant={HALF}", f"every=true&text={HALF}"])
def test_half_a_character_is_looked_for_as_any_text(address: str, browser: Browser, query: str) -> None:
    """The links of the page ask for the same again."""
    Api(address).post("/session/pin", id="s", model="a")

    shown = browser.see(f"/admin/sessions?{query}")

    assert (shown.status_code, "No session is found here." in shown.text) == (200, True)
    assert "every" in query or query in shown.text


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("pin", {"model": "openai/unknown"}, 404),
        ("pin", {"model": ""}, 400),
        ("pin", {"model": "openai/b", "ttl_s": "soon"}, 400),
        ("pin", {"model": "openai/b", "nonsense": "1"}, 400),
    ],
)
def test_a_form_that_cannot_be_done_changes_nothing(
    address: str, browser: Browser, action: str, fields: dict[str, str], status: int
) -> None:
    Api(address).post("/session/pin", id="s", model="a")

    answer = browser.press("/admin/session?id=s", f"/admin/session/{action}", **fields)

    assert (answer.status_code, 'role="alert"' in answer.text) == (status, True)
    assert Api(address).get("/session", id="s").json()["session"]["model"] == "openai/a"


def test_a_replica_with_another_config_and_a_pool_without_workers_stand_out(
    redis_server: RedisServer, store: redis.Redis, tmp_path: Path
) -> None:
    port = free_port()
    store.flushall()
    with (
        running(Pool(tmp_path, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool,
        connected(redis_server.url) as client,
    ):
        pool.web(port)
        browser = Browser(f"http://127.0.0.1:{port}")
        browser.log_in()
        alone = wait_until(lambda: _rows(browser), what="a heartbeat")
        Replicas(client).renew("zz-1", {"address": "zz:1", "version": "0", "config": "0000"})
        Replicas(client).renew("zz-2", {"address": "zz:2", "version": "0", "config": "0000"})
        shown, queue = browser.see("/admin/replicas").text, browser.see("/admin/queue").text

    assert [row for row in alone if "differs" in row] == []
    assert "2 digests" in shown
    assert [("zz-" in row, "differs" in row) for row in _rows_of(shown)] == [
        (False, True),
        (True, False),
        (True, False),
    ]
    assert "No worker lives" in queue


def test_a_switch_that_nobody_can_explain_is_told_first(
    redis_server: RedisServer, store: redis.Redis, tmp_path: Path
) -> None:
    port = free_port()
    store.flushall()
    with (
        running(Pool(tmp_path, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool,
        connected(redis_server.url) as client,
    ):
        pool.web(port)
        browser = Browser(f"http://127.0.0.1:{port}")
        browser.log_in()
        before = browser.see("/admin/").text
        StatsStore(client).add(int(time.time() // 60), Sums(requests=9, pinned=6, decided=1, unexplained=2))
        after = browser.see("/admin/").text

    assert "that no event explains" not in before
    assert "2 switches of a model that no event explains" in after
    assert "85.7 %" in after


def test_charts_and_their_table_say_what_a_minute_is_like_and_the_sums_are_sums(
    redis_server: RedisServer, store: redis.Redis, tmp_path: Path
) -> None:
    """The same load is the same line in the charts of the hour and of the day, whose points are 15 minutes."""
    port = free_port()
    store.flushall()
    now = int(time.time() // 60)
    minute = Sums(requests=30, pinned=15, decided=9, first_request_s=1.125, errors=3, degraded=6, cost_usd=0.5)
    with (
        running(Pool(tmp_path, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool,
        connected(redis_server.url) as client,
    ):
        for each in range(now - 24 * 60 - 20, now + 2):
            StatsStore(client).add(each, minute)
        pool.web(port)
        browser = Browser(f"http://127.0.0.1:{port}")
        browser.log_in()
        drawn = [browser.see(f"/admin/charts.json?span={span}").json() for span in ("hour", "day")]
        pages = [browser.see(f"/admin/?span={span}").text for span in ("hour", "day")]

    assert [
        {name: set(values) for name, values in columns.items() if name != "at"} for columns in drawn
    ] == 2 * [
        {
            "requests": {30}, "errors": {3}, "degraded": {6}, "cost_usd": {0.5}, "kept_usd": {0},
            "pinned_percent": {50}, "first_request_ms": {125},
        }
    ]  # fmt: skip
    assert [len(columns["at"]) for columns in drawn] == [60, 96]
    for page in pages:
        assert re.findall(r"<dt>Requests</dt><dd>([\d,]+)</dd>", page) == ["1,800", "43,200"]
        assert set(re.findall(r'</th><td class="number">(.*?)</td>', page)) == {"30"}


def _rows(browser: Browser) -> list[str]:
    return _rows_of(browser.see("/admin/replicas").text)


def _rows_of(page: str) -> list[str]:
    return [row for row in page.split("<tr")[2:] if "No replica" not in row]


def test_while_redis_is_away_every_page_says_so(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    port = free_port()
    with running(Pool(tmp_path, CONFIG, server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        browser = Browser(f"http://127.0.0.1:{port}")
        browser.log_in()
        server.stop()
        answers = [browser.see(page) for page in PAGES]
        asked = [Api(browser.address).get(path) for path in ("/sessions", "/models", "/pool", "/stats", "/pins")]

    assert {answer.status_code for answer in (*answers, *asked)} == {503}
    assert {answer.json()["error"]["type"] for answer in asked} == {"unavailable"}
