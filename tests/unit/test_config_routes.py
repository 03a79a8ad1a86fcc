"""Routes and the figures they are ranked by."""

import json
from pathlib import Path

import pytest

from shared.domain.routes import Prefer, Route
from tests.unit.config_files import Read, faults

PROVIDERS = """
model_providers:
  - {model: openai/a}
  - {model: openai/b}
  - {model: ollama/*, base_url: "http://h"}
"""


def one_route(models: str, more: str = "") -> str:
    return f"{PROVIDERS}routing_preferences: [{{name: r, description: d, models: {models}{more}}}]\n"


def test_routes_keep_the_order_of_the_file(read: Read) -> None:
    text = f"""{PROVIDERS}
routing_preferences:
  - {{name: code review, description: reads code, models: [openai/b, openai/a]}}
  - {{name: chat, description: small talk, models: [openai/b]}}
"""

    assert read(text).routes == (
        Route("code review", "reads code", ("openai/b", "openai/a")),
        Route("chat", "small talk", ("openai/b",)),
    )


def test_routes_have_to_fit_into_a_job(read: Read) -> None:
    routes = [{"name": f"r{n}", "description": "текст" * 400, "models": ["openai/a"]} for n in range(14)]

    assert faults(read, f"{PROVIDERS}routing_preferences: {json.dumps(routes)}\n") == (
        "routing_preferences: has 56327 bytes as JSON; the router is sent 49152 bytes at most: shorten descriptions",
    )


def test_a_route_names_models_in_any_way_and_each_once(read: Read) -> None:
    (route,) = read(one_route("[b, openai/b, ollama/x]")).routes

    assert route.models == ("openai/b", "ollama/x")


def test_a_route_of_models_that_are_not_configured_is_refused(read: Read) -> None:
    first, second = faults(read, one_route("[openai/a, openai/c, zzz/*]"))

    assert first.startswith("routing_preferences[0].models[1]: is 'openai/c', which is not configured; the near")
    assert second == (
        "routing_preferences[0].models[2]: is 'zzz/*', which is not configured; it is openai/a or openai/b"
    )


def test_a_route_has_at_least_one_model(read: Read) -> None:
    assert faults(read, one_route("[]")) == (
        "routing_preferences[0].models: is empty; it is a list of at least one model",
    )


def test_route_names_are_unique_and_none_is_the_word_for_no_route(read: Read) -> None:
    text = f"""{PROVIDERS}
routing_preferences:
  - {{name: a, description: d, models: [a]}}
  - {{name: a, description: d, models: [b]}}
  - {{name: other, description: d, models: [b]}}
  - {{name: " ", description: d, models: [b]}}
"""

    assert faults(read, text) == (
        "routing_preferences[1].name: 'a' is there twice; a route's name is unique",
        "routing_preferences[2].name: is 'other', the router's word for no route; choose another",
        "routing_preferences[3].name: is blank; a route needs a name",
    )


@pytest.mark.parametrize(
    ("prefer", "source"),
    [
        (Prefer.CHEAPEST, "{type: cost, provider: models.dev}"),
        (Prefer.FASTEST, "{type: latency, provider: observed}"),
    ],
)
def test_a_ranking_needs_its_source(read: Read, prefer: Prefer, source: str) -> None:
    text = one_route("[a]", f", selection_policy: {{prefer: {prefer}}}")

    (fault,) = faults(read, text)

    assert fault.startswith(f"routing_preferences[0].selection_policy.prefer: is {prefer}, which needs")
    assert read(f"{text}model_metrics_sources: [{source}]").routes[0].prefer is prefer


@pytest.mark.parametrize("policy", ["", ", selection_policy: {prefer: none}", ", selection_policy: "])
def test_without_a_preference_the_order_of_the_file_stands(read: Read, policy: str) -> None:
    assert read(one_route("[a]", policy)).routes[0].prefer is Prefer.NONE


def test_an_unknown_preference_is_refused(read: Read) -> None:
    assert faults(read, one_route("[a]", ", selection_policy: {prefer: random}")) == (
        "routing_preferences[0].selection_policy.prefer: is 'random'; it is cheapest, fastest or none",
    )


