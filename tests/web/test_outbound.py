"""What a provider is sent: all that is meant for it, and nothing else."""

import json
from typing import Any

import pytest

from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.fakes.speech import KEPT, ODD
from tests.web.gateway import CHAT, REVIEW, Gateway, Outside, Webs, body
from tests.web.sites import KEYS, TENANT_HEADER

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def values(*fields: bytes) -> list[bytes]:
    return [field.partition(b": ")[2] for field in fields]


def test_fields_that_nobody_knows_reach_the_provider_byte_for_byte(web: Gateway, provider: Provider) -> None:
    """Fault 18 of the reference: typed decoding lost or refused them."""
    odd = (
        b'{"stop": "x", "seed":  1.0, "messages": [ {"role":"user", "content":"h\\u0069", "x": 1e2} ], "nothing":null'
    )

    answer = web.ask("POST", CHAT, odd + b", " + KEPT + b", " + ODD + b', "model" : "gpt-5.2" }')

    assert answer.status_code == 200
    sent = provider.requests[0]
    for value in (b'"x"', b"1.0", b'[ {"role":"user", "content":"h\\u0069", "x": 1e2} ]', *values(KEPT, ODD)):
        assert value in sent.body
    assert list(sent.json) == ["stop", "seed", "messages", "nothing", "x_stand_in", "x_odd", "model"]
    assert sent.json["nothing"] is None


