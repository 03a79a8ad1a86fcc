"""The operator reaches every key that a pin may have, whatever bytes it has and whatever stands there."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.fakes.ports import free_port
from tests.harness import Pool, Process, RedisServer, running
from tests.web.operators import CONFIG, TOKEN, Api

PIN = '{"model_name":"openai/a","route_name":null}'


@pytest.fixture(scope="module")
def serving(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Process]]:
    """The port of a web process with an admin token, and the process."""
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("admin-keys"))
    with running(Pool(folder, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        yield port, pool.web(port)


@pytest.fixture
def api(serving: tuple[int, Process]) -> Api:
    return Api(f"http://127.0.0.1:{serving[0]}")


@pytest.fixture
def web(serving: tuple[int, Process]) -> Process:
    return serving[1]


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
    ("key", "id_", "left"), [("plano:affinity:acme:s", "s", "openai/a"), ("plano:affinity:acme:odd", "odd", None)]
)
def test_a_session_whose_key_is_removed_has_an_event_with_who_and_why(
    api: Api, web: Process, store: redis.Redis, key: str, id_: str, left: str | None
) -> None:
    """Its pin ends as by `/session/unpin`, whether it could be read or not."""
    store.set(key, PIN if left else "no pin", ex=60)

    removed = api.call("DELETE", f"/pin?key={key}&why=a+test", headers={"X-Plano-Operator": "ada"})
    (event,) = api.get("/session", id=id_, tenant="acme").json()["events"]

    assert (removed.status_code, store.exists(key)) == (204, 0)
    assert (event["what"], event["why"], event["who"], event.get("left")) == ("edited", "unpin", "ada", left)
    assert event["facts"] == {"reason": "a test"}
    assert f'session edited session={id_} tenant=acme what=unpin to=- who=ada why="a test"' in web.text()


def test_a_query_may_be_written_in_any_way(api: Api, store: redis.Redis) -> None:
    """`requests` would write it as everybody does."""
    store.set("plano:affinity:s", PIN, ex=60)
    http = HTTPConnection(api.address.removeprefix("http://"), timeout=30)

    statuses = []
    for method in ("GET", "DELETE"):
        http.request(method, "/admin/api/v1/pin?&%6Bey=plano%3aaffinity:%73", headers=api.headers)
        with http.getresponse() as answer:
            statuses.append(answer.status)
            answer.read()
    http.close()

    assert (statuses, store.exists("plano:affinity:s")) == ([200, 204], 0)


def test_half_a_character_in_a_reason_is_kept_as_a_question_mark(api: Api, store: redis.Redis) -> None:
    store.set("plano:affinity:s", PIN, ex=60)

    removed = api.call("DELETE", "/pin?key=plano:affinity:s&why=%ED%A0%80")

    assert removed.status_code == 204
    assert api.get("/session", id="s").json()["events"][0]["facts"] == {"reason": "?"}


def test_who_removes_the_key_of_no_session_is_logged(api: Api, web: Process, store: redis.Redis) -> None:
    store.set(b"plano:affinity:\xff\n", PIN, ex=60)

    removed = api.call("DELETE", "/pin?key=plano:affinity:%FF%0A&why=odd", headers={"X-Plano-Operator": "ada"})

    assert (removed.status_code, store.keys("plano:affinity:*")) == (204, [])
    assert [store.keys(f"plano:{kind}:*") for kind in ("events", "session", "top")] == [[], [], []]
    assert r"pin removed key=plano:affinity:\xff? who=ada why=odd" in web.text()


@pytest.mark.parametrize("key", ["plano:affinity:nobody", "plano:affinity:%FF"])
def test_where_nothing_stands_nothing_is_removed_and_nothing_is_kept(api: Api, store: redis.Redis, key: str) -> None:
    answer = api.call("DELETE", f"/pin?key={key}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_pin")
    assert store.keys("plano:events:*") == []


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
