"""Prices from models.dev."""

import msgspec

from shared.config.sections import MetricSource
from shared.domain.money import Prices
from workers.metrics.fetch import Fetch
from workers.metrics.usable_figures import Reading

URL = "https://models.dev/api.json"


class Cost(msgspec.Struct):
    """US$ per million tokens. `cache_write` is for five minutes; models.dev lists no price for an hour."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None

    def prices(self) -> Prices:
        """The prices in our words."""
        return Prices(
            input=self.input,
            output=self.output,
            cached=self.cache_read,
            cache_write_5m=self.cache_write,
            cache_write_1h=self.cache_write_1h,
            reasoning=self.reasoning,
        )


class _Model(msgspec.Struct):
    cost: Cost | None = None


class Offer(msgspec.Struct):
    """What one provider has."""

    models: dict[str, _Model]

    def prices(self, provider: str) -> dict[str, Prices]:
        """The prices of its models, by `provider/id`."""
        return {f"{provider}/{name}": model.cost.prices() for name, model in self.models.items() if model.cost}


class ModelsDev:
    """Prices by `provider/id`; a model without one for both input and output is left out."""

    def __init__(self, source: MetricSource, fetch: Fetch) -> None:
        self._url = source.url or URL
        self._fetch = fetch

    def read(self) -> Reading:
        """The prices of every provider's models; raises SourceFailed."""
        offers = self._fetch.json(self._url, dict[str, Offer])
        return Reading.of_prices(
            {name: each for provider, offer in offers.items() for name, each in offer.prices(provider).items()}
        )
