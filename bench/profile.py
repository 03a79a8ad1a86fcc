"""Where web's processor time goes on the pinned path: `python -m bench.profile`, with py-spy's samples."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench import load, machine, report, stage
from bench.pinned_pool import CONNECTIONS, PinnedPool
from bench.report import Figures

QUESTION = "Where does the processor time of web go while it serves pinned sessions, in percent of all samples?"
SAMPLES_PER_S = 400

PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("writing_to_the_client", ("Client.sendall",)),
    ("writing_to_the_provider", ("send (gevent/_socketcommon.py", "Upstream._exchange")),
    ("reading_the_provider", ("HTTPSocketPoolResponse.__init__", "_Parser.some")),
    ("rest_of_the_relay", ("web/proxy/", "web/dialects/chat.py")),
    ("redis", ("shared/store/",)),
    ("rest_of_affinity", ("shared/routing/",)),
    ("reading_the_request_body", ("web/api/reading/client_request.py", "web/dialects/fields/body.py")),
    ("views_and_the_like", ("web/api/", "web/ops/")),
    ("flask_and_werkzeug", ("flask/", "werkzeug/")),
    ("gunicorn_parsing_heads", ("Parser.__next__",)),
    ("rest_of_gunicorn", ("gunicorn/", "web/server/")),
    ("event_loop", ("gevent/",)),
)
"""A sample belongs to the first part of which its stack holds a function; of the second part, both."""


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=4)
    with stage.stage(limit_s=60 + 20 * asked.runs * asked.seconds) as built, machine.on(stage.others()):
        pool = PinnedPool(built)
        pool.warm_up(stage.DECISION, stage.CHAT)
        sides = {
            "decision": lambda: _sampled(pool, stage.DECISION, asked.seconds, built.folder),
            "proxied": lambda: _sampled(pool, stage.CHAT, asked.seconds, built.folder),
        }
        results = report.interleaved(sides, asked.runs)
    report.publish("profile", QUESTION, asked.runs, results, {"connections": CONNECTIONS, "seconds": asked.seconds})


def shares(stacks: Iterable[str]) -> Figures:
    """The share of each part, in percent; `stacks` as py-spy writes them: `frame;frame;frame count`."""
    counts: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        counts[_part(stack)] += int(count)
    every = sum(counts.values()) or 1
    names = [name for name, _ in PARTS] + ["other"]
    return {name: 100 * counts[name] / every for name in names}


def _part(stack: str) -> str:
    for name, marks in PARTS:
        fits = all if name == "writing_to_the_provider" else any
        if fits(mark in stack for mark in marks):
            return name
    return "other"


def _sampled(pool: PinnedPool, path: str, seconds: int, folder: Path) -> Figures:
    """One load, looked at from outside all the while."""
    serving = machine.tree(pool.web.pid)[-1]  # gunicorn's other process only starts it
    found = folder / "stacks.txt"
    spy = subprocess.Popen(
        [
            *(Path(sys.executable).with_name("py-spy"), "record", "--format", "raw", "--output", found),
            *("--rate", str(SAMPLES_PER_S), "--duration", str(seconds), "--pid", str(serving)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    pool.ask(path, seconds + 1)
    said = spy.communicate(timeout=30)[0]
    if spy.returncode:
        raise load.Failed(f"py-spy could not look into the process: {said[-300:]}")
    return shares(found.read_text().splitlines())


if __name__ == "__main__":
    main()
