"""Who may ask for what, and whose sessions they are."""

import json

import pytest
import redis
import requests

from tests.fakes.provider import Provider
from tests.web.gateway import CHAT, DECISION, REVIEW, WRITE, Gateway, Outside, Webs, body, error_of
from tests.web.sites import KEYS, TENANT_HEADER


@pytest.fixture
def strict(webs: Webs) -> Gateway:
    return webs.strict


def ask(
    strict: Gateway, key: str, session: str, *, tenant: str | None = None, text: str = REVIEW, path: str = DECISION
) -> requests.Response:
    headers = {"authorization": f"Bearer {KEYS[key]}", "x_model_affinity": session}
    if tenant is not None:
        headers[TENANT_HEADER] = tenant
    return strict.ask("POST", path, body(text), **headers)


def test_a_tenants_pin_has_the_tenant_in_its_key(strict: Gateway, cache: redis.Redis, session: str) -> None:
    ask(strict, "open", session, tenant="acme")

    assert json.loads(cache.get(f"plano:affinity:acme:{session}") or b"null")["model_name"] == "openai/gpt-5.2"
    assert 0 < cache.ttl(f"plano:affinity:acme:{session}") <= 600
    assert not cache.exists(f"plano:affinity:{session}")


@pytest.mark.parametrize("tenant", [None, "", "x" * 257, "a\tb"])
def test_without_a_usable_tenant_nothing_is_done(
    strict: Gateway, outside: Outside, cache: redis.Redis, session: str, tenant: str | None
) -> None:
    """Fault 4 of the reference: such a request was served in nobody's name."""
    answers = [ask(strict, "open", session, tenant=tenant, path=path) for path in (CHAT, DECISION)]

    for answer in answers:
        assert answer.status_code == 400
        assert error_of(answer)["param"] == TENANT_HEADER
    assert not cache.keys(f"plano:affinity:*{session}*")
    assert [stand_in.calls for stand_in in outside.stand_ins] == [0, 0, 0]


def test_a_header_with_underscores_is_not_the_tenants(strict: Gateway) -> None:
    """WSGI writes hyphens and underscores alike: a proxy that strips the one would let the other pass."""
    sent = body(REVIEW)

    answer = strict.raw(
        f"POST {DECISION} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(sent)}\r\n"
        f"Authorization: Bearer {KEYS['open']}\r\nx_tenant_id: acme\r\n\r\n".encode()
        + sent
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert TENANT_HEADER.encode() in answer


def test_two_tenants_never_meet(strict: Gateway, session: str) -> None:
    first = ask(strict, "open", session, tenant="acme", text=REVIEW)
    other = ask(strict, "open", session, tenant="umbrella", text=WRITE)
    again = ask(strict, "open", session, tenant="acme", text=WRITE)

    assert [answer.json()["pinned"] for answer in (first, other, again)] == [False, False, True]
    assert other.json()["route"] == "code_generation"
    assert again.json()["route"] == "deep_reasoning"


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (("t:u", "s"), ("t", "u:s")),
        (("t%3Au", "s"), ("t:u", "s")),
        (("t", "a b"), ("t", "a%20b")),
        (("t", "à"), ("t", "Å")),
        (("T", "s"), ("t", "s")),
    ],
)
def test_no_two_pairs_of_tenant_and_session_share_a_pin(
    strict: Gateway, session: str, mine: tuple[str, str], theirs: tuple[str, str]
) -> None:
    answers = [
        strict.ask(
            "POST",
            DECISION,
            body(REVIEW),
            authorization=f"Bearer {KEYS['open']}",
            x_tenant_id=f"{session}{tenant}".encode(),
            x_model_affinity=name.encode(),
        )
        for tenant, name in (mine, theirs)
    ]

    assert [answer.json()["pinned"] for answer in answers] == [False, False]
    assert [answer.json()["session_id"] for answer in answers] == [mine[1], theirs[1]]


def test_a_session_cannot_spell_another_tenants_key(strict: Gateway, web: Gateway, session: str) -> None:
    """Fault 4 of the reference: whoever left the header out wrote `tenant:session` themselves."""
    ask(strict, "open", session, tenant="acme")

    answer = web.decide(WRITE, f"acme:{session}")

    assert answer.json()["pinned"] is False
    assert answer.json()["route"] == "code_generation"


def test_the_tenant_of_a_key_wins_over_the_header(strict: Gateway, cache: redis.Redis, session: str) -> None:
    without = ask(strict, "team", session)
    forged = ask(strict, "team", session, tenant="acme")

    assert [without.json()["pinned"], forged.json()["pinned"]] == [False, True]
    assert cache.keys(f"plano:affinity:*{session}") == [f"plano:affinity:team-a:{session}".encode()]


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer ", "Bearer ck-wrong", "Basic c2stb3Blbg==", "ck-team"])
@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("POST", DECISION), ("GET", "/v1/models")])
def test_without_a_known_key_nobody_is_served(
    strict: Gateway, outside: Outside, credential: str, method: str, path: str
) -> None:
    """Fault 27 of the reference."""
    answer = strict.ask(method, path, body(REVIEW), authorization=credential, x_tenant_id="acme")

    said = error_of(answer)
    assert answer.status_code == 401
    assert (said["type"], said["code"]) == ("invalid_request_error", "invalid_api_key")
    assert "ck-" not in said["message"]
    assert [stand_in.calls for stand_in in outside.stand_ins] == [0, 0, 0]


def test_the_credential_comes_before_the_body(strict: Gateway) -> None:
    """Strangers are told nothing about what would be right."""
    answer = strict.ask("POST", CHAT, b"{", authorization="Bearer ck-wrong")

    assert answer.status_code == 401


def test_health_needs_no_key(strict: Gateway) -> None:
    answers = [strict.ask("GET", path, authorization="") for path in ("/livez", "/healthz", "/readyz", "/metrics")]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]


def test_a_key_covers_its_models_only(strict: Gateway, provider: Provider, session: str) -> None:
    small = f"Bearer {KEYS['small']}"
    covered = strict.ask("POST", CHAT, body(), authorization=small)
    other = strict.ask("POST", CHAT, body(model="gpt-5.2"), authorization=small, x_model_affinity=session)

    said = error_of(other)
    assert covered.status_code == 200
    assert other.status_code == 403
    assert "openai/gpt-5.2" in said["message"]
    assert [request.model for request in provider.requests] == ["gpt-4o-mini"]


def test_routing_leads_to_covered_models_only(strict: Gateway) -> None:
    """deep_reasoning has one that is covered, code_generation has none."""
    small = f"Bearer {KEYS['small']}"
    inline = [{"name": "reviews", "description": "review this", "models": ["gpt-5.2", "gpt-4o-mini"]}]

    narrowed = strict.ask("POST", DECISION, body(REVIEW), authorization=small)
    left_out = strict.ask("POST", DECISION, body(WRITE), authorization=small)
    brought = strict.ask("POST", DECISION, body(REVIEW, routing_preferences=inline), authorization=small)

    assert (narrowed.json()["models"], narrowed.json()["route"]) == (["openai/gpt-4o-mini"], "deep_reasoning")
    assert (left_out.json()["models"], left_out.json()["route"]) == (["openai/gpt-4o-mini"], None)
    assert (brought.json()["models"], brought.json()["route"]) == (["openai/gpt-4o-mini"], "reviews")


def test_a_pin_opens_no_model_that_the_key_does_not_cover(strict: Gateway, provider: Provider, session: str) -> None:
    ask(strict, "open", session, tenant="team-b")

    answer = ask(strict, "small", session, path=CHAT)

    assert answer.status_code == 403
    assert provider.calls == 0
