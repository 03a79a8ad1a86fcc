"""What is fuzzed: a kind of input, and what holds for each of them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import hypothesis
from hypothesis import HealthCheck, given
from hypothesis.strategies import SearchStrategy

E = TypeVar("E", bound=Exception)
P = ParamSpec("P")
T = TypeVar("T")
Holds = Callable[[Any], None]


@dataclass(frozen=True)
class Target:
    """A property: `holds` fails for an input that breaks it."""

    inputs: SearchStrategy[Any]
    holds: Holds

    @property
    def name(self) -> str:
        """What the command line knows it by."""
        return self.holds.__name__

    @property
    def promise(self) -> str:
        """The property in words."""
        return inspect.getdoc(self.holds) or ""

    def tried(self, examples: int, seed: int | None = None) -> None:
        """Try so many inputs, the same ones for the same seed; without one, always the same."""

        def check(value: Any) -> None:
            self.holds(value)

        limits = hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=seed is None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        )
        test = limits(given(self.inputs)(check))
        if seed is not None:
            test = hypothesis.seed(seed)(test)
        test()


def target(inputs: SearchStrategy[Any]) -> Callable[[Holds], Target]:
    """Make a function that checks one input a target."""
    return lambda holds: Target(inputs, holds)


def outcome(error: type[E], read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | E:
    """What reading gives: a value, or this kind of error; any other error is a find."""
    try:
        return read(*args, **kwargs)
    except error as raised:
        return raised
