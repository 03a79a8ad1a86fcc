"""What would give a credential to somebody whom it is not meant for is refused."""

import pytest

from shared.errors import ConfigError
from tests.unit.config_files import Read

KEYED = "model_providers: [{model: openai/a}, {model: openai/b, access_key: sk-hidden}]\n"
PASSES = "model_providers: [{model: openai/a, passthrough_auth: true}]\nauth: {keys: [{name: a, key: k1}]}\n"


def test_a_clients_key_is_no_providers(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read(KEYED + "auth: {keys: [{name: a, key: other}, {name: b, key: sk-hidden}]}")

    (fault,) = caught.value.faults
    assert fault.startswith("auth.keys[1].key: is the access_key of model_providers[1]; ")
    assert "sk-hidden" not in fault


@pytest.mark.parametrize("header", ["Authorization", "x-provider-authorization", "Cookie", "Proxy-Authorization"])
def test_a_header_that_holds_a_credential_names_no_tenant(read: Read, header: str) -> None:
    """With passthrough_auth, keys or without: a tenant stands in Redis, in the log and in /metrics."""
    with pytest.raises(ConfigError) as caught:
        read(f"{PASSES}routing: {{session_cache: {{tenant_header: {header}}}}}")

    assert caught.value.faults[0].startswith(f"routing.session_cache.tenant_header: is {header!r}, which holds a ")
