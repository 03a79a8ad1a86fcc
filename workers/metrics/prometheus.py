"""Latencies from a query to a Prometheus server."""

import logging
import math
from typing import Any, Literal

import msgspec

from shared.config.sections import MetricSource
from workers.metrics.fetch import Fetch
from workers.metrics.usable_figures import Reading

log = logging.getLogger("plano.metrics")

LABEL = "model_name"

_SHOWN = 3


class _Series(msgspec.Struct):
    metric: dict[str, Any]
    value: Any = None
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
        """Seconds per model; of two series of one model the slower counts. Raises SourceFailed.

        A sample that is no number is left out, and named in the log.
        """
        series = self._fetch.json(self._url, _Answer, {"query": self._query}).data.result
        latencies: dict[str, float] = {}
        unnamed, wrong = 0, list[str]()
        for one in series:
            name, value = one.metric.get(LABEL), _number(one.value)
            if not isinstance(name, str):
                unnamed += 1
            elif value is None:
                wrong.append(f"{name!r:.60} ({one.value!r:.40})")
            else:
                latencies[name] = max(latencies.get(name, value), value, key=_slowness)
        if unnamed:
            log.warning("dropped %d series without the label %s", unnamed, LABEL)
        if wrong:
            log.warning("dropped %d samples that are no number, such as of %s", len(wrong), ", ".join(wrong[:_SHOWN]))
        return Reading.of_latencies(latencies)


def _slowness(value: float) -> float:
    """The value for comparisons. NaN, which a query gives for a model that nobody asked, is less than any other."""
    return -math.inf if math.isnan(value) else value


def _number(sample: Any) -> float | None:
    """How much a sample is, which Prometheus writes as text: also NaN, +Inf and -Inf. None when it is no number."""
    match sample:
        case [_, str(text)]:
            try:
                return float(text)
            except ValueError:
                return None
    return None
