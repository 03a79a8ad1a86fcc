"""The operator reaches every key that a pin may have, whatever bytes it has and whatever stands there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running
from tests.web.operators import CONFIG, TOKEN, Api

PIN = '{"model_name":"openai/a","route_name":null}'


@pytest.fixture(scope="module")
def api(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A web process with an admin token."""
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("admin-keys"))
    with running(Pool(folder, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield Api(f"http://127.0.0.1:{port}")


def rows(api: Api) -> list[dict[str, Any]]:
    return list(api.get("/pins", count=1000).json()["pins"])


def test_keys_that_are_no_text_and_values_that_are_no_pin_are_listed_shown_and_removed(
    api: Api, store: redis.Redis
) -> None:
    """Keys in other bytes made the whole page a 500, and a value of another type a 503."""
    store.set(b"plano:affinity:\xff\xfe", PIN, ex=60)
    store.set("plano:affinity:text", "no pin", ex=60)
    store.set("plano:affinity:deep", b"[" * 2000, ex=60)
    store.rpush("plano:affinity:list", "x")
    store.hset("plano:affinity:hash", "x", "y")
    store.set("plano:affinity:good", PIN, ex=60)

    found = rows(api)
    shown = [api.call("GET", f"/pin?{row['query']}") for row in found]
    removed = [api.call("DELETE", f"/pin?{row['query']}") for row in found]

    kinds = {row["key"].rpartition(":")[2]: None if row["pin"] else row["kind"] for row in found}
    assert kinds == {
        "\\xff\\xfe": None, "text": "string", "deep": "string", "list": "list", "hash": "hash", "good": None
    }  # fmt: skip
    assert [answer.json()["key"] for answer in shown] == [row["key"] for row in found]
    assert [answer.status_code for answer in removed] == [204] * 6
    assert store.keys("plano:affinity:*") == []


@pytest.mark.parametrize(
    "query",
    [
        *(f"count={text}" for text in ("", "0", "-1", "1001", "x", "9" * 3000)),
        *(f"cursor={text}" for text in ("", "-1", "x", str(2**64), "9" * 3000)),
    ],
)
def test_count_and_cursor_are_checked(api: Api, query: str) -> None:
    answer = api.call("GET", f"/pins?{query}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])
    assert len(answer.json()["error"]["message"]) < 200


@pytest.mark.parametrize("query", ["", "key=", "key=rq:queue:plano", "key=plano:cooldown:a", "key=%00"])
def test_nothing_but_a_pin_can_be_reached(api: Api, query: str) -> None:
    answers = [api.call(method, f"/pin?{query}") for method in ("GET", "DELETE")]

    assert [answer.status_code for answer in answers] == [400, 400]


def test_every_pin_of_many_is_on_some_page(api: Api, store: redis.Redis) -> None:
    with store.pipeline() as together:
        for n in range(2500):
            together.set(f"plano:affinity:many-{n}", PIN, ex=60)
        together.execute()

    cursor, seen = 0, set[str]()
    while True:
        said = api.get("/pins", count=1000, cursor=cursor).json()
        cursor = said["cursor"]
        seen |= {row["key"] for row in said["pins"]}
        if not cursor:
            break

    assert len(seen) == 2500
