"""How fast models have answered lately: an average in which an answer counts less the older it is."""

from collections.abc import Mapping

import msgspec


class Sample(msgspec.Struct):
    """Answers of one model that came within about a second."""

    total: float = 0.0
    """Seconds to the first byte, added up."""
    count: int = 0


class Average(msgspec.Struct, frozen=True, array_like=True):
    """A weighted mean: each answer weighs 0.5 ** (age / half-life).

    That is exponential decay as in Cormode, Shkapenyuk, Srivastava and Xu, "Forward Decay: A Practical Time
    Decay Model for Streaming Systems" (ICDE 2009): a decayed sum over a decayed count. The quotient changes
    with new answers only, not with time, and nothing is assumed of how often answers come.
    """

    total: float
    """Seconds, weighted."""
    weight: float
    as_of: float
    """When the last answer came, in seconds since the epoch; the weights are those of this moment."""

    @property
    def value(self) -> float:
        """Seconds to the first byte."""
        return self.total / self.weight

    def plus(self, sample: Sample, now_s: float, half_life_s: float) -> "Average":
        """The average with more answers. A clock that was set back gives no answer more weight."""
        kept = 0.5 ** (max(0.0, now_s - self.as_of) / half_life_s)
        return Average(self.total * kept + sample.total, self.weight * kept + sample.count, now_s)


NEVER = Average(0.0, 0.0, 0.0)
"""The average of a model that has not answered yet. It has no `value`."""


def folded(
    standing: Mapping[str, Average], samples: Mapping[str, Sample], now_s: float, half_life_s: float
) -> dict[str, Average]:
    """The averages of all models, after samples of some were added."""
    fresh = {name: standing.get(name, NEVER).plus(one, now_s, half_life_s) for name, one in samples.items()}
    return {**standing, **fresh}
