"""Prices from LiteLLM's table of models."""

from typing import Any

import msgspec

from shared.config.sections import MetricSource
from shared.domain.money import Prices
from workers.metrics.fetch import Fetch
from workers.metrics.usable_figures import Reading

URL = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"

_TOKENS = 1_000_000
"""The table has US$ per token."""
_EXAMPLE = "sample_spec"
"""The table's first entry explains the others, and is no model."""


class Entry(msgspec.Struct):
    """What the table says of a model's price."""

    input_cost_per_token: float | None = None
    output_cost_per_token: float | None = None
    cache_read_input_token_cost: float | None = None
    cache_creation_input_token_cost: float | None = None
    cache_creation_input_token_cost_above_1hr: float | None = None
    output_cost_per_reasoning_token: float | None = None

    def prices(self) -> Prices:
        """What a million tokens cost; the fields stand in the same order."""
        return Prices(*(None if each is None else each * _TOKENS for each in msgspec.structs.astuple(self)))


class LiteLLM:
    """Prices by the table's own names, `provider/id` or a bare id."""

    def __init__(self, source: MetricSource, fetch: Fetch) -> None:
        self._url = source.url or URL
        self._fetch = fetch

    def read(self) -> Reading:
        """The prices of all entries that have some; raises SourceFailed."""
        return Reading.of_prices(table(self._fetch.json(self._url, dict[str, Any])))


def table(entries: dict[str, Any]) -> dict[str, Prices]:
    """The prices in the table. Hands have written it: an entry that cannot be read is left out."""
    found: dict[str, Prices] = {}
    for name, entry in entries.items():
        if name != _EXAMPLE:
            try:
                found[name] = msgspec.convert(entry, Entry).prices()
            except msgspec.ValidationError:
                continue
    return found
