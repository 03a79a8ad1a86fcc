"""Latencies from a query to a Prometheus server."""

import logging
import math
from typing import Literal

import msgspec

from shared.config.models import MetricSource
from shared.errors import SourceFailed
from workers.metrics.fetch import Fetch
from workers.metrics.reading import Reading

log = logging.getLogger("plano.metrics")

LABEL = "model_name"


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]
    """When, in seconds since the epoch, and how much."""


class _Data(msgspec.Struct):
    result: list[_Series]
    result_type: Literal["vector"] = msgspec.field(name="resultType")


class _Answer(msgspec.Struct):
    status: Literal["success"]
    data: _Data


class Prometheus:
    """The result of the query at this moment, by the label `model_name`."""

    def __init__(self, source: MetricSource, fetch: Fetch) -> None:
        self._url = f"{(source.url or '').rstrip('/')}/api/v1/query"
        self._query = source.query or ""
        self._fetch = fetch

    def read(self) -> Reading:
        """Seconds per model; of two series of one model the slower counts. Raises SourceFailed."""
        series = self._fetch.json(self._url, _Answer, {"query": self._query}).data.result
        latencies: dict[str, float] = {}
        unnamed = 0
        for one in series:
            name = one.metric.get(LABEL)
            if name is None:
                unnamed += 1
                continue
            value = _number(one.value[1])
            latencies[name] = max(latencies.get(name, value), value, key=_slowness)
        if unnamed:
            log.warning("dropped %d series without the label %s", unnamed, LABEL)
        return Reading.of_latencies(latencies)


def _slowness(value: float) -> float:
    """The value for comparisons. NaN, which a query gives for a model that nobody asked, is less than any other."""
    return -math.inf if math.isnan(value) else value


def _number(text: str) -> float:
    """A sample's value, which Prometheus writes as text: also NaN, +Inf and -Inf."""
    try:
        return float(text)
    except ValueError:
        raise SourceFailed(f"a sample is {text[:20]!r}, which is no number") from None
