"""A whole config file: what it becomes, and how it is refused."""

import hashlib
from pathlib import Path

import pytest

from shared.config import load
from shared.config.limits_section import Limits
from shared.config.routing_section import Routing, SessionCache
from shared.config.sections import Listener, Tracing
from shared.errors import ConfigError
from tests.unit.config_files import Read, faults

ONE = "model_providers: [{model: openai/gpt-4o-mini}]"
SAMPLE = """
version: v0.4.0
listeners:
  - {type: model, name: egress, address: 127.0.0.1, port: 12001, timeout: 300s}
model_providers:
  - {model: openai/gpt-4o-mini, access_key: $OPENAI_API_KEY, default: true}
  - {model: openai/gpt-5.2, access_key: $OPENAI_API_KEY}
  - {model: plano/Arch-Router, base_url: "http://router:8000"}
  - {model: custom/*, base_url: "http://host/v1", provider_interface: openai, passthrough_auth: true,
     headers: {X-Team: a}}
model_aliases: {fast: {target: gpt-4o-mini}}
routing_preferences:
  - name: deep_reasoning
    description: multi-step reasoning
    models: [openai/gpt-5.2, fast]
    selection_policy: {prefer: cheapest}
model_metrics_sources:
  - {type: cost, provider: digitalocean, refresh_interval: 1800, model_aliases: {openai/x: gpt-5.2}}
  - {type: latency, provider: prometheus, url: "http://prom:9090", query: "up"}
overrides: {llm_routing_model: plano/Arch-Router}
routing:
  session_ttl_seconds: 60
  session_max_entries: 10
  session_cache: {type: redis, url: "redis://:$PASSWORD@localhost:6379", tenant_header: x-tenant-id}
  session_ttl_mode: sliding
  decision_timeout_ms: 700
  on_outage: reject
  response_model: upstream
auth: {keys: [{name: team-a, key: $TEAM_A_KEY, tenant: team-a, models: [fast, custom/x]}]}
limits: {body_bytes: 1000, waiting_decisions: 5}
tracing: {random_sampling: 50, opentracing_grpc_endpoint: "http://localhost:4317"}
"""
ENV = {"OPENAI_API_KEY": "sk-provider", "PASSWORD": "pass-redis", "TEAM_A_KEY": "key-client"}


def test_a_file_of_one_provider_is_enough(read: Read) -> None:
    config = read(ONE)

    assert [model.name for model in config.catalog.models] == ["openai/gpt-4o-mini"]
    assert config.routes == ()
    assert config.listener == Listener(address="0.0.0.0", port=12000, timeout=300.0)
    assert config.routing == Routing()
    assert config.router is None
    assert config.limits == Limits()
    assert config.warnings == ()


def test_every_section_reaches_the_config(read: Read) -> None:
    config = read(SAMPLE, **ENV)

    assert config.listener == Listener(name="egress", address="127.0.0.1", port=12001, timeout=300.0)
    assert config.routing == Routing(
        session_ttl_seconds=60,
        session_max_entries=10,
        session_ttl_mode="sliding",
        session_cache=SessionCache(url="redis://:pass-redis@localhost:6379", tenant_header="x-tenant-id"),
        decision_timeout_ms=700,
        on_outage="reject",
        response_model="upstream",
    )
    assert config.limits == Limits(body_bytes=1000, waiting_decisions=5)
    assert config.tracing == Tracing(opentracing_grpc_endpoint="http://localhost:4317", random_sampling=50)


def test_models_are_stored_by_their_qualified_names(read: Read) -> None:
    """Routes, aliases, allow-lists and sources may use aliases and bare ids; what comes out does not."""
    config = read(SAMPLE, **ENV)

    assert config.catalog.qualify("fast") == "openai/gpt-4o-mini"
    assert config.routes[0].models == ("openai/gpt-5.2", "openai/gpt-4o-mini")
    assert config.access_keys[0].models == ("openai/gpt-4o-mini", "custom/x")
    assert config.sources[0].model_aliases == {"openai/x": "openai/gpt-5.2"}


def test_a_client_key_is_kept_as_its_digest_only(read: Read) -> None:
    (key,) = read(SAMPLE, **ENV).access_keys

    assert (key.name, key.tenant) == ("team-a", "team-a")
    assert key.digest == hashlib.sha256(b"key-client").digest()


def test_the_digest_of_the_file_changes_with_its_bytes(read: Read) -> None:
    first, again, other = read(ONE), read(ONE), read(ONE + " ")

    assert first.digest == again.digest == hashlib.sha256(ONE.encode()).hexdigest()[:12]
    assert first.digest != other.digest


def test_no_secret_is_in_the_representation(read: Read) -> None:
    config = read(SAMPLE, **ENV)

    shown = repr(config) + repr(config.catalog.models)

    assert [secret for secret in ENV.values() if secret in shown] == []
    assert hashlib.sha256(b"key-client").hexdigest() not in shown


