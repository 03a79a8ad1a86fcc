"""That all faults of a file are told at once: mending some reveals no others."""

import pytest

from tests.unit.config_files import Read, faults

PIECES = {
    "unreadable providers": "model_providers: [{model: openai/a}, {model: gpt}, {model: openai/b, access_key: [1]}]",
    "an unknown setting": "tracing: {sampling: 5}",
    "a wrong kind": "limits: {body_bytes: many, headers: 5}",
    "a wrong mapping": "auth: [5]",
    "an unknown alias target": "model_aliases: {fast: {target: openai/zzz}, slow: {target: 5}}",
    "unknown and doubled routes": """
routing_preferences:
  - {name: a, description: d, models: [openai/a, openai/zzz]}
  - {name: a, description: d, models: [openai/b], selection_policy: {prefer: cheapest}}
""",
    "a source of a wrong type": "model_metrics_sources: [{type: latency, provider: models.dev, max_age: 1}]",
    "an unknown router": "overrides: {llm_routing_model: my/router}",
    "a router that cannot be": "routing: {router: {url: 'http://', prompt_file: absent.txt}}",
}
GOOD = "model_providers: [{model: openai/a}, {model: openai/b}]"


def one(piece: str) -> str:
    return piece if piece.startswith("model_providers") else f"{GOOD}\n{piece}"


@pytest.mark.parametrize("name", PIECES)
def test_a_fault_is_told_whatever_else_is_wrong(read: Read, name: str) -> None:
    alone = faults(read, one(PIECES[name]))

    together = faults(read, "\n".join(PIECES.values()))

    assert set(alone) <= set(together)


def test_an_unreadable_item_does_not_change_the_places_of_the_others(read: Read) -> None:
    text = """
    model_providers:
      - {model: 5, default: true}
      - {model: openai/a}
      - {}
      - {model: openai/a, default: true}
    routing_preferences:
      - 5
      - {name: a, description: d, models: [openai/a, 5, {}, openai/b]}
      - {name: a, models: [openai/d]}
      - {description: d, models: 5}
      - {name: a, description: d, models: [5, openai/c]}
    """

    right = "it is provider/model, such as openai/gpt-4o, or provider/* for all of its models"
    assert faults(read, text) == (
        f"model_providers[0].model: is 5; {right}",
        f"model_providers[2].model: is missing; {right}",
        "routing_preferences[0]: is 5; it is a mapping",
        "routing_preferences[1].models[1]: is 5; it is a text that is not blank",
        "routing_preferences[1].models[2]: is empty; it is a text that is not blank",
        "routing_preferences[2].description: is missing; it is a text that is not blank",
        "routing_preferences[3].name: is missing; it is a text",
        "routing_preferences[3].models: is 5; it is a list",
        "routing_preferences[4].models[0]: is 5; it is a text that is not blank",
        "model_providers[3].model: is 'openai/a', as in model_providers[1]; keep one of them",
        "model_providers[3].default: is true, as in model_providers[0]; one model is the default",
        ("routing_preferences[1].models[3]: is 'openai/b', which is not configured; the nearest name is openai/a"),
        "routing_preferences[2].name: 'a' is there twice; a route's name is unique",
        ("routing_preferences[2].models[0]: is 'openai/d', which is not configured; the nearest name is openai/a"),
        "routing_preferences[4].name: 'a' is there twice; a route's name is unique",
        ("routing_preferences[4].models[1]: is 'openai/c', which is not configured; the nearest name is openai/a"),
    )


def test_what_follows_from_a_fault_is_not_told(read: Read) -> None:
    """A list whose only item is wrong is not also too short, nor what it is missing in also missing."""
    text = f"""
    {GOOD}
    routing_preferences: [{{name: a, description: d, models: [5]}}]
    model_aliases: {{a: {{target: [x]}}}}
    version: 7
    """

    assert faults(read, text) == (
        "version: is 7; it is v0.1 to v0.4.0",
        "model_aliases.a.target: is a list; it is a text that is not blank",
        "routing_preferences[0].models[0]: is 5; it is a text that is not blank",
    )


def test_an_unknown_version_does_not_make_inline_routes_a_fault(read: Read) -> None:
    provider = "{model: openai/a, routing_preferences: [{name: a, description: d}]}"

    (fault,) = faults(read, f"version: v9\nmodel_providers: [{provider}]")

    assert fault.startswith("version: is 'v9'")


@pytest.mark.parametrize("key", ["<mapping>", "<list>", "[key]", "(x"])
def test_a_key_may_be_called_as_pydantic_calls_something(read: Read, key: str) -> None:
    text = f"{GOOD}\n'{key}': 1\nlisteners: {{'{key}': 1}}\nrouting: {{router: {{'{key}': 1, url: 'http://h'}}}}"

    found = faults(read, text)

    assert [fault.partition(":")[0] for fault in found] == [f"listeners.{key}", f"routing.router.{key}", key]
