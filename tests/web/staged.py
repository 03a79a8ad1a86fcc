"""A whole pool with thousands of sessions, for those who look at the operator's pages."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
import requests

from shared.domain.pool_stats import MINUTE_S, Sums
from shared.domain.session_records import Event, Note, What
from shared.domain.sessions import Session
from shared.store import keys
from shared.store.metrics.pool_stats import StatsStore
from shared.store.sessions.records import RecordStore
from tests.endpoints import connected
from tests.fakes.metered import Metered
from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running
from tests.web.operators import TOKEN

FIRST, SECOND, THIRD = MODELS = ("openai/gpt-5.2", "anthropic/claude-sonnet-4-5", "mistral/mistral-large")
PRICES: dict[str, dict[str, Any]] = {
    FIRST: {"input": 1.25, "output": 10, "cache_read": 0.125},
    SECOND: {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6},
    THIRD: {"input": 2, "output": 6},
}
REVIEW = "please review this complex analysis. "
CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-5.2, base_url: "%(first)s", access_key: k, default: true}
  - {model: anthropic/claude-sonnet-4-5, base_url: "%(second)s", access_key: k, provider_interface: openai}
  - {model: mistral/mistral-large, base_url: "%(third)s", access_key: k, provider_interface: openai}
routing_preferences:
  - name: deep_reasoning
    description: complex analysis and review
    models: [openai/gpt-5.2, anthropic/claude-sonnet-4-5]
  - name: quick_answers
    description: quick facts and small talk
    models: [mistral/mistral-large, anthropic/claude-sonnet-4-5]
model_metrics_sources: [{type: cost, provider: file, path: "%(prices)s"}]
routing: {session_cache: {type: redis, tenant_header: x-tenant-id}, router: {url: "%(router)s"}}
auth: {keys: [{name: ci, key: ck-ci, tenants: "*"}]}
"""
_TENANTS = ("acme", "initech", "umbrella")
_WORDS = ("billing", "review", "migrate", "deploy", "search", "triage", "report", "refactor", "tests", "docs")


class Stage:
    """The pool: where it is, its providers, and requests to it."""

    def __init__(self, address: str, providers: dict[str, Metered], store: redis.Redis) -> None:
        self.address = address
        self.providers = providers
        self.store = store

    def ask(self, session: str, text: str = REVIEW, turns: int = 1, tenant: str = "acme") -> requests.Response:
        """The next request of a session, whose conversation has so many turns of a user."""
        messages = [{"role": "system", "content": "You read files. " * 300}]
        for n in range(turns):
            messages += [
                {"role": "user", "content": f"{text} {n} " + "A line. " * 50},
                {"role": "assistant", "content": "ok"},
            ]
        return requests.post(
            f"{self.address}/v1/chat/completions",
            json={"messages": messages[:-1], "max_tokens": 50},
            headers={"Authorization": "Bearer ck-ci", "X-Model-Affinity": session, "X-Tenant-Id": tenant},
            timeout=60,
        )


@contextmanager
def staged(folder: Path, redis_server: RedisServer, sessions: int = 0) -> Iterator[Stage]:
    """The pool with a worker, a clock and two web processes; so many sessions have been there."""
    with ExitStack() as made:
        router = made.enter_context(Router())
        providers = [made.enter_context(Metered()) for _ in MODELS]
        for provider in providers:
            provider.prices = {name.partition("/")[2]: prices for name, prices in PRICES.items()}
        (folder / "prices.json").write_text(json.dumps(PRICES))
        first, second, third = (provider.url for provider in providers)
        urls = {"first": first, "second": second, "third": third, "router": router.url}
        text = CONFIG % {**urls, "prices": folder / "prices.json"}
        pool = made.enter_context(running(Pool(folder, text, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)))
        seed(redis_server.url, sessions)
        ports = free_port(), free_port()
        pool._start("clock")
        pool.serve(*ports)
        store = made.enter_context(redis_server.client())
        yield Stage(f"http://127.0.0.1:{ports[0]}", dict(zip(MODELS, providers, strict=True)), store)


def seed(url: str, count: int) -> None:
    """Have so many sessions in Redis, with pins, records and events; and a day of minutes."""
    if not count:
        return
    chance, now = random.Random(7), time.time()
    with connected(url) as client:
        records = RecordStore(client, session_ttl_s=600, kept_s=86400)
        for begin in range(0, count, 1000):
            some = {_session(chance, n): _note(chance, now, n) for n in range(begin, min(begin + 1000, count))}
            records.add(some)
            _pin(client, some)
        _minutes(StatsStore(client), chance, int(now // MINUTE_S))


def _session(chance: random.Random, n: int) -> Session:
    return Session(f"{chance.choice(_WORDS)}-{chance.choice(_WORDS)}-{n:05d}", chance.choice(_TENANTS))


def _note(chance: random.Random, now: float, n: int) -> Note:
    at, model, turns = now - chance.expovariate(1 / 7200) - 30, chance.choices(MODELS, (5, 3, 2))[0], 1 + n % 23
    event = Event(at=at - turns * 20, what=What.DECIDED, model=model, route="deep_reasoning", replica="web-1")
    cost = chance.lognormvariate(-4, 1.2) * turns
    return Note(
        at=at,
        model=model,
        route="deep_reasoning",
        client="ci",
        turns=turns,
        input=turns * 900,
        cached=turns * 4200,
        output=turns * 350,
        cost_usd=cost,
        kept_usd=cost * 1.4,
        events=(event,),
    )


def _pin(client: redis.Redis, notes: dict[Session, Note]) -> None:
    with client.pipeline(transaction=False) as together:
        for session, note in notes.items():
            pin: dict[str, Any] = {"model_name": note.model, "route_name": note.route}
            together.set(keys.affinity(session), json.dumps(pin), ex=3600)
        together.execute()


def _minutes(stats: StatsStore, chance: random.Random, last: int) -> None:
    for minute in range(last - 24 * 60 + 1, last + 1):
        busy = 60 + 40 * ((minute // 60) % 7) + chance.randrange(40)
        decided = busy // 12
        stats.add(
            minute,
            Sums(
                requests=busy,
                pinned=busy - decided,
                decided=decided,
                first_request_s=decided * chance.uniform(0.05, 0.12),
                errors=int(chance.random() < 0.05) * chance.randrange(1, 4),
                degraded=int(chance.random() < 0.01) * 3,
                cost_usd=busy * 0.004,
                kept_usd=busy * 0.006,
                lost_usd=busy * 0.0002,
            ),
        )
