"""The working tree beside another commit, in one run: `python -m bench.compare --with HEAD~1`."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import load, machine, report, stage, trees
from bench.first_request import CONNECTIONS as AT_ONCE
from bench.first_request import FirstPool
from bench.latency import OneClient
from bench.pinned import measure
from bench.pinned_pool import CONNECTIONS, PinnedPool
from bench.report import Figures
from bench.stage import Stage
from tests.harness import ROOT

QUESTION = "How does the working tree compare with another commit, measured in turn?"
BEFORE, NOW, RATIO = "before", "now", "now / before"
ATTEMPTS = 3
"""A measurement with errors is made again; after so many the round does without it."""
FIRST_TIMES = 3
"""First requests are few, each taking the router's 100 ms: their loads last so many times as long."""

Found = dict[str, list[Figures]]
"""For each side what each round measured."""
Measure = Callable[[], Figures]


def main() -> None:
    """Measure and publish."""
    asked = _options()
    stage.end_at_sigterm()
    commits = {BEFORE: trees.commit(ROOT, asked.ref), NOW: trees.described(ROOT)}
    spoilt: Counter[str] = Counter()
    with trees.checkout(ROOT, asked.ref) as other, trees.snapshot(ROOT) as ours:
        parts = [_compared(question, {BEFORE: other, NOW: ours}, asked, spoilt) for question in asked.questions]
    found = {side: [_merged(each) for each in zip(*(part[side] for part in parts), strict=True)] for side in commits}
    found[RATIO] = list(map(ratios, found[BEFORE], found[NOW]))
    report.publish(
        "compare",
        QUESTION,
        asked.rounds,
        report.spreads(found),
        {**commits, "connections": CONNECTIONS, "seconds": asked.seconds},
        absent=absent(found, spoilt),
    )


def rounds(sides: Mapping[str, Measure], number: int) -> Found:
    """Each side in turn; every second round begins with the other side, so that drift cancels."""
    found: Found = {side: [] for side in sides}
    for n in range(number):
        for side in list(sides)[:: -1 if n % 2 else 1]:
            found[side].append(sides[side]())
        sys.stderr.write(f"round {n + 1} of {number} is done\n")
    return found


def persistent(measure: Measure, side: str, spoilt: Counter[str]) -> Figures:
    """What a measurement finds, made again while it fails, or nothing; `spoilt` counts a side's failures."""
    for _ in range(ATTEMPTS):
        try:
            return measure()
        except (load.Failed, AssertionError) as failed:  # the latter: a process was not ready in time
            spoilt[side] += 1
            sys.stderr.write(f"{side}: a measurement failed: {failed}\n")
    return {}


def ratios(before: Figures, now: Figures) -> Figures:
    """How many times the former value each figure is; what noise made 0 or less has no ratio."""
    return {name: now[name] / before[name] for name in now if now[name] > 0 and before.get(name, 0) > 0}


def absent(found: Found, spoilt: Mapping[str, int]) -> dict[str, str]:
    """For `report.publish`: how many measurements failed, and which figures have no ratio in each round."""
    failed = {side: f"{number} measurements failed" for side, number in spoilt.items()}
    number = len(found[RATIO])
    pairs = {name: sum(name in each for each in found[RATIO]) for each in found[NOW] for name in each}
    fewer = [f"{name} in {number - n} of {number} rounds" for name, n in pairs.items() if n < number]
    return failed | ({RATIO: ", ".join(fewer)} if fewer else {})


def _compared(question: str, folders: Mapping[str, Path], asked: argparse.Namespace, spoilt: Counter[str]) -> Found:
    """One question, with both pools standing all the while: rounds are short, so that a disturbance meets both."""
    with ExitStack() as standing:
        sides = {
            side: partial(persistent, _standing(standing, tree, question, asked), side, spoilt)
            for side, tree in folders.items()
        }
        return rounds(sides, asked.rounds)


def _standing(standing: ExitStack, tree: Path, question: str, asked: argparse.Namespace) -> Measure:
    """A pool of a tree, started for a question; what measures it."""
    limit_s = 240 + 30 * FIRST_TIMES * asked.seconds * asked.rounds
    built = standing.enter_context(stage.stage(limit_s=limit_s, tree=tree))
    with machine.on(stage.others()):
        measure = QUESTIONS[question](built, asked.seconds)
    return partial(_on_other_cores, measure)


def _on_other_cores(measure: Measure) -> Figures:
    with machine.on(stage.others()):
        return measure()


def _merged(parts: Iterable[Figures]) -> Figures:
    return {name: value for part in parts for name, value in part.items()}


def _pinned(built: Stage, seconds: int) -> Measure:
    pool = PinnedPool(built)
    pool.warm_up(stage.DECISION, stage.CHAT)

    def measured() -> Figures:
        decision, proxied = (measure(pool, path, seconds) for path in (stage.DECISION, stage.CHAT))
        return {
            "pinned_decisions_per_s": decision["requests_per_s"],
            "pinned_proxied_answers_per_s": proxied["requests_per_s"],
            "web_processor_ms_of_a_pinned_decision": decision["web_processor_ms_per_request"],
            "web_processor_ms_of_a_pinned_proxied_answer": proxied["web_processor_ms_per_request"],
            "web_share_of_its_core": proxied["web_share_of_its_core"],
            "redis_commands_of_a_pinned_decision": decision["redis_commands_per_request"],
            "redis_commands_of_a_pinned_proxied_answer": proxied["redis_commands_per_request"],
        }

    return measured


def _latency(built: Stage, seconds: int) -> Measure:
    one = OneClient(PinnedPool(built), seconds)

    def measured() -> Figures:
        one.direct()
        return {
            **_added("decision", one.added(stage.DECISION)),
            **_added("proxied_answer", one.added(stage.CHAT)),
        }

    return measured


def _first(built: Stage, seconds: int) -> Measure:
    pool = FirstPool(built, FIRST_TIMES * seconds)

    def measured() -> Figures:
        found: Figures = {}
        for n in AT_ONCE:
            pool.router_alone(n)
            found |= _added(f"first_request_{n}_at_once", pool.first(n))
        return found

    return measured


def _added(what: str, found: Figures) -> Figures:
    return {f"{what}_{name}": found[name] for name in ("added_p50_ms", "added_p99_ms")}


QUESTIONS: dict[str, Callable[[Stage, int], Measure]] = {"pinned": _pinned, "latency": _latency, "first": _first}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--with", dest="ref", required=True, help="the other commit, such as HEAD~1")
    parser.add_argument("--rounds", type=int, default=15, help="of each side (%(default)s)")
    parser.add_argument("--seconds", type=int, default=1, help="each load takes (%(default)s)")
    parser.add_argument(
        "--questions",
        type=_questions,
        default=list(QUESTIONS),
        metavar=",".join(QUESTIONS),
        help="which of them; all unless told",
    )
    return parser.parse_args()


def _questions(said: str) -> list[str]:
    names = said.split(",")
    if not set(names) <= set(QUESTIONS):
        raise argparse.ArgumentTypeError(f"{said}: known are {', '.join(QUESTIONS)}")
    return names


if __name__ == "__main__":
    main()
