"""Prices of the cache and of reasoning: LiteLLM's table, that of models.dev, and a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.config.sections import HALF_LIFE_S, MetricSource
from shared.domain.money import Prices
from shared.errors import SourceFailed
from shared.memory.latency import MemoryLatencies
from tests.fakes.sources import Sources
from workers.metrics import SOURCES, build
from workers.metrics.fetch import Fetch
from workers.metrics.usable_figures import Reading

SONNET = """{
  "sample_spec": {"input_cost_per_token": 0.0, "max_tokens": "LEGACY parameter", "output_cost_per_token": 0.0},
  "claude-sonnet-4": {
    "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07,
    "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "litellm_provider": "anthropic", "max_tokens": 64000, "mode": "chat", "supports_vision": true
  },
  "broken": {"input_cost_per_token": "3", "litellm_provider": "x"},
  "deepseek/deepseek-reasoner": {
    "input_cost_per_token": 5.5e-07, "output_cost_per_token": 2.19e-06, "output_cost_per_reasoning_token": 4e-06,
    "litellm_provider": "deepseek"
  },
  "dall-e-3": {"output_cost_per_image": 0.04, "litellm_provider": "openai", "mode": "image_generation"}
}"""
MODELS_DEV = """{
  "anthropic": {"id": "anthropic", "name": "Anthropic", "models": {
    "claude-sonnet-4": {"id": "claude-sonnet-4", "reasoning": true,
      "cost": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "reasoning": 20}},
    "free": {"id": "free"}}}
}"""
OWN = """
openai/gpt-5.2: {input: 1.75, output: 14, cache_read: 0.175}
anthropic/claude-sonnet-4: {input: 3, output: 15, cache_read: 0.3, cache_write: 3.75, cache_write_1h: 6}
"""

ReadFile = Callable[..., Reading]


@pytest.fixture
def read_file(tmp_path: Path) -> ReadFile:
    """What the source makes of a file with this text."""

    def read(text: str, name: str = "prices.yaml") -> Reading:
        (tmp_path / name).write_text(text)
        config = MetricSource.model_validate({"type": "cost", "provider": "file", "path": str(tmp_path / name)})
        return build(config, Fetch(), MemoryLatencies(HALF_LIFE_S)).read()

    return read


@pytest.mark.parametrize("name", ["models.dev", "litellm"])
def test_what_writing_to_the_cache_costs_is_read(name: str) -> None:
    with Sources() as pages:
        pages.prices = {"acme/large": (3, 12, 0.3, 3.75)}
        urls = {"models.dev": pages.models_dev, "litellm": pages.litellm}
        config = MetricSource.model_validate({"type": "cost", "provider": name, "url": urls[name]})

        reading = SOURCES[name](config, Fetch()).read()

    assert reading.prices == {"acme/large": Prices(3, 12, 0.3, 3.75)}
    assert reading.values == {"acme/large": 15}


def test_a_table_of_litellm_may_be_the_file(read_file: ReadFile) -> None:
    """An entry that is no model, has no price of tokens or cannot be read is left out."""
    assert read_file(SONNET, "table.json").prices == {
        "claude-sonnet-4": Prices(3, 15, 0.3, 3.75, 6),
        "deepseek/deepseek-reasoner": Prices(0.55, 2.19, reasoning=4),
    }


def test_a_table_of_models_dev_may_be_the_file(read_file: ReadFile) -> None:
    prices = read_file(MODELS_DEV, "table.json").prices

    assert prices == {"anthropic/claude-sonnet-4": Prices(3, 15, 0.3, 3.75, reasoning=20)}


def test_a_file_may_list_the_models_alone(read_file: ReadFile) -> None:
    reading = read_file(OWN)

    assert reading.prices == {
        "openai/gpt-5.2": Prices(1.75, 14, 0.175),
        "anthropic/claude-sonnet-4": Prices(3, 15, 0.3, 3.75, 6),
    }
    assert reading.values["openai/gpt-5.2"] == 15.75


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a/x: {input: 1, output: two}", "prices.yaml: a/x: Expected `float | null`, got `str`"),
        ("a/x: {input: 1, output: 2, cached: 3}", "a/x: .*unknown field `cached`"),
        ("a/x: 7", "a/x: Expected `object`"),
        ("[a, b]", "is no table"),
        ("a: b: c", "is no table"),
        ("7: {input: 1, output: 2}", "is no table"),
        ("", "is no table"),
        ("a/x: {input: 1}", "not one usable figure"),
        ("a/x: {input: -1, output: 2}", "not one usable figure"),
    ],
)
def test_a_file_that_is_wrong_is_an_error_that_says_where(read_file: ReadFile, text: str, wrong: str) -> None:
    with pytest.raises(SourceFailed, match=wrong):
        read_file(text)


def test_a_file_that_is_gone_is_an_error(tmp_path: Path, read_file: ReadFile) -> None:
    read_file(OWN)
    config = MetricSource.model_validate({"type": "cost", "provider": "file", "path": str(tmp_path / "prices.yaml")})
    (tmp_path / "prices.yaml").unlink()

    with pytest.raises(SourceFailed, match=r"prices\.yaml cannot be read: No such file"):
        build(config, Fetch(), MemoryLatencies(HALF_LIFE_S)).read()
