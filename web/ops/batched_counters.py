"""Numbers that requests add to. They reach their counters once a second.

A counter that several processes share is in a file; an addition here takes a tenth of the time.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

EVERY_S = 1.0

_BUCKET, _SUM = "_bucket", "_sum"


class Gathered:
    """What has been added since the last second."""

    def __init__(self) -> None:
        self._sums: dict[Counter, float] = {}

    def add(self, counter: Counter, amount: float = 1) -> None:
        """Add to a counter that has its labels."""
        self._sums[counter] = self._sums.get(counter, 0) + amount

    def publish(self) -> None:
        """Bring what was added to the counters."""
        sums, self._sums = self._sums, {}
        for counter, amount in sums.items():
            counter.inc(amount)


class _Series(msgspec.Struct, frozen=True):
    buckets: list[Counter]
    sum: Counter


class GatheredHistogram:
    """A histogram by one label. prometheus_client's own takes one value at a time, in ten times the time.

    It is kept in counters, one a bucket; `Exposed` makes a histogram of them.
    """

    def __init__(
        self,
        gathered: Gathered,
        name: str,
        text: str,
        label: str,
        bounds: Sequence[float],
        *,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.name = name
        self.text = text
        self.label = label
        self._gathered = gathered
        self._bounds = tuple(bounds)
        self._bucket = Counter(name + _BUCKET, text, [label, "le"], registry=registry)
        self._sum = Counter(name + _SUM, text, [label], registry=registry)
        self._series: dict[str, _Series] = {}

    def add(self, label: str, value: float) -> None:
        """Add a value to the series of a label."""
        series = self._series.get(label) or self._begun(label)
        self._gathered.add(series.buckets[bisect_left(self._bounds, value)])
        self._gathered.add(series.sum, value)

    def _begun(self, label: str) -> _Series:
        steps = [*map(floatToGoString, self._bounds), "+Inf"]
        made = _Series([self._bucket.labels(label, step) for step in steps], self._sum.labels(label))
        return self._series.setdefault(label, made)


class Exposed(Collector):
    """What another collector has, with a histogram in the place of the counters that it is kept in."""

    def __init__(self, source: Collector | CollectorRegistry, histograms: Iterable[GatheredHistogram]) -> None:
        self._source = source
        self._histograms = {each.name: each for each in histograms}

    def collect(self) -> Iterator[Metric]:
        """Everything, the histograms last."""
        kept: dict[str, Metric] = {}
        for family in self._source.collect():
            if family.name.removesuffix(_BUCKET).removesuffix(_SUM) in self._histograms:
                kept[family.name] = family
            else:
                yield family
        for each in self._histograms.values():
            yield _histogram(each, kept)


def _histogram(histogram: GatheredHistogram, kept: dict[str, Metric]) -> HistogramMetricFamily:
    buckets: dict[str, list[tuple[float, str, float]]] = {}
    for sample in _samples(kept.get(histogram.name + _BUCKET)):
        step = sample.labels["le"]
        buckets.setdefault(sample.labels[histogram.label], []).append((float(step), step, sample.value))
    sums = {sample.labels[histogram.label]: sample.value for sample in _samples(kept.get(histogram.name + _SUM))}
    family = HistogramMetricFamily(histogram.name, histogram.text, labels=[histogram.label])
    for label, found in buckets.items():
        below, steps = 0.0, []
        for _, step, count in sorted(found):
            below += count
            steps.append((step, below))
        family.add_metric([label], buckets=steps, sum_value=sums.get(label, 0.0))
    return family


def _samples(family: Metric | None) -> list[Sample]:
    return [sample for sample in family.samples if sample.name.endswith("_total")] if family else []
