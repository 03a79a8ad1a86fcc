"""`plano explain`: the order of a route's candidates now, and why."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from shared.cli import main
from shared.domain.ranking import Measure, Snapshot
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore
from shared.store.metrics.snapshot import MetricsStore
from tests.fakes.ports import free_port
from tests.harness import RedisServer

CONFIG = """
version: v0.4.0
model_providers: [{model: acme/*, base_url: "http://127.0.0.1:1/v1", provider_interface: openai}]
routing_preferences:
  - {name: any, description: d, models: [acme/a, acme/b, acme/c, acme/d, acme/e],
     selection_policy: {prefer: cheapest}}
  - {name: fixed, description: d, models: [acme/b, acme/a]}
model_metrics_sources: [{type: cost, provider: models.dev}]
"""

Explain = Callable[..., Result]


@pytest.fixture
def explain(tmp_path: Path, store: redis.Redis, redis_server: RedisServer) -> Explain:  # noqa: ARG001 - empty
    path = tmp_path / "config.yaml"

    def run(route: str, url: str = redis_server.url, config: str = CONFIG) -> Result:
        path.write_text(config)
        return CliRunner().invoke(main, ["explain", str(path), "--route", route, "--redis-url", url])

    return run


def test_each_candidate_is_shown_with_its_value_its_age_and_the_reason(explain: Explain, client: StoreClient) -> None:
    now = time.time()
    cost = {
        "acme/b": Measure(6, now - 5, "models.dev"),
        "c": Measure(2.5, now - 600, "models.dev"),
        "acme/d": Measure(1, now - 7 * 3600, "models.dev"),
        "acme/e": Measure(0.1, now - 5, "models.dev"),
    }
    MetricsStore(client).replace(Snapshot(cost=cost), 60)
    CooldownStore(client).failed("acme/e", "503", None)

    shown = explain("any")

    assert shown.exit_code == 0
    first, second, blank, head, *rows = shown.output.splitlines()
    assert first == "route any, prefer cheapest: ascending cost (US$ per million tokens, input + output)"
    assert second == "source models.dev, read every 1 h; data older than 6 h counts as none"
    assert (blank, head.split()) == ("", ["model", "value", "age", "source", "why"])
    of_now = [re.sub(r" [5-9] s ", " 5 s ", " ".join(row.split())) for row in rows]  # time passes
    assert of_now == [
        "1 acme/c 2.5 10 min models.dev by its figure",
        "2 acme/b 6 5 s models.dev by its figure",
        "3 acme/a - - - no data: in declared order behind those with data",
        "4 acme/d 1 7 h models.dev its data is too old: in declared order behind those with data",
        "5 acme/e 0.1 5 s models.dev it has failed and sits out: behind all others",
    ]


def test_without_a_preference_the_declared_order_is_shown(explain: Explain) -> None:
    first, _, _, *rows = explain("fixed").output.splitlines()

    assert first == "route fixed, prefer none: the declared order"
    assert [row.split()[:2] for row in rows] == [["1", "acme/b"], ["2", "acme/a"]]


def test_a_route_that_is_not_there_is_said_with_those_that_are(explain: Explain) -> None:
    shown = explain("none")

    assert shown.exit_code == 1
    assert shown.stderr == "--route: 'none' is not in the config; its routes are: any, fixed\n"


def test_a_redis_that_is_away_is_said(explain: Explain) -> None:
    shown = explain("any", f"redis://user:secret@127.0.0.1:{free_port()}")

    assert shown.exit_code == 1
    assert shown.stderr.startswith("the snapshot cannot be read: ")
    assert "secret" not in shown.stderr


def test_a_process_on_its_own_cannot_be_looked_into(explain: Explain) -> None:
    shown = explain("any", config=f"{CONFIG}routing: {{session_cache: {{type: memory}}}}\n")

    assert shown.exit_code == 1
    assert shown.stderr.startswith("routing.session_cache.type: is memory")
