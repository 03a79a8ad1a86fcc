"""Every property, tried with the same inputs each time; `python -m tests.fuzz` goes on from there."""

import pytest

from tests.fuzz.catalog import TARGETS

EXAMPLES = 25


@pytest.mark.parametrize("name", TARGETS)
def test_a_property_holds(name: str) -> None:
    TARGETS[name].tried(EXAMPLES)
