"""Where prices and latencies come from: one small module a source."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.config.values import OBSERVED, MetricSource
from workers.metrics.digitalocean import DigitalOcean
from workers.metrics.fetch import Fetch
from workers.metrics.models_dev import ModelsDev
from workers.metrics.observed import Averages, Observed
from workers.metrics.prometheus import Prometheus
from workers.metrics.reading import Reading


class Source(Protocol):
    """Says what is known of models."""

    def read(self) -> Reading:
        """Its figures, by its own names of the models.

        Raises SourceFailed for anything that is not what the source promises, and when there is not one figure;
        only of the pool itself there may be none yet. Raises StoreDown where the source is Redis.
        """
        ...


SOURCES: Mapping[str, Callable[[MetricSource, Fetch], Source]] = {
    "digitalocean": DigitalOcean,
    "models.dev": ModelsDev,
    "prometheus": Prometheus,
}
"""Every source that is read over HTTP, by its name in the config file."""


def build(source: MetricSource, fetch: Fetch, seen: Averages) -> Source:
    """The source that the config file names."""
    if source.provider == OBSERVED:
        return Observed(source, seen)
    return SOURCES[source.provider](source, fetch)
