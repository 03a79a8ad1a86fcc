"""How long a prompt cache outlives its last use, by provider, model and request."""

import pytest

from shared.domain.caching.windows import DAY, HOUR, window_s
from shared.domain.catalog import Model, Provider
from tests.unit.config_files import Read


def model(name: str, interface: str = "", cache_window_s: int | None = None) -> Model:
    provider, _, model_id = name.partition("/")
    interface = interface or provider
    return Model(
        name,
        model_id,
        Provider(name=provider, base_url="http://x", interface=interface, cache_window_s=cache_window_s),
    )


@pytest.mark.parametrize(
    ("asked", "retention", "seconds"),
    [
        (model("anthropic/claude-sonnet-4-5"), None, 300),
        (model("anthropic/claude-sonnet-4-5"), HOUR, 3600),
        (model("house/claude", "anthropic"), HOUR, 3600),
        (model("anthropic/claude-sonnet-4-5"), DAY, 300),
        (model("openai/gpt-5.2"), None, 300),
        (model("openai/gpt-5.2"), HOUR, 300),
        (model("openai/gpt-5.2"), DAY, 86400),
        (model("azure_openai/gpt-5.2"), DAY, 86400),
        (model("openai/gpt-5.6"), None, 1800),
        (model("openai/gpt-5.6-mini"), DAY, 1800),
        (model("openai/gpt-6"), None, 1800),
        (model("openai/gpt-4o"), None, 300),
        (model("house/gpt-5.6", "openai"), DAY, 300),
        (model("gemini/gemini-3-pro"), None, 300),
        (model("deepseek/deepseek-chat"), None, 3600),
        (model("openrouter/a/b"), None, 600),
        (model("openrouter/a/b", "openai"), None, 600),
        (model("groq/a"), None, 300),
        (model("anthropic/claude-sonnet-4-5", cache_window_s=42), HOUR, 42),
    ],
)
def test_the_window_is_that_of_the_table(asked: Model, retention: str | None, seconds: int) -> None:
    assert window_s(asked, retention) == seconds


def test_the_operators_own_figure_is_read_from_the_file(read: Read) -> None:
    text = "model_providers: [{model: openai/a, cache_window: 20m}, {model: openai/b}]"

    windows = [model.provider.cache_window_s for model in read(text).catalog.models]

    assert windows == [1200, None]


def test_the_references_name_of_implicit_sessions_is_read(read: Read) -> None:
    config = read("model_providers: [{model: openai/a}]\nprompt_caching: {session_affinity: true, enabled: true}")

    assert config.routing.implicit_sessions
    assert config.warnings == ("does nothing here: prompt_caching.enabled",)
