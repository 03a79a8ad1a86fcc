"""Which tenant a key may speak for, where a header names the tenant."""

import pytest
import redis
import requests

from tests.fakes.provider import Provider
from tests.web.gateway import CHAT, DECISION, REVIEW, Gateway, Webs, body, error_of
from tests.web.sites import KEYS, TENANT_HEADER


@pytest.fixture
def strict(webs: Webs) -> Gateway:
    return webs.strict


def ask(strict: Gateway, key: str, session: str, tenant: str | None, path: str = DECISION) -> requests.Response:
    named = {} if tenant is None else {TENANT_HEADER: tenant}
    return strict.ask(
        "POST", path, body(REVIEW), authorization=f"Bearer {KEYS[key]}", x_model_affinity=session, **named
    )


@pytest.mark.parametrize("path", [CHAT, DECISION])
@pytest.mark.parametrize(("key", "tenant"), [("bare", "acme"), ("bare", "team-a"), ("pair", "team-a"), ("pair", "*")])
def test_a_key_names_no_tenant_but_its_own(
    strict: Gateway, provider: Provider, session: str, key: str, tenant: str, path: str
) -> None:
    """Whoever held a key without a tenant could read and write every tenant's sessions."""
    ask(strict, "open", session, tenant)
    before = provider.calls

    answer = ask(strict, key, session, tenant, path)

    assert answer.status_code == 403
    assert error_of(answer)["code"] == "tenant_not_allowed"
    assert provider.calls == before


@pytest.mark.parametrize("tenant", ["acme", "team-c"])
def test_a_key_may_name_each_of_its_tenants(strict: Gateway, cache: redis.Redis, session: str, tenant: str) -> None:
    answer = ask(strict, "pair", session, tenant)

    assert answer.status_code == 200
    assert cache.keys(f"plano:affinity:*{session}") == [f"plano:affinity:{tenant}:{session}".encode()]


def test_a_key_of_several_tenants_has_to_name_one(strict: Gateway, session: str) -> None:
    answer = ask(strict, "pair", session, None)

    assert answer.status_code == 400
    assert error_of(answer)["param"] == TENANT_HEADER


def test_the_sessions_of_a_key_without_tenant_have_none(strict: Gateway, cache: redis.Redis, session: str) -> None:
    answer = ask(strict, "bare", session, None)

    assert answer.status_code == 200
    assert cache.keys(f"plano:affinity:*{session}") == [f"plano:affinity:{session}".encode()]