def test_sources_are_read_with_their_refresh(read: Read) -> None:
    text = f"""{PROVIDERS}
model_metrics_sources:
  - {{type: cost, provider: digitalocean, url: "http://do/prices?page=1"}}
  - {{type: latency, provider: prometheus, url: "http://p:9090", query: 'x{{a=~"b$"}}', refresh_interval: 7}}
"""

    cost, latency = read(text).sources

    assert (cost.type, cost.provider, cost.url) == ("cost", "digitalocean", "http://do/prices?page=1")
    assert (latency.type, latency.provider, latency.url) == ("latency", "prometheus", "http://p:9090")
    assert (latency.query, latency.refresh_interval_s) == ('x{a=~"b$"}', 7)


@pytest.mark.parametrize(
    ("source", "interval_s", "max_age_s"),
    [
        ("{type: cost, provider: models.dev}", 3600, 6 * 3600),
        ("{type: latency, provider: prometheus, url: http://p, query: q}", 60, 360),
        ("{type: latency, provider: observed}", 10, 1800),
        ("{type: latency, provider: observed, half_life: 60}", 10, 360),
        ("{type: latency, provider: observed, half_life: 60, refresh_interval: 2, max_age: 30}", 2, 30),
        ("{type: cost, provider: models.dev, refresh_interval: 100}", 100, 600),
    ],
)
def test_data_counts_for_six_intervals(read: Read, source: str, interval_s: int, max_age_s: int) -> None:
    """What the pool has seen itself counts for six half-lives: its models may be asked less often than it is read."""
    (found,) = read(f"{PROVIDERS}model_metrics_sources: [{source}]").sources

    assert (found.refresh_interval_s, found.max_age_s) == (interval_s, max_age_s)


def test_data_that_is_too_old_before_it_is_renewed_is_refused(read: Read) -> None:
    text = "model_metrics_sources: [{type: cost, provider: models.dev, max_age: 3599}]"

    assert faults(read, PROVIDERS + text) == (
        (
            "model_metrics_sources[0].max_age: is shorter than the refresh interval; "
            "make it longer, else data is too old before it is renewed"
        ),
    )


def test_only_what_is_observed_has_a_half_life(read: Read) -> None:
    text = "model_metrics_sources: [{type: cost, provider: models.dev, half_life: 60}]"

    assert faults(read, PROVIDERS + text) == (
        "model_metrics_sources[0].half_life: is for observed only; leave it out",
    )


def test_there_is_one_source_of_a_type(read: Read) -> None:
    text = "model_metrics_sources: [{type: cost, provider: models.dev}, {type: cost, provider: digitalocean}]"

    assert faults(read, PROVIDERS + text) == (
        "model_metrics_sources[1].type: is 'cost', as in model_metrics_sources[0]; keep one source of a type",
    )


def test_a_source_that_cannot_work_is_refused(read: Read) -> None:
    text = "model_metrics_sources: [{type: cost, provider: prometheus}, {type: latency, provider: prometheus}]"

    assert faults(read, PROVIDERS + text) == (
        (
            "model_metrics_sources[0].provider: is prometheus, which is no source of type cost; "
            "it is digitalocean, models.dev, litellm or file"
        ),
        "model_metrics_sources[1].url: is missing; prometheus needs a url and a query",
        "model_metrics_sources[1].query: is missing; prometheus needs a url and a query",
    )


def test_a_file_of_prices_is_named_from_the_config_s_folder(read: Read, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("openai/a: {input: 1, output: 2}")

    (found,) = read(f"{PROVIDERS}model_metrics_sources: [{{type: cost, provider: file, path: prices.yaml}}]").sources

    assert found.path == str(tmp_path / "prices.yaml")
    assert found.refresh_interval_s == 60


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        (
            "{type: cost, provider: file}",
            "path: is missing; name a file of prices, its path starting at the config file",
        ),
        (
            "{type: cost, provider: file, path: gone.yaml}",
            "path: is not there; it is a file of prices, its path starting at the config file",
        ),
        ("{type: cost, provider: litellm, path: prices.yaml}", "path: is for file only; leave it out"),
        (
            '{type: cost, provider: file, path: prices.yaml, url: "http://h"}',
            "url: is not for file; name the file in path",
        ),
    ],
)
def test_a_file_of_prices_goes_with_its_provider_alone(read: Read, tmp_path: Path, source: str, wrong: str) -> None:
    (tmp_path / "prices.yaml").write_text("openai/a: {input: 1, output: 2}")

    assert faults(read, f"{PROVIDERS}model_metrics_sources: [{source}]") == (f"model_metrics_sources[0].{wrong}",)
