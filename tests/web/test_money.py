"""Dollars end to end: what the gateway says that answers cost is what their provider bills."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from click.testing import CliRunner

from shared.cli import main
from shared.config.sections import MetricSource
from shared.domain.ranking import Kind
from shared.errors import StoreDown
from shared.store.metrics.snapshot import MetricsStore
from tests.endpoints import serving
from tests.fakes.metered import Metered
from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web.client_apis import CONVERSATIONS, PATHS
from tests.web.gateway import Gateway
from workers.metrics.refresh import Refresher

CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/gpt, base_url: "http://127.0.0.1:%(port)d/v1", access_key: k, default: true}
  - {model: anthropic/claude, base_url: "http://127.0.0.1:%(port)d/v1", access_key: k, apis: [messages]}
  - {model: house/unpriced, base_url: "http://127.0.0.1:%(port)d/v1", provider_interface: openai}
routing:
  fallback_to_default: true
  session_cache: {type: redis, tenant_header: x-tenant-id}
model_metrics_sources: [{type: cost, provider: file, path: prices.yaml}]
"""
PRICES = {
    "openai/gpt": {"input": 2, "output": 10, "cache_read": 0.5},
    "anthropic/claude": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6},
}
GPT, CLAUDE = "openai/gpt", "anthropic/claude"
SYSTEM = "You read files. " * 600
TURNS = 5


class Shop:
    """One web process, what it stands among, and what its provider bills."""

    def __init__(self, web: Gateway, provider: Metered, pool: Pool, store: redis.Redis) -> None:
        self.web = web
        self.provider = provider
        self.pool = pool
        self.store = store

    def ask(self, api: str, model: str, turns: list[dict[str, Any]], **headers: str) -> requests.Response:
        said: dict[str, Any] = {"model": model, CONVERSATIONS[api]: turns}
        if api == "messages":
            said |= {"messages": [*turns[:-1], _marked(turns[-1])], "system": SYSTEM, "max_tokens": 99}
        elif api == "responses":
            said["instructions"] = SYSTEM
        return self.web.ask("POST", PATHS[api], json.dumps(said).encode(), **headers)

    def talk(self, api: str, model: str, tenant: str, **more: str) -> list[requests.Response]:
        """A session of some turns, each of which brings more to read."""
        session, turns, answers = uuid.uuid4().hex, _begun(api), list[requests.Response]()
        for n in range(TURNS):
            turns.append({"role": "user", "content": f"{n} " + "A line of a file. " * 200})
            answers.append(self.ask(api, model, turns, x_model_affinity=session, x_tenant_id=tenant, **more))
            turns.append({"role": "assistant", "content": "ok"})
        return answers

    def savings(self, *options: str) -> dict[str, list[float]]:
        """What `plano savings` prints: cost, kept and lost by name."""
        asked = ["savings", str(self.pool.config), "--redis-url", self.pool.environment["REDIS_URL"], *options]
        shown = CliRunner().invoke(main, asked)
        assert shown.exit_code == 0, shown.output
        rows = [line.rsplit(maxsplit=3) for line in shown.output.splitlines()[3:]]
        return {name: list(map(float, amounts)) for name, *amounts in rows}

    def counted(self, name: str, **labels: str) -> float:
        """The sum of a counter's series that have these labels."""
        series = re.findall(rf"^{name}{{([^}}]*)}} (\S+)$", self.web.ask("GET", "/metrics").text, re.MULTILINE)
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        return sum(float(value) for found, value in series if wanted <= set(found.split(",")))


