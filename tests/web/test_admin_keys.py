"""The operator reaches every key that a pin may have, whatever it is called and whatever stands there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running
from tests.web.test_admin import CONFIG, TOKEN, call

ODD_IDS = ["a/b", "/", "//x", "..", "a?b#c&d=e", "a%2Fb", "a+b c", "é", "\u6f22:字", "%"]
PIN = '{"model_name":"openai/a","route_name":null}'


@pytest.fixture(scope="module", params=["redis", "memory"])
def address(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A web process with an admin token, in both modes."""
    port = free_port()
    config = CONFIG + f"routing: {{session_cache: {{type: {request.param}}}}}\n"
    folder = Path(tmp_path_factory.mktemp("admin-keys"))
    with running(Pool(folder, config, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def on_redis(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("admin-redis"))
    with running(Pool(folder, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield f"http://127.0.0.1:{port}"


def rows(address: str) -> list[dict[str, Any]]:
    answer = call("GET", f"{address}/admin/pins?count=1000")
    assert answer.status_code == 200
    return list(answer.json()["pins"])


@pytest.mark.parametrize("session", ODD_IDS)
@pytest.mark.usefixtures("store")
def test_a_session_of_any_name_is_put_shown_listed_and_ended(address: str, session: str) -> None:
    """A slash in a path is another path, however it is written."""
    at = f"{address}/admin/pin?session={quote(session, safe='')}&tenant=t"

    put = call("PUT", at, json={"model": "b"})
    shown = call("GET", at)
    (listed,) = rows(address)
    followed = call("GET", f"{address}{listed['href']}")
    ended, gone = call("DELETE", f"{address}{listed['href']}"), call("GET", at)

    assert (put.status_code, put.json()["model_name"]) == (200, "openai/b")
    assert shown.json()["key"] == followed.json()["key"] == listed["key"]
    assert (ended.status_code, gone.status_code) == (204, 404)


def test_keys_that_are_no_text_and_values_that_are_no_pin_are_listed_shown_and_ended(
    on_redis: str, store: redis.Redis
) -> None:
    """Keys in other bytes made the whole page a 500, and a value of another type a 503."""
    store.set(b"plano:affinity:\xff\xfe", PIN, ex=60)
    store.set("plano:affinity:text", "no pin", ex=60)
    store.set("plano:affinity:deep", b"[" * 2000, ex=60)
    store.rpush("plano:affinity:list", "x")
    store.hset("plano:affinity:hash", "x", "y")
    store.set("plano:affinity:good", PIN, ex=60)

    found = rows(on_redis)
    page = call("GET", f"{on_redis}/admin/")
    shown = [call("GET", f"{on_redis}{row['href']}") for row in found]
    ended = [call("DELETE", f"{on_redis}{row['href']}") for row in found]

    kinds = {row["key"].rpartition(":")[2]: row.get("unreadable") for row in found}
    assert kinds == {
        "\\xff\\xfe": None, "text": "string", "deep": "string", "list": "list", "hash": "hash", "good": None
    }  # fmt: skip
    assert page.status_code == 200
    assert "no pin: hash" in page.text
    assert [answer.json()["key"] for answer in shown] == [row["key"] for row in found]
    assert [answer.status_code for answer in ended] == [204] * 6
    assert store.keys("plano:affinity:*") == []


@pytest.mark.parametrize(
    "query",
    [
        *(f"count={text}" for text in ("", "0", "-1", "1001", "x", "1e3", "%D9%A3", "9" * 3000)),
        *(f"cursor={text}" for text in ("", "-1", "x", str(2**64), "9" * 3000)),
    ],
)
def test_count_and_cursor_are_checked(address: str, query: str) -> None:
    answer = call("GET", f"{address}/admin/pins?{query}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])
    assert len(answer.json()["error"]["message"]) < 200


@pytest.mark.parametrize("query", ["", "key=", "key=rq:queue:plano", "session=", "session=%00", "tenant=t"])
def test_nothing_but_a_pin_can_be_reached(address: str, query: str) -> None:
    answers = [call(method, f"{address}/admin/pin?{query}") for method in ("GET", "DELETE")]

    assert [answer.status_code for answer in answers] == [400, 400]


def test_every_pin_of_many_is_on_some_page(on_redis: str, store: redis.Redis) -> None:
    with store.pipeline() as together:
        for n in range(2500):
            together.set(f"plano:affinity:many-{n}", PIN, ex=60)
        together.execute()

    cursor, seen = 0, set[str]()
    while True:
        said = call("GET", f"{on_redis}/admin/pins?count=1000&cursor={cursor}").json()
        cursor = said["cursor"]
        seen |= {row["key"] for row in said["pins"]}
        if not cursor:
            break

    assert len(seen) == 2500
