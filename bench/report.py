"""What a measurement found: medians with their spread, as a Markdown table and as JSON in bench/results."""

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import machine
from bench.generator import Load

RESULTS = Path(__file__).parent / "results"

Figures = dict[str, float]
"""What one run of one side measured; names carry their unit."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over all runs."""

    median: float
    min: float
    max: float
    target: str | None = None

    @classmethod
    def of(cls, values: Sequence[float], target: str | None = None) -> "Spread":
        """The spread of at least one value."""
        return cls(
            median=_short(statistics.median(values)), min=_short(min(values)), max=_short(max(values)), target=target
        )

    def __str__(self) -> str:
        """As a cell of a table."""
        spread = f"{self.median:,g}" + (f" ({self.min:,g} … {self.max:,g})" if self.min != self.max else "")
        return f"{spread}, target {self.target}" if self.target else spread


Results = dict[str, dict[str, Spread]]
Targets = Mapping[str, Mapping[str, str]]


def options(
    question: str,
    *,
    runs: int,
    seconds: int,
    add: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> argparse.Namespace:
    """What the command line says: `--runs` and `--seconds`, for a look in passing, and what `add` adds."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--runs", type=int, default=runs, help="of each side (%(default)s)")
    parser.add_argument("--seconds", type=int, default=seconds, help="each run takes (%(default)s)")
    add(parser)
    return parser.parse_args()


def speed(done: Load) -> Figures:
    """A load's rate and latencies."""
    return {
        "requests_per_s": done.requests_per_s,
        "p50_ms": done.p50_ms,
        "p99_ms": done.p99_ms,
        "max_ms": done.max_ms,
    }


def interleaved(sides: Mapping[str, Callable[[], Figures]], runs: int, targets: Targets | None = None) -> Results:
    """Each side in turn, again and again, so that a disturbance of the machine meets all of them."""
    found: dict[str, list[Figures]] = {side: [] for side in sides}
    for _ in range(runs):
        for side, measure in sides.items():
            found[side].append(measure())
    return spreads(found, targets)


def spreads(found: Mapping[str, Sequence[Figures]], targets: Targets | None = None) -> Results:
    """What the runs of each side found; a figure may be missing in some of them."""
    targets = targets or {}
    return {
        side: {
            name: Spread.of(
                [figures[name] for figures in all_figures if name in figures], targets.get(side, {}).get(name)
            )
            for name in dict.fromkeys(name for figures in all_figures for name in figures)
        }
        for side, all_figures in found.items()
    }


def publish(
    name: str,
    question: str,
    runs: int,
    results: Results,
    setting: Mapping[str, object],
    *,
    absent: Mapping[str, str] | None = None,
) -> None:
    """Print the table and write `bench/results/<name>.json`.

    `setting` is what else the figures depend on, `absent` why a side was not measured, or not in each run.
    """
    absent = absent or {}
    print(f"{question}\n\n{table(results, absent)}")
    said = {
        "question": question,
        "machine": machine.facts(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": runs,
        "setting": dict(setting),
        "results": results,
        **({"absent": absent} if absent else {}),
    }
    RESULTS.mkdir(exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(said), indent=2)
    (RESULTS / f"{name}.json").write_bytes(encoded + b"\n")


def table(results: Results, absent: Mapping[str, str]) -> str:
    """One row a figure, one column a side; a last row says why sides are absent."""
    sides = dict.fromkeys([*results, *absent])
    results = {side: results.get(side, {}) for side in sides}
    names = dict.fromkeys(name for figures in results.values() for name in figures)
    rows = [["", *results], ["---"] * (len(results) + 1)]
    rows += [
        [name.replace("_", " "), *(str(figures.get(name, "")) for figures in results.values())] for name in names
    ]
    if absent:
        rows.append(["absent", *(" ".join(absent.get(side, "").replace("|", "/").split()) for side in results)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _short(value: float) -> float:
    """Four digits are more than any of these figures can be trusted with."""
    return float(f"{value:.4g}")
