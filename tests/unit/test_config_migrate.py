"""Former and foreign spellings of the file."""

import pytest

from shared.config.sections import Listener
from shared.domain.routes import Route
from tests.unit.config_files import Read, faults

INLINE = """
version: %s
model_providers:
  - model: openai/a
    routing_preferences: [{name: code, description: writes code}, {name: chat, description: small talk}]
  - model: openai/b
    routing_preferences: [{name: code, description: later text}]
"""


@pytest.mark.parametrize("version", ["v0.1", "v0.1.0", "0.1-beta", "0.1", "0.2.0", "v0.3.0"])
def test_inline_routes_are_lifted_to_the_top_level(read: Read, version: str) -> None:
    config = read(INLINE % version)

    assert config.routes == (
        Route("code", "writes code", ("openai/a", "openai/b")),
        Route("chat", "small talk", ("openai/a",)),
    )
    assert config.warnings == (
        (
            "routing_preferences inside providers are read as top-level routes (code, chat); "
            "move them there, list their models, and set version: v0.4.0"
        ),
    )


def test_an_inline_route_joins_its_namesake_on_the_top_level(read: Read) -> None:
    text = INLINE % "v0.3.0" + "routing_preferences: [{name: code, description: top, models: [openai/b]}]"

    assert read(text).routes[0] == Route("code", "top", ("openai/b", "openai/a"))


@pytest.mark.parametrize("version", ["v0.4.0", "v0.4", "0.4"])
def test_inline_routes_are_refused_since_v0_4(read: Read, version: str) -> None:
    right = "since v0.4.0 a route stands in the top-level routing_preferences and lists its models"

    assert faults(read, INLINE % version) == (
        f"model_providers[0].routing_preferences: is inside a provider; {right}",
        f"model_providers[1].routing_preferences: is inside a provider; {right}",
    )


@pytest.mark.parametrize("version", ["v0.5.0", "v1.0.0", "v0.10", "v0.0", "latest"])
def test_an_unknown_version_is_refused(read: Read, version: str) -> None:
    (fault,) = faults(read, f"version: {version}\nmodel_providers: [{{model: openai/a}}]")

    assert fault == f"version: is '{version}'; it is v0.1 to v0.4.0"


def test_faults_of_an_inline_route_name_its_place(read: Read) -> None:
    provider = "{model: openai/a, routing_preferences: [{name: other, description: a}]}"

    (fault,) = faults(read, f"version: v0.3.0\nmodel_providers: [{provider}]")

    assert fault.startswith("model_providers[0].routing_preferences[0].name: is 'other'")


def test_the_deprecated_name_of_providers_is_read_with_a_warning(read: Read) -> None:
    config = read("llm_providers: [{model: openai/a}]")

    assert [model.name for model in config.catalog.models] == ["openai/a"]
    assert config.warnings == ("llm_providers is deprecated; rename it to model_providers",)


def test_faults_under_the_deprecated_name_are_told_under_that_name(read: Read) -> None:
    (fault,) = faults(read, "llm_providers: [{model: openai/a}, {model: openai/a}]")

    assert fault == "llm_providers[1].model: is 'openai/a', as in llm_providers[0]; keep one of them"


def test_faults_in_the_legacy_map_of_listeners_are_told_there(read: Read) -> None:
    text = "listeners: {egress_traffic: {port: 0, prt: 1}, egress: {}}\nmodel_providers: [{model: openai/a}]"

    assert faults(read, text) == (
        "listeners.egress: is not known; it is egress_traffic",
        "listeners.egress_traffic.port: is 0; it is a whole number from 1 to 65535",
        "listeners.egress_traffic.prt: is not known; the nearest name is port",
    )