def _begun(api: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": SYSTEM}] if api == "chat" else []


def _marked(turn: dict[str, Any]) -> dict[str, Any]:
    """The turn as a client of Anthropic sends its last one, which is to be cached."""
    mark = {"type": "ephemeral"}
    return {**turn, "content": [{"type": "text", "text": turn["content"], "cache_control": mark}]}


@pytest.fixture(scope="module")
def standing(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, port = tmp_path_factory.mktemp("money"), free_port()
    (folder / "prices.yaml").write_text(json.dumps(PRICES))
    with ExitStack() as made:
        provider = made.enter_context(Metered())
        provider.prices = PRICES
        pool = made.enter_context(running(Pool(folder, CONFIG % {"port": provider.port}, server.url)))
        refresh(server.url, folder / "prices.yaml")
        pool.web(port)
        store = made.enter_context(server.client())
        web = made.enter_context(closing(Gateway(port)))
        yield Shop(web, provider, pool, store)


@pytest.fixture
def shop(standing: Shop) -> Shop:
    standing.provider.clear()
    return standing


def refresh(url: str, prices: Path) -> None:
    """What a worker does when the clock tells it."""
    source = MetricSource.model_validate({"type": "cost", "provider": "file", "path": str(prices)})
    with serving(url, silence_s=10) as endpoint:
        Refresher([source], MetricsStore(endpoint.client(StoreDown))).refresh(Kind.COST)


def usd(answers: list[requests.Response]) -> float:
    return sum(float(answer.headers["x-plano-cost-usd"]) for answer in answers)


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("api", list(PATHS))
def test_what_answers_say_they_cost_is_what_the_provider_bills(shop: Shop, api: str, model: str) -> None:
    """With a cache that is read and, at Anthropic, written; in any API, translated or not."""
    answers = shop.talk(api, model, "team")

    bill = shop.provider.bill()

    assert usd(answers) == pytest.approx(float(bill["usd"]), abs=1e-9)
    assert bill["models"][model.partition("/")[2]]["cache_read"] > 5000


def test_a_stream_is_counted_when_it_has_ended_and_no_header_says_its_price(shop: Shop) -> None:
    before = shop.counted("plano_cost_usd_total", tenant="streams")
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "hello"}]
    said = {"model": GPT, "messages": turns, "stream": True, "stream_options": {"include_usage": True}}

    answer = shop.web.ask("POST", PATHS["chat"], json.dumps(said).encode(), x_tenant_id="streams")

    assert "[DONE]" in answer.text
    assert "x-plano-cost-usd" not in answer.headers
    billed = float(shop.provider.bill()["usd"])
    wait_until(lambda: shop.counted("plano_cost_usd_total", tenant="streams") > before, what="the count")
    assert shop.counted("plano_cost_usd_total", tenant="streams") == pytest.approx(before + billed)


def test_an_answer_whose_price_is_not_known_has_no_price(shop: Shop) -> None:
    answer = shop.ask("chat", "house/unpriced", [{"role": "user", "content": "hi"}], x_tenant_id="team")

    assert answer.status_code == 200
    assert "x-plano-cost-usd" not in answer.headers


def test_an_error_costs_nothing(shop: Shop) -> None:
    shop.provider.behave("status", code=400, times=1)

    answer = shop.ask("chat", GPT, [{"role": "user", "content": "hi"}], x_tenant_id="team")

    assert answer.status_code == 400
    assert "x-plano-cost-usd" not in answer.headers


def test_savings_are_the_bill_and_what_it_would_have_been_without_a_cache(shop: Shop) -> None:
    tenant = uuid.uuid4().hex
    answers = shop.talk("messages", CLAUDE, tenant)
    bill = shop.provider.bill()
    used, price = bill["models"]["claude"], PRICES[CLAUDE]
    taken = used["input"] + used["cache_read"] + used["cache_write"]
    without = (taken * price["input"] + used["output"] * price["output"]) / 1e6

    wait_until(lambda: tenant in shop.savings("--by", "tenant"), what="the sums in Redis")

    wait_until(lambda: shop.savings("--by", "tenant")[tenant][0] >= round(usd(answers), 4), what="all of them")
    cost, kept, lost = shop.savings("--by", "tenant")[tenant]
    assert cost == pytest.approx(float(bill["usd"]), abs=1e-4)
    assert kept == pytest.approx(without - float(bill["usd"]), abs=1e-4)
    assert lost == 0
    assert kept > cost
    assert shop.counted("plano_kept_usd_total", tenant=tenant) == pytest.approx(without - float(bill["usd"]))


