"""Types, ranges and names of the keys in the file."""

import pytest

from shared.config.limits_section import Limits
from shared.config.routing_section import Routing
from tests.unit.config_files import Read, faults

ONE = "model_providers: [{model: openai/a}]\n"
AT_LEAST_1 = "it is a whole number of at least 1"


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        ("300s", 300),
        ("500ms", 0.5),
        ("5m", 300),
        ("1h", 3600),
        ("1.5s", 1.5),
        ("30", 30),
        ("0.25", 0.25),
        ("1.0e-5", 1e-5),
    ],
)
def test_a_duration_has_a_unit_or_means_seconds(read: Read, timeout: str, seconds: float) -> None:
    assert read(f"{ONE}listeners: [{{timeout: {timeout}}}]").listener.timeout_s == seconds


@pytest.mark.parametrize(
    "timeout", ["0", "0s", "-1", "5 min", "9" * 9 + "h", "soon", "1.2.3s", "true", "[]", ".nan", ".inf"]
)
def test_any_other_duration_is_refused(read: Read, timeout: str) -> None:
    (fault,) = faults(read, f"{ONE}listeners: [{{timeout: {timeout}}}]")

    assert fault.startswith("listeners[0].timeout: is ")
    assert fault.endswith("; it is a time above 0 and up to 24h, such as 300s, 500ms, 5m, or a number of seconds")


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("session_ttl_seconds: 1.5", f"session_ttl_seconds: is 1.5; {AT_LEAST_1}"),
        ("session_ttl_seconds: true", f"session_ttl_seconds: is true; {AT_LEAST_1}"),
        ("session_ttl_seconds: '60'", f"session_ttl_seconds: is a text; {AT_LEAST_1}"),
        (
            "session_max_entries: 10001",
            "session_max_entries: is 10001; it is a whole number from 1 to 10000",
        ),
        ("session_ttl_mode: rolling", "session_ttl_mode: is 'rolling'; it is fixed, sliding or cache"),
        ("on_outage: 5", "on_outage: is 5; it is serve or reject"),
        ("response_model: none", "response_model: is 'none'; it is qualified or upstream"),
        ("decision_timeout_ms: 0", f"decision_timeout_ms: is 0; {AT_LEAST_1}"),
        ("session_cache: {type: db}", "session_cache.type: is 'db'; it is redis or memory"),
        (
            "session_cache: {url: 'http://h'}",
            "session_cache.url: is 'http://h'; it is a URL that starts with redis://, rediss:// or unix://",
        ),
        (
            "session_cache: {url: 'redis://h:x'}",
            "session_cache.url: has no valid host and port; a port is a number from 1 to 65535",
        ),
        (
            "session_cache: {silence_ms: 49}",
            "session_cache.silence_ms: is 49; it is a whole number from 50 to 60000",
        ),
        (
            "session_cache: {tenant_header: x tenant}",
            "session_cache.tenant_header: is 'x tenant'; it is the name of an HTTP header",
        ),
    ],
)
def test_a_wrong_routing_setting_is_told_beside_the_right_kind(read: Read, setting: str, fault: str) -> None:
    assert faults(read, f"{ONE}routing: {{{setting}}}") == (f"routing.{fault}",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("listeners: [{port: 65536}]", "listeners[0].port: is 65536; it is a whole number from 1 to 65535"),
        ("listeners: 12000", "listeners: is 12000; it is a list"),
        ("limits: {body_bytes: 0}", f"limits.body_bytes: is 0; {AT_LEAST_1}"),
        ("limits: {waiting_decisions: -1}", f"limits.waiting_decisions: is -1; {AT_LEAST_1}"),
        ("limits: 5", "limits: is 5; it is a mapping"),
        ("limits: []", "limits: is empty; it is a mapping"),
        (
            f"limits: {{waiting_decisions: -0x{'f' * 5000}}}",
            f"limits.waiting_decisions: is a number of very many digits; {AT_LEAST_1}",
        ),
        ("limits: [1]", "limits: is a list; it is a mapping"),
        ("tracing: {random_sampling: 101}", "tracing.random_sampling: is 101; it is a number from 0 to 100"),
        (
            "tracing: {opentracing_grpc_endpoint: 'host:4317'}",
            "tracing.opentracing_grpc_endpoint: is 'host:4317'; it is a URL that starts with http:// or https://",
        ),
        ("model_aliases: {a: {}}", "model_aliases.a.target: is missing; it is a text that is not blank"),
        ("model_aliases: {a: openai/a}", "model_aliases.a: is a text; it is a mapping"),
        ("model_aliases: {1: {target: a}}", "model_aliases: has a key that is no text but int; put it in quotes"),
        (
            "model_aliases: {a: {target: 2024-01-01}}",
            "model_aliases.a.target: is a date; it is a text that is not blank",
        ),
    ],
)
def test_a_wrong_value_is_told_beside_the_right_kind(read: Read, text: str, fault: str) -> None:
    assert faults(read, ONE + text) == (fault,)