def test_every_fault_is_reported_at_once_with_its_path(read: Read) -> None:
    text = """
    model_providers:
      - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY}
      - {model: custom/a, base_url: "ftp://x", provider_interface: openai}
      - {model: gpt-4o}
    routing: {session_ttl_seconds: 0, sesion_cache: {type: redis}}
    routing_preferences: [{name: other, description: a, models: [openai/gpt-9]}]
    """

    assert faults(read, text) == (
        "model_providers[0].access_key: $OPENAI_API_KEY is not set; export it or write it into .env beside the file",
        "model_providers[1].base_url: is 'ftp://x'; it is a URL that starts with http:// or https://",
        (
            "model_providers[2].model: is 'gpt-4o'; "
            "it is provider/model, such as openai/gpt-4o, or provider/* for all of its models"
        ),
        "routing.session_ttl_seconds: is 0; it is a whole number of at least 1",
        "routing.sesion_cache: is not known; the nearest name is session_cache",
        "routing_preferences[0].name: is 'other', the router's word for no route; choose another",
        (
            "routing_preferences[0].models[0]: is 'openai/gpt-9', which is not configured; "
            "the nearest name is openai/gpt-4o"
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "model_providers: [{model: openai/a, access_key: [hidden]}]",
        "model_providers: [{model: openai/a, access_key: 'hidden here'}]",
        'model_providers: [{model: openai/a, headers: {X-Key: "hidden\\n"}}]',
        "model_providers: [{model: openai/a, headers: hidden}]",
        "model_providers: [{model: custom/a, provider_interface: openai, base_url: 'ftp://a:hidden@b'}]",
        "model_providers: [{model: custom/a, provider_interface: openai, base_url: 'http://a:hidden@b:x'}]",
        "routing: {session_cache: {url: 'http://:hidden/?@host'}}",
        "routing: {session_cache: {url: 'host?password=hidden'}}",
        "routing: {session_cache: {url: $HIDDEN}}",
        "routing: {session_cache: {url: '${HIDDEN:-hidden}'}}",
        "auth: {keys: [{name: a, key: 'hidden '}]}",
        "auth: {keys: [{name: a, key: hidden}, {name: b, key: hidden}]}",
        "auth: {keys: hidden}",
        "limits: {body_bytes: hidden}",
        "auth: {keys: [{name: a, key: *hidden}]}",
        "auth: {keys: [{name: a, key: !hidden 1}]}",
        "auth: {keys: [{name: a, key: 'hidden}]}",
        "auth: {keys: [{name: a, key: @hidden}]}",
    ],
)
def test_no_fault_shows_a_secret(read: Read, text: str) -> None:
    found = faults(read, text, HIDDEN="hidden")

    assert "hidden" not in "\n".join(found)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.yaml"

    with pytest.raises(ConfigError, match=r"absent\.yaml: does not exist; name a config file"):
        load(path, {})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(is a directory\)"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "is empty; it holds at least model_providers"),
        ("# nothing\n", "is empty; it holds at least model_providers"),
        ("- a\n", "is not a mapping; it starts with keys such as model_providers"),
        ("a: [1\n", ", line 2, column 1: is not YAML"),
        ("a: 1\n---\nb: 1\n", ", line 2, column 1: is not YAML"),
        ("a: &x [*x]\n", "is not YAML"),
        ("a: 2024-99-99\n", "is not YAML"),
        ("a: \x07\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(read: Read, text: str, wrong: str) -> None:
    (fault,) = faults(read, text)

    assert wrong in fault


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a: \xff\n")

    with pytest.raises(ConfigError, match="byte 3 is not UTF-8"):
        load(path, {})


def test_a_doubled_key_is_a_fault_among_the_others(read: Read) -> None:
    text = (
        "limits:\n  body_bytes: 1\n  body_bytes: 2\nmodel_providers:\n- {model: openai/a, model: openai/b}\nlimit: 1"
    )

    assert faults(read, text) == (
        "limits.body_bytes: is there twice, again on line 3; keep one of them",
        "model_providers[0].model: is there twice, again on line 5; keep one of them",
        "limit: is not known; the nearest name is limits",
    )


@pytest.mark.parametrize("text", ["version: v0.4.0", "model_providers: []", "model_providers:"])
def test_a_file_without_a_provider_is_refused(read: Read, text: str) -> None:
    assert faults(read, text) == ("model_providers: is empty; name at least one model, such as openai/gpt-4o-mini",)


@pytest.mark.parametrize(
    "text", ["[" * 500, "!!timestamp x", "!!int ''", "!!bool x", "!!float .", "a: 2024-13-45", "a: &x [*x]"]
)
def test_what_the_yaml_reader_trips_over_is_a_fault_like_any_other(read: Read, text: str) -> None:
    (fault,) = faults(read, text)

    assert fault.endswith("is not YAML; correct the syntax there")
