"""How fast models have answered lately: an average in which what is old counts less and less."""

from collections.abc import Mapping

import msgspec


class Seen(msgspec.Struct):
    """Answers of one model that came in within a moment."""

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

    def plus(self, seen: Seen, now_s: float, half_life_s: float) -> "Average":
        """The average with more answers; a clock that was set back makes nothing heavier."""
        kept = 0.5 ** (max(0.0, now_s - self.as_of) / half_life_s)
        return Average(self.total * kept + seen.total, self.weight * kept + seen.count, now_s)


NEVER = Average(0.0, 0.0, 0.0)
"""Of a model that nobody has asked; it has no value."""


def folded(
    standing: Mapping[str, Average], seen: Mapping[str, Seen], now_s: float, half_life_s: float
) -> dict[str, Average]:
    """The averages of all models with what was seen of some."""
    fresh = {name: standing.get(name, NEVER).plus(one, now_s, half_life_s) for name, one in seen.items()}
    return {**standing, **fresh}