def test_faults_of_an_inline_route_are_told_under_the_deprecated_name_too(read: Read) -> None:
    text = """
    version: v0.3.0
    llm_providers:
      - {model: openai/a, routing_preferences: [{name: a, description: d}, {name: b}, 5]}
      - {model: openai/b, routing_preferences: many}
    routing_preferences: [{name: a, description: d, models: [5]}]
    """

    assert faults(read, text) == (
        "llm_providers[1].routing_preferences: is no list; it is a list of routes, each with name and description",
        "routing_preferences[0].models[0]: is 5; it is a text that is not blank",
        "llm_providers[0].routing_preferences[1].description: is missing; it is a text that is not blank",
        "llm_providers[0].routing_preferences[2]: is 5; it is a mapping",
    )


def test_both_names_of_providers_at_once_are_refused(read: Read) -> None:
    text = "llm_providers: [{model: openai/a}]\nmodel_providers: [{model: openai/b}]"

    assert faults(read, text) == ("llm_providers: stands beside model_providers; keep model_providers only",)


@pytest.mark.parametrize(
    "listeners",
    [
        "[{type: model, name: egress, address: 127.0.0.1, port: 8000, timeout: 5m}]",
        "{egress_traffic: {address: 127.0.0.1, port: 8000, message_format: openai, timeout: 5m}}",
    ],
)
def test_listeners_are_a_list_or_the_legacy_map(read: Read, listeners: str) -> None:
    config = read(f"listeners: {listeners}\nmodel_providers: [{{model: openai/a}}]")

    assert config.listener == Listener(name=config.listener.name, address="127.0.0.1", port=8000, timeout=300.0)
    assert config.warnings == ()


@pytest.mark.parametrize("listeners", ["[]", "{}", "", "[{type: prompt, name: a, port: 10000}]"])
def test_without_a_listener_for_models_the_usual_one_stands(read: Read, listeners: str) -> None:
    config = read(f"listeners: {listeners}\nmodel_providers: [{{model: openai/a}}]")

    assert config.listener == Listener()


def test_everything_unserved_is_named_in_one_warning(read: Read) -> None:
    text = """
    agents: [{id: a, url: "http://a"}]
    filters: []
    prompt_targets: []
    prompt_guards: {}
    endpoints: {}
    ratelimits: []
    state_storage: {type: memory}
    listeners:
      - {type: agent, name: a, agents: [], port: 1}
      - {type: model, name: b, port: 2, max_retries: 2, input_filters: [a]}
      - {type: model, name: c, port: 3}
    model_providers: [{model: openai/a, http_host: h}]
    overrides: {use_agent_orchestrator: true}
    tracing: {trace_arch_internal: true}
    """

    config = read(text)

    assert config.listener.port == 2
    assert config.warnings == (
        (
            "ignored, as nothing here uses it: listeners[0], listeners[2], agents, endpoints, filters, "
            "prompt_guards, prompt_targets, ratelimits, state_storage, listeners[1].input_filters, "
            "listeners[1].max_retries, model_providers[0].http_host, overrides.use_agent_orchestrator, "
            "tracing.trace_arch_internal"
        ),
    )


def test_what_the_reference_does_otherwise_is_accepted_with_a_warning(read: Read) -> None:
    text = """
    model_providers: [{model: openai/a}]
    prompt_caching: {enabled: true}
    routing: {routing_budget: {max_switch_spend_pct: 20}, route_on_user_only: true, llm_provider: a}
    model_metrics_sources: [{type: cost, provider: models.dev}]
    """

    config = read(text)

    assert config.warnings == (
        "does nothing here: prompt_caching.enabled",
        "ignored, as nothing here uses it: routing.llm_provider",
    )
    assert config.routing.routing_budget
    assert config.routing.routing_budget.percent == 20
    assert config.routing.route_on_user_only


def test_places_stay_true_when_a_listener_before_is_ignored(read: Read) -> None:
    text = "listeners: [{type: agent, name: a}, {type: model, port: 0}]\nmodel_providers: [{model: openai/a}]"

    assert faults(read, text) == ("listeners[1].port: is 0; it is a whole number from 1 to 65535",)
