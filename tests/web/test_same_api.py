"""What a provider that speaks the client's own API is sent: what came, but for the model and the key."""

import json

import pytest

from tests.fakes.provider import Provider
from tests.web.client_apis import APIS, PATHS, ask, asking
from tests.web.gateway import Gateway


@pytest.mark.parametrize("long", [b"", b"\\u00fc" * 50_000], ids=["short", "long"])
@pytest.mark.parametrize("api", APIS)
def test_the_same_api_passes_byte_for_byte_but_for_the_model(
    each_api: Gateway, provider: Provider, api: str, long: bytes
) -> None:
    odd = b'"x_odd": [1e2, -0.0, "\\u00fc%s", {"cache_control" : {"type":"ephemeral"}}], "metadata": {"user_id": "p"}'
    odd %= long
    sent = asking(api, f"of-{api}/m")[:-1] + b", " + odd + b"}"

    answer = each_api.ask("POST", PATHS[api] + "?beta=true", sent)

    (request,) = provider.requests
    for piece in odd.split(b", "):
        assert piece.split(b": ", 1)[-1] in request.body
    assert list(request.json) == list(json.loads(sent))
    assert request.json == {**json.loads(sent), "model": "m"}
    assert answer.json()["model"] == f"of-{api}/m"
    assert request.path == PATHS[api]
    assert "x-plano-translated" not in answer.headers


def test_a_messages_provider_is_sent_its_key_and_its_headers(each_api: Gateway, provider: Provider) -> None:
    each_api.ask("POST", "/v1/messages", asking("messages", "of-messages/m"), authorization="Bearer mine")
    each_api.ask(
        "POST",
        "/v1/messages",
        asking("messages", "of-messages/m"),
        anthropic_version="2099-01-01",
        anthropic_beta="a-1,b-2",
    )

    plain, said = provider.requests
    assert (plain.header("x-api-key"), plain.header("authorization")) == ("k-messages", None)
    assert plain.header("anthropic-version") == "2023-06-01"
    assert (said.header("anthropic-version"), said.header("anthropic-beta")) == ("2099-01-01", "a-1,b-2")


def test_a_clients_own_key_reaches_its_provider_as_the_api_has_it(each_api: Gateway, provider: Provider) -> None:
    for api in ("messages", "chat"):
        each_api.ask("POST", PATHS[api], asking(api, "own/m"), x_api_key="sk-mine")
        each_api.ask("POST", PATHS[api], asking(api, "own/m"), authorization="Bearer sk-mine")
    each_api.ask("POST", PATHS["chat"], asking("chat", "of-messages/m"), x_api_key="sk-mine")

    sent = [(request.header("x-api-key"), request.header("authorization")) for request in provider.requests]
    bearer = (None, "Bearer sk-mine")
    assert sent == [("sk-mine", None), bearer, bearer, bearer, ("k-messages", None)]


def test_reasoning_of_another_provider_is_left_out_for_the_one_that_signs_its_own(
    each_api: Gateway, provider: Provider
) -> None:
    foreign = {"type": "thinking", "thinking": "hm", "signature": ""}
    carrier = {"type": "redacted_thinking", "data": "plano:chat:{}"}
    own = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    said = {"type": "text", "text": "yes"}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [foreign, carrier, own, said]},
        {"role": "user", "content": "go on"},
    ]

    ask(each_api, "messages", "of-messages/m", messages=turns)

    assert provider.requests[-1].json["messages"][1]["content"] == [own, said]


@pytest.mark.parametrize(
    ("api", "field", "conversation"),
    [
        (
            "messages",
            "messages",
            b'[{"role": "user", "content": [1e2, "plano:chat:", {"type": "thinking" , "signature": "s"}]}]',
        ),
        ("responses", "input", b'[{"type": "reasoning", "encrypted_content": "s" , "odd": 1e2}, "plano:chat:"]'),
    ],
    ids=["messages", "responses"],
)
def test_what_only_looks_like_such_reasoning_passes_byte_for_byte(
    each_api: Gateway, provider: Provider, api: str, field: str, conversation: bytes
) -> None:
    sent = asking(api, f"of-{api}/m", **{field: "HERE"}).replace(b'"HERE"', conversation)

    each_api.ask("POST", PATHS[api], sent)

    (request,) = provider.requests
    assert conversation in request.body


def test_what_looks_like_it_outside_the_conversation_has_nothing_read(each_api: Gateway, provider: Provider) -> None:
    """With so many values a body that had to be read would be refused."""
    odd = b'["plano:chat:", "thinking"' + b",0" * 510_000 + b"]"
    sent = asking("messages", "of-messages/m", x_odd="HERE").replace(b'"HERE"', odd)

    answer = each_api.ask("POST", PATHS["messages"], sent)

    assert answer.status_code == 200
    assert odd in provider.requests[-1].body