@pytest.mark.parametrize(
    ("asked", "sent", "qualified"),
    [
        ("openai/gpt-5.2", "gpt-5.2", "openai/gpt-5.2"),
        ("gpt-5.2", "gpt-5.2", "openai/gpt-5.2"),
        ("clever", "gpt-5.2", "openai/gpt-5.2"),
        ("house/any/thing", "any/thing", "house/any/thing"),
        (None, "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("", "gpt-4o-mini", "openai/gpt-4o-mini"),
    ],
)
def test_a_model_reaches_its_provider_under_the_providers_own_name(
    web: Gateway, provider: Provider, asked: str | None, sent: str, qualified: str
) -> None:
    answer = web.chat(model=asked)

    assert provider.requests[0].model == sent
    assert answer.headers["x-plano-model"] == answer.json()["model"] == qualified


def test_a_model_that_is_null_is_the_default(web: Gateway, provider: Provider) -> None:
    web.ask("POST", CHAT, b'{"model": null, "messages": [{"role": "user", "content": "hi"}]}')

    assert provider.requests[0].model == "gpt-4o-mini"


def test_providers_on_one_host_are_told_apart_by_their_ports(web: Gateway, outside: Outside) -> None:
    """Fault 21 of the reference."""
    web.chat(model="claude-sonnet-4-20250514")
    web.chat(model="gpt-5.2")

    assert [request.model for request in outside.other.requests] == ["claude-sonnet-4-20250514"]
    assert [request.model for request in outside.provider.requests] == ["gpt-5.2"]
    assert outside.provider.requests[0].path == "/v1/chat/completions"
    assert outside.other.requests[0].path == "/v1/messages"  # Anthropic's own API, so that the prompt is cached
    assert outside.other.requests[0].header("x-api-key") == "sk-anthropic"


def test_routing_preferences_are_not_the_providers_business(web: Gateway, provider: Provider) -> None:
    preferences = [{"name": "reviews", "description": "review this", "models": ["gpt-5.2"]}]

    answer = web.chat(REVIEW, routing_preferences=preferences)

    assert answer.headers["x-plano-route"] == "reviews"
    assert list(provider.requests[0].json) == ["model", "messages"]


def test_only_headers_that_are_meant_for_a_provider_reach_it(web: Gateway, provider: Provider, session: str) -> None:
    """Fault 20 of the reference."""
    web.ask(
        "POST",
        CHAT,
        body(model="gpt-5.2"),
        accept="application/json",
        user_agent="agent/1",
        authorization="Bearer client-secret",
        cookie="login=1",
        openai_organization="org",
        anthropic_beta="beta",
        x_model_affinity=session,
        x_request_id="req-1",
        traceparent=TRACEPARENT,
        tracestate="a=b",
        x_tenant_id="acme",
        x_api_key="client-secret",
        x_forwarded_for="10.0.0.1",
        proxy_authorization="Basic x",
        te="trailers",
    )

    headers = {name.lower(): value for name, value in provider.requests[0].headers}
    assert headers.pop("host") == f"127.0.0.1:{provider.port}"
    assert headers.pop("content-length") == str(len(provider.requests[0].body))
    assert headers == {
        "accept": "application/json",
        "anthropic-beta": "beta",
        "authorization": "Bearer sk-openai",
        "content-type": "application/json",
        "traceparent": TRACEPARENT,
        "tracestate": "a=b",
        "user-agent": "agent/1",
        "x-model-affinity": session,
        "x-request-id": "req-1",
        "x-team": "ours",
    }
    assert len(provider.requests[0].headers) == len(headers) + 2


def test_no_header_of_access_control_reaches_a_provider(webs: Webs, provider: Provider) -> None:
    webs.strict.ask(
        "POST",
        CHAT,
        body(),
        authorization=f"Bearer {KEYS['open']}",
        **{TENANT_HEADER: "acme", "x_model_affinity": "s"},
    )

    sent = provider.requests[0]
    assert sent.header(TENANT_HEADER) is None
    assert sent.header("authorization") == "Bearer sk-openai"
    assert KEYS["open"] not in str(sent)


def test_a_provider_may_ask_for_the_clients_own_credential(web: Gateway, provider: Provider) -> None:
    web.ask("POST", CHAT, body(model="house/model"), authorization="Bearer client-secret")
    web.ask("POST", CHAT, body(model="house/model"))

    with_it, without = provider.requests
    assert with_it.header("authorization") == "Bearer client-secret"
    assert without.header("authorization") is None


def test_azure_finds_the_model_in_the_path_and_the_key_in_a_header_of_its_own(
    web: Gateway, provider: Provider
) -> None:
    web.chat(model="azure_openai/my-deployment")

    sent = provider.requests[0]
    assert sent.path.startswith("/openai/deployments/my-deployment/chat/completions?api-version=")
    assert (sent.header("api-key"), sent.header("authorization")) == ("sk-azure", None)


@pytest.mark.parametrize("name", ["a b", "ü/模型", "a\r\nx-evil: 1\r\n\r\n", "../../x?y#z"])
def test_a_wildcards_model_name_is_only_ever_a_name(web: Gateway, provider: Provider, name: str) -> None:
    """It comes from the client, and stands in the path to the provider and in our headers."""
    azure = web.chat(model=f"azure_openai/{name}")
    house = web.chat(model=f"house/{name}")

    first, second = provider.requests
    assert first.path.count("/") == len(["", "openai", "deployments", "NAME", "chat", "completions"]) - 1
    assert first.path.endswith("/chat/completions?api-version=2024-10-21")
    assert first.header("x-evil") is None
    assert azure.status_code == 404
    assert second.model == name
    assert house.json()["model"] == f"house/{name}"


def test_one_trace_runs_from_the_client_to_the_router_and_the_provider(
    web: Gateway, provider: Provider, router: Router
) -> None:
    answer = web.ask("POST", CHAT, body(REVIEW), x_request_id="req-1", traceparent=TRACEPARENT)

    (asked,) = router.requests
    (sent,) = provider.requests
    assert answer.headers["x-request-id"] == "req-1"
    assert asked.header("x-request-id") == sent.header("x-request-id") == "req-1"
    for request in (asked, sent):
        assert (request.header("traceparent") or "").split("-")[1] == TRACEPARENT.split("-")[1]


@pytest.mark.parametrize(
    "headers",
    [{}, {"x_request_id": "has a space", "traceparent": "00-" + "0" * 32 + "-b7ad6b7169203331-01"}],
)
def test_missing_and_malformed_ids_are_replaced(web: Gateway, provider: Provider, headers: dict[str, Any]) -> None:
    answer = web.ask("POST", CHAT, body(), **headers)

    (sent,) = provider.requests
    trace_id = (sent.header("traceparent") or "").split("-")[1]
    assert len(answer.headers["x-request-id"]) == 32
    assert sent.header("x-request-id") == answer.headers["x-request-id"]
    assert int(trace_id, 16) > 0


def test_connections_to_a_provider_are_kept(web: Gateway, provider: Provider) -> None:
    web.chat()
    provider.clear()

    for _ in range(3):
        web.chat()

    assert (provider.calls, provider.connections) == (3, 0)


def test_a_large_body_arrives_whole(web: Gateway, provider: Provider) -> None:
    text = "lörem " * 500_000

    answer = web.chat(text)

    assert answer.status_code == 200
    assert json.loads(provider.requests[0].body)["messages"][0]["content"] == text
