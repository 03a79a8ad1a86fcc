"""The README's figures are those in bench/results."""

import pytest

from bench import table
from bench.report import Spread


def test_the_readme_shows_what_was_measured() -> None:
    """`python -m bench.table` writes it anew."""
    readme = table.README.read_text()

    assert table.with_table(readme) == readme


@pytest.mark.parametrize(
    ("median", "target", "met"),
    [
        (0.45, "≥ 0.45", True),
        (0.449, "≥ 0.45", False),
        (2500, "≥ 2,500", True),
        (0.31, "≤ 0.30", False),
        (0, "0", True),
        (1, "0", False),
        (7, None, True),
    ],
)
def test_a_target_is_met_or_missed(median: float, target: str | None, met: bool) -> None:
    assert table.met(Spread(median=median, min=median, max=median, target=target)) is met
