"""Where prices and latencies come from: one small module a source."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.config.values import MetricSource
from workers.metrics.digitalocean import DigitalOcean
from workers.metrics.fetch import Fetch
from workers.metrics.models_dev import ModelsDev
from workers.metrics.prometheus import Prometheus
from workers.metrics.reading import Reading


class Source(Protocol):
    """Says what is known of models now."""

    def read(self) -> Reading:
        """Its figures, by its own names of the models.

        Raises SourceFailed for anything that is not what the source promises, and when there is not one figure.
        """
        ...


SOURCES: Mapping[str, Callable[[MetricSource, Fetch], Source]] = {
    "digitalocean": DigitalOcean,
    "models.dev": ModelsDev,
    "prometheus": Prometheus,
}
"""Every source that a worker reads, by its name in the config file."""
