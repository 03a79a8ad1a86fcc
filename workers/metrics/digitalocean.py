"""Prices from DigitalOcean's catalog of models."""

import msgspec

from shared.config.models import MetricSource
from shared.domain.ranking import Price
from workers.metrics.fetch import Fetch
from workers.metrics.reading import Reading

URL = "https://api.digitalocean.com/v2/gen-ai/models/catalog"

_TOKENS = 1_000_000
"""In spite of their names the catalog's prices are US$ per token."""


class _Pricing(msgspec.Struct):
    input_price_per_million: float | None = None
    output_price_per_million: float | None = None
    cache_read_input_price_per_million: float | None = None
    input_cache_read: float | None = None

    def price(self) -> Price | None:
        """What a million tokens cost; None unless both input and output have a price."""
        if self.input_price_per_million is None or self.output_price_per_million is None:
            return None
        cached = self.cache_read_input_price_per_million
        cached = self.input_cache_read if cached is None else cached
        return Price(
            self.input_price_per_million * _TOKENS,
            self.output_price_per_million * _TOKENS,
            None if cached is None else cached * _TOKENS,
        )


class _Entry(msgspec.Struct):
    model_id: str
    pricing: _Pricing | None = None


class _Catalog(msgspec.Struct):
    data: list[_Entry]


class DigitalOcean:
    """Input and output prices by `model_id`; a model without a price is left out."""

    def __init__(self, source: MetricSource, fetch: Fetch) -> None:
        self._url = source.url or URL
        self._fetch = fetch

    def read(self) -> Reading:
        """The catalog's prices; raises SourceFailed."""
        entries = self._fetch.json(self._url, _Catalog).data
        priced = {entry.model_id: entry.pricing and entry.pricing.price() for entry in entries}
        return Reading.of_prices({name: price for name, price in priced.items() if price})
