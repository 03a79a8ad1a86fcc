"""Which keys may name which tenants, in the file."""

import pytest

from shared.errors import ConfigError
from tests.unit.config_files import Read

ONE = "model_providers: [{model: openai/a}]\n"
HEADER = "routing: {session_cache: {tenant_header: x-tenant}}\n"


def keys(settings: str) -> str:
    return f"auth: {{keys: [{{name: a, key: k1, {settings}}}]}}\n"


@pytest.mark.parametrize(
    ("settings", "tenants"), [("tenants: '*'", ("*",)), ("tenants: [a, b]", ("a", "b")), ("tenant: t", None)]
)
def test_a_key_says_whose_sessions_it_opens(read: Read, settings: str, tenants: tuple[str, ...] | None) -> None:
    config = read(ONE + HEADER + keys(settings) + "")

    assert config.access_keys[0].tenants == tenants


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            HEADER + keys("tenant: t, tenants: [a]"),
            "auth.keys[0].tenants: stands beside tenant; a key has one tenant",
        ),
        (keys("tenants: [a]"), "auth.keys[0].tenants: needs a header that names the tenant; name the header in"),
        (HEADER + keys("tenants: []"), "auth.keys[0].tenants: is empty; it is "),
        (HEADER + keys("tenants: [' a']"), "auth.keys[0].tenants: is a list; it is "),
        (HEADER + keys("tenants: a"), "auth.keys[0].tenants: is 'a'; it is \"*\" for any, or a list"),
    ],
)
def test_what_cannot_be_meant_is_refused(read: Read, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(ONE + text)

    (said,) = caught.value.faults
    assert said.startswith(fault)


def test_a_key_that_can_name_no_tenant_is_explained(read: Read) -> None:
    (warning,) = read(ONE + HEADER + keys("tenant:")).warnings

    assert warning.startswith("auth.keys[0]: names no tenant, so its sessions have none, and whoever sends x-tenant")