def test_a_session_that_has_to_move_has_its_re_warming_in_lost(shop: Shop) -> None:
    """The third turn is answered by the other model, which reads anew what Claude had in its cache."""
    tenant, session, turns = uuid.uuid4().hex, uuid.uuid4().hex, list[dict[str, Any]]()
    read = list[int]()
    for n in range(4):
        turns.append({"role": "user", "content": f"{n} " + "A line of a file. " * 200})
        if n == 2:
            shop.provider.behave("status", model="claude", code=503, times=1)
        answer = shop.ask("messages", CLAUDE, turns, x_model_affinity=session, x_tenant_id=tenant)
        read.append(sum(count for name, count in answer.json()["usage"].items() if name.endswith("input_tokens")))
        turns.append({"role": "assistant", "content": "ok"})
    assert answer.headers["x-plano-model"] == GPT

    wait_until(lambda: shop.savings("--by", "tenant").get(tenant, [0, 0, 0])[2], what="the loss")

    ((_, _, lost),) = [amounts for name, amounts in shop.savings("--by", "tenant").items() if name == tenant]
    warm_at_claude = read[1]
    assert lost == pytest.approx(warm_at_claude * (2 - 0.3) / 1e6, rel=0.05)
    assert shop.counted("plano_lost_usd_total", reason="move") == pytest.approx(lost, abs=1e-4)


def test_a_session_that_its_client_has_decided_anew_has_its_re_warming_in_lost(shop: Shop) -> None:
    before = shop.counted("plano_lost_usd_total", reason="redecision")
    session, turns = uuid.uuid4().hex, list[dict[str, Any]]()
    for model, affinity in ((CLAUDE, {}), (CLAUDE, {}), (GPT, {"x_plano_affinity": "new"})):
        turns.append({"role": "user", "content": "A line of a file. " * 200})
        answer = shop.ask("messages", model, turns, x_model_affinity=session, x_tenant_id="team", **affinity)
        turns.append({"role": "assistant", "content": "ok"})

    assert answer.headers["x-plano-redecided"] == "asked"
    assert answer.headers["x-plano-model"] == GPT
    wait_until(lambda: shop.counted("plano_lost_usd_total", reason="redecision") > before, what="the loss")


def test_a_pinned_request_is_one_get_where_its_answer_is_priced(shop: Shop) -> None:
    """What is told to Redis is told once a second, by all requests together."""
    (*_, last) = shop.talk("chat", GPT, "team")
    session = {"x_model_affinity": uuid.uuid4().hex, "x_tenant_id": "team"}
    turns = [{"role": "user", "content": "hi"}]
    shop.ask("chat", GPT, turns, **session)
    shop.store.config_resetstat()
    began = time.monotonic()

    answers = [shop.ask("chat", GPT, turns, **session) for _ in range(20)]

    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in shop.store.info("commandstats").items()}
    seconds = time.monotonic() - began
    assert last.headers["x-plano-pinned"] == answers[0].headers["x-plano-pinned"] == "true"
    assert calls["get"] == 20
    assert calls.get("evalsha", 0) <= 2 + seconds, "a script for each second, and none for a request"


def test_savings_say_why_they_are_empty(shop: Shop, tmp_path: Path) -> None:
    url = shop.pool.environment["REDIS_URL"] + "?db=9"
    unpriced = tmp_path / "config.yaml"
    unpriced.write_text("version: v0.4.0\nmodel_providers: [{model: openai/gpt}]\n")

    priced = CliRunner().invoke(main, ["savings", str(shop.pool.config), "--redis-url", url])
    other = CliRunner().invoke(main, ["savings", str(unpriced), "--redis-url", url])

    assert priced.output.startswith("no answer was priced since ")
    assert other.output == "nothing is priced: add a source of type cost to model_metrics_sources\n"


@pytest.mark.parametrize("since", ["0h", "8d", "169h", "24", "1w", "-1h", "h", "1.5h", ""])
def test_a_time_that_is_none_is_refused(since: str) -> None:
    shown = CliRunner().invoke(main, ["savings", "--since", since])

    assert shown.exit_code == 2
    assert f"{since!r} is not a time from 1h to 7d, such as 24h or 2d" in shown.output


def test_a_redis_that_is_away_is_said_without_its_password(shop: Shop) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}"

    shown = CliRunner().invoke(main, ["savings", str(shop.pool.config), "--redis-url", url])

    assert shown.exit_code == 1
    assert shown.stderr.startswith("the sums cannot be read: ")
    assert "secret" not in shown.stderr
