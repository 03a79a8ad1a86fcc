"""Prices from DigitalOcean's catalog of models."""

import msgspec

from shared.config.sections import MetricSource
from shared.domain.money import Prices
from workers.metrics.fetch import Fetch
from workers.metrics.usable_figures import Reading

URL = "https://api.digitalocean.com/v2/gen-ai/models/catalog"

_TOKENS = 1_000_000
"""In spite of their names the catalog's prices are US$ per token."""


class _Pricing(msgspec.Struct):
    input_price_per_million: float | None = None
    output_price_per_million: float | None = None
    cache_read_input_price_per_million: float | None = None
    input_cache_read: float | None = None

    def prices(self) -> Prices:
        """What a million tokens cost."""
        cached = self.cache_read_input_price_per_million
        cached = self.input_cache_read if cached is None else cached
        given = (self.input_price_per_million, self.output_price_per_million, cached)
        return Prices(*(None if each is None else each * _TOKENS for each in given))


class _Entry(msgspec.Struct):
    model_id: str
    pricing: _Pricing | None = None


class _Catalog(msgspec.Struct):
    data: list[_Entry]


class DigitalOcean:
    """Prices by `model_id`; a model without one for both input and output is left out."""

    def __init__(self, source: MetricSource, fetch: Fetch) -> None:
        self._url = source.url or URL
        self._fetch = fetch

    def read(self) -> Reading:
        """The catalog's prices; raises SourceFailed."""
        entries = self._fetch.json(self._url, _Catalog).data
        return Reading.of_prices({entry.model_id: entry.pricing.prices() for entry in entries if entry.pricing})
