"""What is allowed and probably wrong: warnings of `plano check`, which exits 0."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.cli import main
from tests.unit.config_files import Read

ONE = "model_providers: [{model: openai/a}, {model: custom/*, base_url: 'http://h', provider_interface: openai}]\n"
PASSES = "model_providers: [{model: openai/a, passthrough_auth: true}]\n"
KEY = "auth: {keys: [{name: a, key: k1}]}\n"
TENANT_KEY = "auth: {keys: [{name: a, key: k1, tenant: t}]}\n"
BOTH_KEYS = "auth: {keys: [{name: a, key: k1, tenant: t}, {name: b, key: k2, tenants: [u]}]}\n"
KEYS_OF_ANY = "auth: {keys: [{name: a, key: k1, tenants: '*'}]}\n"
TENANTS = "routing: {session_cache: {tenant_header: x-tenant}}\n"
SOURCE = "model_metrics_sources: [{type: cost, provider: models.dev}]\n"
RANKED = "routing_preferences: [{name: r, description: d, models: %s, selection_policy: {prefer: cheapest}}]\n"


@pytest.mark.parametrize(
    ("text", "place", "doubt"),
    [
        (ONE + TENANTS, "routing.session_cache.tenant_header", "a client may name any tenant"),
        (ONE + TENANTS + TENANT_KEY, "routing.session_cache.tenant_header", "every key names its tenant"),
        (
            ONE + "routing: {session_max_entries: 5}",
            "routing.session_max_entries",
            "for session_cache.type memory only",
        ),
        (ONE + "routing: {session_max_age_seconds: 5}", "routing.session_max_age_seconds", "sliding and cache"),
        (ONE + "routing: {redecide: when_cold, session_ttl_mode: cache}", "routing.redecide", "take sliding"),
        (ONE + "routing: {routing_budget: {percent: 10}}", "routing.routing_budget", "no prices are known"),
        (
            ONE + SOURCE + "routing: {routing_budget: {percent: 10}, session_cache: {type: memory}}",
            "routing.routing_budget",
            "type redis only",
        ),
        (ONE + "routing: {fallback_to_default: true}", "routing.fallback_to_default", "no provider is the default"),
        (
            ONE + SOURCE + RANKED % "[openai/a]",
            "routing_preferences[0].selection_policy.prefer",
            "there is one model",
        ),
        (ONE + SOURCE + RANKED % "[a, openai/a]", "routing_preferences[0].selection_policy.prefer", "one model"),
    ],
)
def test_what_is_probably_wrong_is_a_warning(read: Read, text: str, place: str, doubt: str) -> None:
    (warning,) = read(text).warnings

    assert warning.startswith(f"{place}: ")
    assert doubt in warning


@pytest.mark.parametrize(
    "text",
    [
        PASSES,
        PASSES + KEY,
        ONE + KEY,
        ONE + TENANTS + KEYS_OF_ANY,
        ONE + TENANTS + BOTH_KEYS,
        ONE + "routing: {session_max_entries: 5, session_cache: {type: memory}}",
        ONE + "routing: {session_max_age_seconds: 5, session_ttl_mode: sliding}",
        ONE + SOURCE + RANKED % "[openai/a, custom/b]",
        "model_providers: [{model: openai/a, default: true}]\nrouting: {fallback_to_default: true}",
    ],
)
def test_what_makes_sense_is_none(read: Read, text: str) -> None:
    assert read(text).warnings == ()


def test_check_warns_and_is_content(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(ONE + TENANTS)

    checked = CliRunner().invoke(main, ["check", str(path)])

    assert checked.exit_code == 0
    assert checked.stderr.startswith("warning: routing.session_cache.tenant_header: ")
    assert checked.stdout == f"{path} is fine: 1 models, 0 routes\n"
