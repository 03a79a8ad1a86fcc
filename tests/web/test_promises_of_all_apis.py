"""Limits, keys and outages hold at the Messages and the Responses API, in the shape that each has for errors."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import msgspec
import pytest
import requests

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, running
from tests.web.client_apis import PATHS, ROUTES, asking, config
from tests.web.gateway import Gateway, Outside

APIS = ("messages", "responses")
SERVED = ("chat", "messages", "responses")
LARGEST = 20_000
LIMIT = 3
KEYS = f"""
auth: {{keys: [{{name: all, key: k-all}}, {{name: few, key: k-few, models: [of-chat/m]}}]}}
limits: {{body_bytes: {LARGEST}, sessions_per_minute: {LIMIT}}}
"""
IN_PLACE = 'routing: {session_cache: {type: memory}, router: {url: "http://127.0.0.1:%d/v1"}}\n'


class Sites(msgspec.Struct, frozen=True):
    """One web process a config."""

    keyed: Gateway
    without_redis: Gateway
    without_router: Gateway


@pytest.fixture(scope="module")
def sites(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    nowhere = f"redis://127.0.0.1:{outside.down}"
    made = {
        "keyed": (config(outside, KEYS), server.url),
        "without_redis": (config(outside), nowhere),
        "without_router": (config(outside, ROUTES + IN_PLACE % outside.down), nowhere),
    }
    with ExitStack() as stack:
        gateways = {}
        for name, (text, redis_url) in made.items():
            port = free_port()
            stack.enter_context(running(Pool(tmp_path_factory.mktemp(name), text, redis_url))).web(port)
            gateways[name] = stack.enter_context(closing(Gateway(port)))
        yield Sites(**gateways)


def said(api: str, answer: requests.Response) -> tuple[str, str]:
    """The kind of an error and its message; fails unless it has the shape of its API."""
    body: dict[str, Any] = answer.json()
    error = body["error"]
    if api == "messages":
        assert (body["type"], list(error)) == ("error", ["type", "message"])
        return error["type"], error["message"]
    assert list(error) == ["message", "type", "param", "code"]
    return error["code"] or error["type"], error["message"]


def ask(web: Gateway, api: str, model: str, session: str | None = None, key: str = "k-all", **fields: Any) -> Any:
    headers = {"x_model_affinity": session} if session else {}
    return web.ask("POST", PATHS[api], asking(api, model, **fields), x_api_key=key, **headers)


@pytest.mark.parametrize(("api", "kind"), [("messages", "request_too_large"), ("responses", "request_too_large")])
@pytest.mark.parametrize("served", SERVED)
def test_a_body_over_the_limit_is_too_large(
    sites: Sites, provider: Provider, api: str, kind: str, served: str
) -> None:
    answer = ask(sites.keyed, api, f"of-{served}/m", text="x" * LARGEST)

    assert answer.status_code == 413
    assert said(api, answer)[0] == kind
    assert provider.calls == 0


@pytest.mark.parametrize("api", APIS)
def test_a_body_that_grows_over_it_while_it_is_unpacked_is_too(sites: Sites, api: str) -> None:
    packed = gzip.compress(asking(api, "of-chat/m", text="x" * LARGEST))

    answer = sites.keyed.ask("POST", PATHS[api], packed, content_encoding="gzip", x_api_key="k-all")

    assert len(packed) < LARGEST
    assert answer.status_code == 413
    assert said(api, answer)[0] == "request_too_large"


@pytest.mark.parametrize(
    ("api", "unknown", "uncovered"),
    [
        ("messages", "authentication_error", "permission_error"),
        ("responses", "invalid_api_key", "model_not_allowed"),
    ],
)
def test_a_key_opens_what_it_covers(
    sites: Sites, provider: Provider, session: str, api: str, unknown: str, uncovered: str
) -> None:
    without = ask(sites.keyed, api, "of-chat/m", key="k-none")
    beyond = ask(sites.keyed, api, f"of-{api}/m", session, key="k-few")
    within = ask(sites.keyed, api, "of-chat/m", key="k-few")

    assert (without.status_code, said(api, without)[0]) == (401, unknown)
    assert (beyond.status_code, said(api, beyond)[0]) == (403, uncovered)
    assert within.status_code == 200
    assert provider.calls == 1


@pytest.mark.parametrize(("api", "kind"), [("messages", "rate_limit_error"), ("responses", "too_many_sessions")])
def test_who_begins_too_many_sessions_is_told_when_to_come_again(
    sites: Sites, session: str, api: str, kind: str
) -> None:
    answers = [ask(sites.keyed, api, "of-chat/m", f"{session}-{n}") for n in range(2 * LIMIT + 1)]

    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert {answer.status_code for answer in refused} == {429}
    assert {said(api, answer)[0] for answer in refused} == {kind}
    assert all(0 < int(answer.headers["retry-after"]) <= 60 for answer in refused)


@pytest.mark.parametrize("served", SERVED)
@pytest.mark.parametrize("api", APIS)
def test_without_redis_the_requests_own_model_answers(sites: Sites, session: str, api: str, served: str) -> None:
    answer = ask(sites.without_redis, api, f"of-{served}/m", session)

    assert answer.status_code == 200
    assert (answer.headers["x-plano-model"], answer.headers["x-plano-degraded"]) == (f"of-{served}/m", "redis")
    assert "m heard: hello" in answer.text


@pytest.mark.parametrize("served", SERVED)
@pytest.mark.parametrize("api", APIS)
def test_without_a_router_so_it_does(sites: Sites, session: str, api: str, served: str) -> None:
    answer = ask(sites.without_router, api, f"of-{served}/m", session)

    assert answer.status_code == 200
    assert (answer.headers["x-plano-model"], answer.headers["x-plano-degraded"]) == (f"of-{served}/m", "router")


@pytest.mark.parametrize("header", ["session-id", "session_id"])
def test_codex_is_known_by_both_names_of_its_header(sites: Sites, session: str, header: str) -> None:
    """gunicorn drops all other names with an underscore, so that nobody can pass for a proxy."""
    content = asking("responses", "of-responses/m")
    lines = [
        b"POST /v1/responses HTTP/1.1", b"Host: a", b"Connection: close", b"X-Api-Key: k-all",
        b"Content-Length: %d" % len(content), f"{header}: {session}".encode(), b"x_model_affinity: other",
        b"x_session_id: other",
    ]  # fmt: skip

    head = sites.without_redis.raw(b"\r\n".join(lines) + b"\r\n\r\n" + content).partition(b"\r\n\r\n")[0]

    assert head.startswith(b"HTTP/1.1 200")
    assert b"x-plano-session: codex" in head.lower()