def test_an_unknown_key_is_told_with_the_nearest_known_name(read: Read) -> None:
    text = "model_providers: [{model: openai/a, acces_key: b}]\ntracing: {zzz: 1}\nmodel_provider: []"

    assert faults(read, text) == (
        "model_providers[0].acces_key: is not known; the nearest name is access_key",
        "tracing.zzz: is not known; it is random_sampling or opentracing_grpc_endpoint",
        "model_provider: is not known; the nearest name is model_providers",
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("session_ttl", "session_ttl_seconds"),
        ("decision_timeout", "decision_timeout_ms"),
        ("max_attempt", "max_attempts"),
    ],
)
def test_the_nearest_name_is_one_that_begins_so(read: Read, written: str, meant: str) -> None:
    """By likeness alone, session_ttl_mode would be the nearest of session_ttl."""
    assert faults(read, f"{ONE}routing: {{{written}: 5}}") == (
        f"routing.{written}: is not known; the nearest name is {meant}",
    )


def test_the_place_of_an_entry_is_no_key_of_the_file(read: Read) -> None:
    (fault,) = faults(read, "model_providers: [{model: openai/a, place: here}]")

    assert fault.startswith("model_providers[0].place: is not known")


def test_an_empty_value_counts_as_absent(read: Read) -> None:
    config = read(f"{ONE}routing:\nlimits: {{body_bytes:}}\ntracing: {{}}\nmodel_aliases:\nauth: {{keys:}}\n")

    assert config.routing == Routing()
    assert config.limits == Limits()
    assert config.access_keys == ()


def test_an_empty_item_of_a_list_is_refused(read: Read) -> None:
    assert faults(read, "model_providers:\n- {model: openai/a}\n-\n") == (
        "model_providers[1]: is empty; it is a mapping",
    )


def test_a_key_that_is_a_number_is_to_be_quoted(read: Read) -> None:
    assert faults(read, "model_providers: [{model: openai/a, access_key: 12345}]") == (
        (
            "model_providers[0].access_key: is a whole number; "
            "it is a text of printable ASCII without spaces, quoted if it is a number"
        ),
    )


def test_client_keys_are_distinct_and_open_known_models(read: Read) -> None:
    text = """
    auth:
      keys:
        - {name: a, key: k1, models: [openai/b]}
        - {name: a, key: k2, tenant: " t"}
        - {name: c, key: k1, models: []}
    """

    assert faults(read, ONE + text.replace("\n    ", "\n")) == (
        "auth.keys[1].tenant: is ' t'; it is 1 to 256 printable characters without spaces around them",
        "auth.keys[2].models: is empty; it is a list of at least one model",
        "auth.keys[0].models[0]: is 'openai/b', which is not configured; the nearest name is openai/a",
        "auth.keys[1].name: is 'a', as in auth.keys[0]; choose another",
        "auth.keys[2].key: is the key of auth.keys[0]; each name has a key of its own",
    )


def test_a_client_key_without_models_opens_all(read: Read) -> None:
    (key,) = read(ONE + "auth: {keys: [{name: a, key: k1}]}").access_keys

    assert key.models is None
    assert key.tenant is None


def test_a_long_value_is_cut_in_the_fault(read: Read) -> None:
    (fault,) = faults(read, f"model_providers: [{{model: {'a' * 500}}}]")

    assert len(fault) < 300


def test_pins_may_live_in_memory(read: Read) -> None:
    routing = read(ONE + "routing: {session_cache: {type: memory}}").routing

    assert routing.session_cache.type == "memory"


@pytest.mark.parametrize("url", ["redis://:p@h:6379/0", "rediss://h", "unix:///tmp/redis.sock?db=1"])
def test_redis_is_found_by_its_url(read: Read, url: str) -> None:
    assert read(ONE + f"routing: {{session_cache: {{url: '{url}'}}}}").routing.session_cache.url == url
