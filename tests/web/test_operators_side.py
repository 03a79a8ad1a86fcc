"""What is the operator's to say: who sees the counters and which models, and how many requests are traced."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, running
from tests.web.gateway import CHAT, Gateway, Outside, body, error_of

TOKEN = "counters-only"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:%(port)d/v1", access_key: sk-openai, default: true}
  - {model: openai/gpt-5.2, base_url: "http://127.0.0.1:%(port)d/v1", access_key: sk-openai}
  - {model: "house/*", base_url: "http://127.0.0.1:%(port)d/v1", provider_interface: openai}
model_aliases: {clever: {target: openai/gpt-5.2}}
routing: {session_cache: {type: memory}}
auth:
  keys:
    - {name: all, key: k-all}
    - {name: some, key: k-some, models: [house/b, clever, house/a, openai/gpt-4o-mini]}
    - {name: one, key: k-one, models: [openai/gpt-5.2]}
tracing: {random_sampling: %(sampling)s}
"""


@pytest.fixture(scope="module")
def sites(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Gateway]]:
    """One traces nearly nothing, the other everything; nobody takes the traces."""
    nowhere = "redis://127.0.0.1:1"
    env = {"PLANO_METRICS_TOKEN": TOKEN, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{outside.down}"}
    pools, ports = [], (free_port(), free_port())
    for sampling in ("0.000000001", "100"):
        config = CONFIG % {"port": outside.provider.port, "sampling": sampling}
        pools.append(Pool(tmp_path_factory.mktemp("operator"), config, nowhere, **env))
    with (
        running(pools[0]),
        running(pools[1]),
        closing(Gateway(ports[0])) as few,
        closing(Gateway(ports[1])) as every,
    ):
        pools[0].web(ports[0])
        pools[1].web(ports[1])
        yield {"few": few, "every": every}


@pytest.mark.parametrize(
    "credential", ["", "Bearer", f"Bearer {TOKEN}-not", f"Basic {TOKEN}", "Bearer k-all", "Bearer \xff", TOKEN]
)
def test_counters_are_for_who_has_the_token(sites: dict[str, Gateway], credential: str) -> None:
    answer = sites["few"].ask("GET", "/metrics", authorization=credential.encode("latin-1"))

    assert answer.status_code == 401
    assert error_of(answer)["type"] == "invalid_request_error"
    assert TOKEN not in answer.text


def test_who_has_it_is_shown_them(sites: dict[str, Gateway]) -> None:
    answer = sites["few"].ask("GET", "/metrics", authorization=f"bearer {TOKEN}")

    assert answer.status_code == 200
    assert "plano_decisions_total" in answer.text


@pytest.mark.parametrize(
    ("key", "listed"),
    [
        ("k-all", ["openai/gpt-4o-mini", "openai/gpt-5.2"]),
        ("k-some", ["openai/gpt-4o-mini", "openai/gpt-5.2", "house/b", "house/a"]),
        ("k-one", ["openai/gpt-5.2"]),
    ],
)
def test_the_list_of_models_is_what_the_key_covers(sites: dict[str, Gateway], key: str, listed: list[str]) -> None:
    listing = sites["few"].ask("GET", "/v1/models", authorization=f"Bearer {key}").json()

    assert [model["id"] for model in listing["data"]] == listed


def flags(gateway: Gateway, provider: Provider, flag: str, times: int) -> set[str]:
    """What the provider is told of the sampling of a client's traces."""
    for _ in range(times):
        gateway.ask("POST", CHAT, body(), authorization="Bearer k-all", traceparent=TRACE + flag)
    sent = [request.header("traceparent") or "" for request in provider.requests]
    assert {traceparent[3:35] for traceparent in sent} == {TRACE[3:35]}
    return {traceparent[-2:] for traceparent in sent}


def test_a_client_cannot_have_its_requests_traced(sites: dict[str, Gateway], provider: Provider) -> None:
    """By its flag each client had all of its requests sampled, whatever the operator pays for."""
    assert flags(sites["few"], provider, "01", 10) == {"00"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_nor_those_about_a_kept_response(sites: dict[str, Gateway], provider: Provider, method: str) -> None:
    """They have no body, and a span at the provider all the same."""
    asked = json.dumps({"model": "openai/gpt-4o-mini", "input": "hi"}).encode()
    kept = [sites["few"].ask("POST", "/v1/responses", asked, authorization="Bearer k-all").json()["id"]]
    provider.clear()

    answer = sites["few"].ask(
        method, f"/v1/responses/{kept[0]}", authorization="Bearer k-all", traceparent=f"{TRACE}01"
    )

    assert answer.status_code == 200
    assert [(request.header("traceparent") or "")[-2:] for request in provider.requests] == ["00"]


def test_nor_have_them_left_out(sites: dict[str, Gateway], provider: Provider) -> None:
    assert flags(sites["every"], provider, "00", 3) == {"01"}
