"""Credentials and what people write stay where they belong: planted, then searched for everywhere else."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import requests

from tests.fakes.otlp import Collector
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, wait_until
from tests.system.asking import DEEP

CLIENT_KEY, PROVIDER_KEY, ROUTER_KEY = "marker-client-key", "marker-provider-key", "marker-router-key"
ADMIN_TOKEN, COOKIE, WORDS = "marker-admin-token", "marker-cookie", "marker-words"
MARKERS = (CLIENT_KEY, PROVIDER_KEY, ROUTER_KEY, ADMIN_TOKEN, COOKIE, WORDS)
KEYS = f"""
auth: {{keys: [{{name: a, key: {CLIENT_KEY}, tenant: acme}}]}}
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """The stand-in collector."""
    with Collector() as server:
        yield server


def test_nothing_planted_is_found_in_logs_traces_redis_metrics_or_errors(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    redis_of_its_own: RedisServer,
    provider: Provider,
    router: Router,
    collector: Collector,
) -> None:
    env = {"PLANO_ADMIN_TOKEN": ADMIN_TOKEN, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1")}
    pool = start(env=env, listener=KEYS)
    config = pool.config.read_text().replace("provider_interface: openai", f"access_key: {PROVIDER_KEY}", 2)
    pool.config.write_text(config.replace("model: Arch-Router", f"model: Arch-Router, api_key: {ROUTER_KEY}"))
    pool.serve(ports[0])
    router.delay = 0.3

    with ThreadPoolExecutor(1) as client, redis_of_its_own.client() as store:
        asking = client.submit(_ask, ports[0], "s")
        wait_until(lambda: router.calls, what="the decision")
        answered = asking.result()
        settled = wait_until(
            lambda: None if store.keys("rq:job:*") else _everything(store), what="the end of the job"
        )
    refusals = [
        _ask(ports[0], "s", key="wrong-" + CLIENT_KEY),
        _ask(ports[0], "x" * 300),
        _ask(ports[0], "s", model=f"unknown/{'m'}"),
        _failing(ports[0], provider),
        *_operated(f"http://127.0.0.1:{ports[0]}/admin"),
    ]
    metrics = requests.get(f"http://127.0.0.1:{ports[0]}/metrics", timeout=5).text
    wait_until(lambda: collector.named("settle"), what="the trace")

    assert answered.ok
    assert provider.requests[0].header("authorization") == f"Bearer {PROVIDER_KEY}"
    assert router.requests[0].header("authorization") == f"Bearer {ROUTER_KEY}"
    assert WORDS in router.requests[0].body.decode()
    everywhere = {"the log of " + process.log.name: process.text() for process in pool.processes} | {
        "Redis": settled,
        "the metrics": metrics,
        "the traces": repr(collector.spans),
        "the errors": json.dumps([answer.text + repr(answer.headers) for answer in refusals]),
        "what the provider was told besides": repr([_without_body(request) for request in provider.requests]),
    }
    found = [(place, marker) for place, text in everywhere.items() for marker in MARKERS if marker in text]
    assert [entry for entry in found if entry != ("what the provider was told besides", PROVIDER_KEY)] == []


def _ask(port: int, session: str, *, key: str = CLIENT_KEY, **body: object) -> requests.Response:
    content = {"messages": [{"role": "user", "content": f"{DEEP} {WORDS}"}], **body}
    headers = {"X-Model-Affinity": session, "Authorization": f"Bearer {key}", "Cookie": COOKIE}
    return requests.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=content, headers=headers, timeout=10)


def _operated(admin: str) -> list[requests.Response]:
    """An operator logs in, and asks by the API; once with the token in a wrong place."""
    login = requests.post(f"{admin}/login", data={"token": ADMIN_TOKEN}, allow_redirects=False, timeout=30)
    wrong = requests.post(f"{admin}/login", data={"token": ADMIN_TOKEN + "x"}, timeout=30)
    header = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    asked = [requests.get(f"{admin}/api/v1/{path}", headers=header, timeout=30) for path in ("sessions", "nowhere")]
    misplaced = requests.get(f"{admin}/api/v1/sessions", headers={"X-Api-Key": ADMIN_TOKEN}, timeout=30)
    assert [answer.status_code for answer in (login, wrong, *asked, misplaced)] == [303, 403, 200, 404, 401]
    return [login, wrong, *asked, misplaced]


def _failing(port: int, provider: Provider) -> requests.Response:
    """Every model is unreachable."""
    provider.behave("close")
    answer = _ask(port, "s")
    provider.behave(None)
    return answer


def _everything(store: redis.Redis) -> str:
    """Every key and every byte of what it holds."""
    return repr([(key, store.dump(key), store.ttl(key)) for key in store.scan_iter("*")])


def _without_body(request: object) -> object:
    return getattr(request, "headers", None)
