"""Sessions that may change their model when it pays, on two replicas with a worker; counted at their provider's."""

import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import pytest
import redis
import requests

from tests.fakes.metered import Metered
from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web.gateway import CHAT, Gateway
from tests.web.test_money import refresh

CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/a, base_url: "%(provider)s", access_key: k, default: true}
  - {model: openai/b, base_url: "%(provider)s", access_key: k}
  - {model: "openai/*", base_url: "%(provider)s", access_key: k}
  - {model: openai/unpriced, base_url: "%(provider)s", access_key: k}
routing_preferences:
  - {name: review, description: review the analysis, models: [openai/a]}
  - {name: write, description: write functions, models: [openai/b]}
  - {name: count, description: count numbers, models: [openai/c]}
  - {name: translate, description: translate letters, models: [openai/d]}
  - {name: compose, description: compose melodies, models: [openai/e]}
  - {name: paint, description: paint pictures, models: [openai/unpriced]}
routing:
  router: {url: "%(router)s"}
  routing_budget: {percent: 50}
model_metrics_sources: [{type: cost, provider: file, path: prices.yaml}]
"""
PRICES = {f"openai/{name}": {"input": 10, "output": 1, "cache_read": 1} for name in "abcde"}
A, B = "openai/a", "openai/b"
SYSTEM = {"role": "system", "content": "You read files. " * 600}
REVIEW, WRITE, PAINT = "review the analysis", "write functions", "paint pictures"
WISHES = (WRITE, "count numbers", "translate letters", "compose melodies")
MICRO = 1_000_000
FLEET = 500
CALL = {"id": "c", "type": "function", "function": {"name": "grep", "arguments": "{}"}}
LOOP: tuple[dict[str, Any], ...] = (
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": WRITE},
)
BOUND: tuple[dict[str, Any], ...] = (
    {"role": "assistant", "content": "so", "extra_content": {"google": {"thought_signature": "s"}}},
    {"role": "user", "content": WRITE},
)
_LIMIT_S = 60


class Site:
    """Two replicas, and what they stand among."""

    def __init__(self, webs: list[Gateway], provider: Metered, router: Router, store: redis.Redis) -> None:
        self.webs = webs
        self.provider = provider
        self.router = router
        self.store = store

    def say(self, session: str, text: str, *more: dict[str, Any], web: int = 0, **headers: str) -> requests.Response:
        turns = [SYSTEM, {"role": "user", "content": text}, *more]
        sent = json.dumps({"model": A, "messages": turns}).encode()
        named = {"x-model-affinity": session, **{name.replace("_", "-"): value for name, value in headers.items()}}
        address = f"http://127.0.0.1:{self.webs[web].port}{CHAT}"
        return requests.post(address, sent, headers=named, timeout=_LIMIT_S)

    def saving(self, turns: int) -> str:
        """A session that has had so many turns, once what they all have saved has reached Redis."""
        session, cached = uuid.uuid4().hex, 0
        for _ in range(turns):
            answer = self.say(session, REVIEW)
            assert told(answer)[0] == A
            cached += answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
        # Two seconds may have their parts of it: each is shared by itself.
        saved = pytest.approx(cached * 9 / MICRO, rel=0.01)
        wait_until(lambda: self.ledger(session)[0] == saved, what="the session's savings", within_s=_LIMIT_S)
        return session

    def ledger(self, session: str) -> tuple[float, float]:
        """What it has saved and spent, in US$."""
        saved, spent = self.store.hmget(f"plano:budget:{session}", "saved", "spent")
        return float(saved or 0) / MICRO, float(spent or 0) / MICRO

    def have_saved_more(self, before: dict[str, float]) -> bool:
        """Whether each of these sessions has saved more than it had."""
        return all(self.ledger(session)[0] > saved for session, saved in before.items())

    def asked_of(self, session: str) -> list[str | None]:
        """The models that the provider was asked for, in their order."""
        return [seen.model for seen in self.provider.requests if seen.header("x-model-affinity") == session]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, ports = tmp_path_factory.mktemp("budget"), [free_port(), free_port()]
    (folder / "prices.yaml").write_text(json.dumps(PRICES))
    with ExitStack() as made:
        provider, router = made.enter_context(Metered()), made.enter_context(Router())
        provider.prices = PRICES
        server = RedisServer(tmp_path_factory.mktemp("redis")).start()
        made.callback(server.stop)
        config = CONFIG % {"provider": provider.url, "router": router.url}
        pool = made.enter_context(running(Pool(folder, config, server.url)))
        refresh(server.url, folder / "prices.yaml")
        with ThreadPoolExecutor(3) as together:
            starts = [together.submit(pool.worker), *(together.submit(pool.web, port) for port in ports)]
            for start in starts:
                start.result()
        webs = [made.enter_context(closing(Gateway(port))) for port in ports]
        yield Site(webs, provider, router, made.enter_context(server.client()))


def told(answer: requests.Response) -> tuple[str, str | None]:
    assert answer.ok, answer.text
    return answer.headers["x-plano-model"], answer.headers.get("x-plano-redecided")


def test_a_session_that_has_saved_enough_switches_and_books_the_cost(site: Site) -> None:
    """A turn saves nine tenths of the price of what is cached; a switch costs as much, and half may be spent."""
    session = site.saving(5)
    saved, _ = site.ledger(session)

    switched, after = site.say(session, WRITE), site.say(session, WRITE, web=1)

    assert (told(switched), told(after)) == ((B, "budget"), (B, None))
    _, spent = site.ledger(session)
    assert 0 < spent <= saved / 2
    tokens = len(site.provider.requests[-1].body) / 4
    assert spent == pytest.approx(tokens * 9 / MICRO, rel=0.1)


def test_one_that_has_not_stays(site: Site) -> None:
    session = site.saving(2)

    assert told(site.say(session, WRITE)) == (A, None)
    assert site.ledger(session)[1] == 0


def test_a_request_may_say_another_share(site: Site) -> None:
    rich, poor = site.saving(5), site.saving(3)

    none = site.say(rich, WRITE, x_plano_routing_budget="0")
    all_of_it = site.say(poor, WRITE, x_plano_max_switch_spend_pct="100")
    wrong = site.say(rich, WRITE, x_plano_routing_budget="much")

    assert told(none) == (A, None)
    assert told(all_of_it) == (B, "budget")
    assert wrong.status_code == 400


def test_a_model_without_a_price_is_never_switched_to(site: Site) -> None:
    assert told(site.say(site.saving(5), PAINT)) == (A, None)


def test_nothing_switches_within_a_tool_loop_or_while_bound(site: Site) -> None:
    session = site.saving(6)
    before = site.router.calls

    loop = site.say(session, WRITE, *LOOP)
    bound = site.say(session, WRITE, *BOUND)

    assert [told(loop), told(bound)] == [(A, None)] * 2
    assert site.router.calls == before


def test_what_the_switch_has_cost_is_lost(site: Site) -> None:
    def lost() -> float:
        series = re.compile(r'^plano_lost_usd_total\{reason="redecision"\} (\S+)$', re.MULTILINE)
        return sum(float(n) for web in site.webs for n in series.findall(web.ask("GET", "/metrics").text))

    before, session = lost(), site.saving(5)
    turns = {"role": "assistant", "content": "done"}, {"role": "user", "content": WRITE}

    assert told(site.say(session, REVIEW, *turns))[1] == "budget"
    wait_until(lambda: lost() > before, what="the loss", within_s=_LIMIT_S)


def test_a_fleet_never_spends_more_than_its_budgets(site: Site) -> None:
    """Eight requests of each session at once, at two replicas, then four more. The savings allow one switch.

    Two of the eight may not switch: one is bound, one is in a tool loop.
    """
    names, share = [uuid.uuid4().hex for _ in range(FLEET)], "60"
    four = [(wish, ()) for wish in WISHES]
    eight = [*four, *four[:2], (WRITE, LOOP), (WRITE, BOUND)]
    with ThreadPoolExecutor(16) as clients:

        def ask(name: str, text: str, more: tuple[dict[str, Any], ...], web: int) -> None:
            _, redecided = told(site.say(name, text, *more, web=web, x_plano_routing_budget=share))
            assert not (more and redecided)

        for _ in range(2):
            list(clients.map(ask, names, [REVIEW] * FLEET, [()] * FLEET, [0] * FLEET))
        wait_until(partial(site.have_saved_more, dict.fromkeys(names, 0.0)), what="the savings", within_s=_LIMIT_S)
        site.provider.window_s = -1  # from now on nothing is cached, so nobody saves
        for wave in (eight, four):
            each = [(name, text, more, n % 2) for name in names for n, (text, more) in enumerate(wave)]
            list(clients.map(ask, *zip(*each, strict=True)))

    asked = {name: site.asked_of(name) for name in names}
    assert {len(models) for models in asked.values()} == {2 + 8 + 4}
    ledgers = [site.ledger(name) for name in names]
    assert sum(spent > 0 for _, spent in ledgers) > FLEET / 2
    assert [(saved, spent) for saved, spent in ledgers if spent > saved * int(share) / 100] == []
