"""What operators and balancers are told."""

import re

import pytest

from tests.fakes.router import Router
from tests.harness import wait_until
from tests.web.gateway import REVIEW, Gateway, Outside, Webs


def degraded(web: Gateway, part: str) -> float:
    """The counter of requests that met this part away."""
    exposition = web.ask("GET", "/metrics").text
    found = re.search(rf'^plano_degraded_total{{part="{part}"}} (\S+)$', exposition, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
def test_a_process_that_answers_is_alive_whatever_else_is_away(webs: Webs, path: str) -> None:
    for web in (webs.usual, webs.strict, webs.away, webs.memory):
        assert web.ask("GET", path).status_code == 200


def test_a_replica_is_ready_when_all_it_stands_on_is_there(web: Gateway) -> None:
    """Fault 25 of the reference: its health check said nothing about the service."""
    wait_until(lambda: web.ask("GET", "/readyz").json()["workers"], what="the registration of the worker")

    answer = web.ask("GET", "/readyz")

    said = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch("[0-9a-f]{12}", said.pop("config"))
    assert said == {"status": "ready", "redis": "up", "queue": "up", "workers": 1, "draining": False}


def test_a_replica_without_redis_is_not_ready_and_says_why(webs: Webs) -> None:
    answer = webs.away.ask("GET", "/readyz")

    said = answer.json()
    assert answer.status_code == 503
    assert (said["status"], said["reason"]) == ("not ready", "redis is away; queue is away")
    assert (said["redis"], said["queue"], said["workers"]) == ("away", "away", None)


def test_without_redis_requests_are_served_by_their_own_model_and_counted(webs: Webs, outside: Outside) -> None:
    before = degraded(webs.away, "redis")

    answers = [webs.away.chat(REVIEW, "any", model="clever") for _ in range(3)]
    decision = webs.away.decide(REVIEW, "any")

    for answer in answers:
        assert (answer.status_code, answer.json()["model"]) == (200, "openai/gpt-5.2")
        assert answer.headers["x-plano-degraded"] == "redis"
        assert "x-plano-pinned" not in answer.headers
    assert decision.json()["models"] == ["openai/gpt-4o-mini"]
    assert decision.headers["x-plano-degraded"] == "redis"
    assert degraded(webs.away, "redis") - before == 4
    assert [stand_in.calls for stand_in in outside.stand_ins] == [3, 0, 0]


def test_a_router_that_fails_degrades_the_request_and_pins_nothing(
    web: Gateway, router: Router, session: str
) -> None:
    """Fault 11 of the reference: the client was answered 500."""
    before = degraded(web, "router")
    router.behave("status", code=500, times=1)

    first, second = web.chat(REVIEW, session), web.chat(REVIEW, session)

    assert (first.status_code, first.json()["model"]) == (200, "openai/gpt-4o-mini")
    assert first.headers["x-plano-degraded"] == "router"
    assert second.headers["x-plano-model"] == "openai/gpt-5.2"
    assert "x-plano-degraded" not in second.headers
    assert "x-plano-pinned" not in second.headers
    assert degraded(web, "router") - before == 1


def test_an_operator_may_rather_reject_than_serve_in_an_outage(webs: Webs, outside: Outside, session: str) -> None:
    outside.router.behave("status", code=500)

    answer = webs.strict.chat(REVIEW, session)

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert outside.provider.calls == 0


def test_metrics_are_in_the_format_of_prometheus(web: Gateway) -> None:
    answer = web.ask("GET", "/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# HELP plano_degraded_total " in answer.text


def test_models_are_listed_in_the_order_of_the_config(web: Gateway) -> None:
    listing = web.ask("GET", "/v1/models").json()

    names = ["openai/gpt-4o-mini", "openai/gpt-5.2", "anthropic/claude-sonnet-4-20250514", "down/model"]
    assert list(listing) == ["object", "data"]
    assert listing["object"] == "list"
    assert [model["id"] for model in listing["data"]] == names
    assert [model["owned_by"] for model in listing["data"]] == ["openai", "openai", "anthropic", "down"]
    assert all(list(model) == ["id", "object", "created", "owned_by"] for model in listing["data"])


def test_a_page_of_another_origin_may_ask_for_the_models(webs: Webs) -> None:
    """A preflight carries no credential."""
    answer = webs.strict.ask("OPTIONS", "/v1/models", authorization="", origin="https://a.example")

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
