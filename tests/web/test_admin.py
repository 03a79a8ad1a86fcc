"""The operator's view: there only where a token is set, and only for who knows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running

TOKEN = "operators-only"
CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/a, base_url: "http://127.0.0.1:9/v1", default: true}
  - {model: openai/b, base_url: "http://127.0.0.1:9/v1"}
"""


@pytest.fixture(scope="module")
def address(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web process with an admin token."""
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("admin"))
    with running(Pool(folder, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield f"http://127.0.0.1:{port}"


def call(method: str, url: str, token: str | None = TOKEN, **more: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(method, url, headers=headers, timeout=5, **more)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize("token", [None, "", "operators-onl", "operators-only-not", "ü"])
def test_who_does_not_know_the_token_is_told_nothing(address: str, token: str | None) -> None:
    encoded = token.encode().decode("latin-1") if token else token
    answer = call("GET", f"{address}/admin/pins", encoded)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="plano"'


def test_without_a_token_set_there_is_nothing_there(redis_server: RedisServer, tmp_path: Path) -> None:
    port = free_port()
    with running(Pool(tmp_path, CONFIG, redis_server.url)) as pool:
        pool.web(port)
        answers = [call("GET", f"http://127.0.0.1:{port}/admin{path}") for path in ("/", "/pins", "/pins/s")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_a_pin_is_put_shown_listed_and_ended(address: str, store: redis.Redis) -> None:
    put = call("PUT", f"{address}/admin/pins/s%3A1?tenant=acme", json={"model": "b"})
    shown = call("GET", f"{address}/admin/pins/s%3A1?tenant=acme").json()
    listed = call("GET", f"{address}/admin/pins").json()
    ended = call("DELETE", f"{address}/admin/pins/s%3A1?tenant=acme")
    gone = call("GET", f"{address}/admin/pins/s%3A1?tenant=acme")

    assert put.status_code == 200
    assert (shown["model_name"], shown["route_name"]) == ("openai/b", None)
    assert 590 <= shown["ttl_s"] <= 600
    assert [pin["key"] for pin in listed["pins"]] == ["plano:affinity:acme:s%3A1"]
    assert (ended.status_code, gone.status_code) == (204, 404)
    assert store.keys("plano:affinity:*") == []


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model": 1}', b'{"model": "openai/unknown"}'])
def test_a_pin_to_nothing_known_is_refused(address: str, store: redis.Redis, content: bytes) -> None:
    answer = call("PUT", f"{address}/admin/pins/s", data=content)

    assert answer.status_code in {400, 404}
    assert "error" in answer.json()
    assert store.keys("plano:affinity:*") == []


def test_the_page_for_people_escapes_what_clients_wrote(address: str, store: redis.Redis) -> None:
    store.set("plano:affinity:<script>", '{"model_name":"<b>","route_name":null}', ex=60)

    page = requests.get(f"{address}/admin/", auth=("anyone", TOKEN), timeout=5)

    assert page.status_code == 200
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text


def test_the_page_is_there_with_and_without_the_last_slash(address: str) -> None:
    answers = [call("GET", f"{address}/admin{end}", allow_redirects=False) for end in ("", "/")]

    assert [answer.status_code for answer in answers] == [200, 200]
