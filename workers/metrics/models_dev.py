"""Prices from models.dev."""

import msgspec

from shared.config.models import MetricSource
from shared.domain.ranking import Price
from workers.metrics.fetch import Fetch
from workers.metrics.reading import Reading

URL = "https://models.dev/api.json"


class _Cost(msgspec.Struct):
    """US$ per million tokens."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None

    def price(self) -> Price | None:
        """The price; None unless both input and output have one."""
        if self.input is None or self.output is None:
            return None
        return Price(self.input, self.output, self.cache_read)


class _Model(msgspec.Struct):
    cost: _Cost | None = None


class _Provider(msgspec.Struct):
    models: dict[str, _Model]


class ModelsDev:
    """Input and output prices by `provider/id`; a model without a price is left out."""

    def __init__(self, source: MetricSource, fetch: Fetch) -> None:
        self._url = source.url or URL
        self._fetch = fetch

    def read(self) -> Reading:
        """The prices of every provider's models; raises SourceFailed."""
        providers = self._fetch.json(self._url, dict[str, _Provider])
        priced = {
            f"{provider}/{model_id}": model.cost and model.cost.price()
            for provider, offer in providers.items()
            for model_id, model in offer.models.items()
        }
        return Reading.of_prices({name: price for name, price in priced.items() if price})
