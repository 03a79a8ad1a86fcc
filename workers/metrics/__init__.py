"""The sources of prices and latencies, one small module each."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.config.sections import FILE, OBSERVED, MetricSource
from workers.metrics.fetch import Fetch
from workers.metrics.observed import Averages, Observed
from workers.metrics.prices.digitalocean import DigitalOcean
from workers.metrics.prices.file import PriceFile
from workers.metrics.prices.litellm import LiteLLM
from workers.metrics.prices.models_dev import ModelsDev
from workers.metrics.prometheus import Prometheus
from workers.metrics.usable_figures import Reading


class Source(Protocol):
    """Knows figures about models."""

    def read(self) -> Reading:
        """The source's figures, by its own names of the models.

        Raises SourceFailed when the answer is not what the source promises, or has no usable figure. Only the source
        `observed` may have none; it raises StoreDown.
        """
        ...


SOURCES: Mapping[str, Callable[[MetricSource, Fetch], Source]] = {
    "digitalocean": DigitalOcean,
    "models.dev": ModelsDev,
    "litellm": LiteLLM,
    "prometheus": Prometheus,
}
"""Every source that is read over HTTP, by its name in the config file."""


def build(source: MetricSource, fetch: Fetch, averages: Averages) -> Source:
    """The source that the config file names."""
    if source.provider == OBSERVED:
        return Observed(source, averages)
    if source.provider == FILE:
        return PriceFile(source)
    return SOURCES[source.provider](source, fetch)
