"""Runs coding agents against two gateways, one of which knows no sessions, and shows which model answered when."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from tests.fakes.agentic import Agentic
from tests.fakes.npm import AGENTS, RUN, Unavailable, environment, installed
from tests.fakes.ports import free_port
from tests.fakes.router import Router

HERE = Path(__file__).resolve().parent
TITLES = {"claude": "Claude Code", "codex": "Codex", "opencode": "opencode"}
MODEL = "anthropic/claude-sonnet-4-5"
"""What each agent is told to ask for."""
READY_WITHIN_S, RUNS_WITHIN_S, ENDS_WITHIN_S = 120.0, 300.0, 20.0


class DemoFailed(Exception):
    """What kept the demo from going on; it is printed."""


class InTurn(Router):
    """A router model that names the routes in turn; a real one may, too, as each turn of an agent is another text."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: Counter[str] = Counter()

    def route(self, routes: list[dict[str, Any]], conversation: list[dict[str, Any]]) -> str:
        """The next route for this conversation, which its first message tells from others."""
        first = str(conversation[0].get("content"))
        self._asked[first] += 1
        return str(routes[(self._asked[first] - 1) % len(routes)]["name"])

    def forget(self) -> None:
        """Begin anew with each conversation."""
        self._asked.clear()


class Stage:
    """The stand-ins, and gateways before them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.provider = stack.enter_context(Agentic())
        self._router = stack.enter_context(InTurn())
        self._folder = folder
        self._stack = stack

    def gateway(self, *, sessions: bool) -> str:
        """The address of one that has just been started; without `sessions` it takes nothing for a session."""
        config = (HERE / "config.yaml").read_text()
        if not sessions:
            config = config.replace("\nrouting:\n", "\nrouting:\n  sessions_from: []\n")
        port = free_port()
        home = self._folder / f"gateway-{port}"
        home.mkdir()
        (home / "config.yaml").write_text(config)
        stand_ins = {"PROVIDER_PORT": str(self.provider.port), "ROUTER_PORT": str(self._router.port)}
        command = [Path(sys.executable).with_name("plano"), "up", home / "config.yaml", "--port", str(port)]
        log = home / "log"
        with log.open("wb") as output:
            pool = subprocess.Popen(
                command, env={**os.environ, **stand_ins}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._stack.callback(_ended, pool)
        end = time.monotonic() + READY_WITHIN_S
        while "plano is ready" not in log.read_text():
            if pool.poll() is not None or time.monotonic() > end:
                raise DemoFailed(f"the gateway did not start: {log.read_text()[-500:]}")
            time.sleep(0.1)
        return f"http://127.0.0.1:{port}"

    def turns(self, agent: str, program: Path, gateway: str) -> list[str]:
        """Which model answered each turn of one run; raises DemoFailed when the run fails."""
        home = Path(tempfile.mkdtemp(dir=self._folder))
        connect = ("connect", agent, "--write", "--model", MODEL, "--url", gateway)
        _run([Path(sys.executable).with_name("plano"), *connect], home)
        self.provider.clear()
        self._router.forget()
        _run([program, *RUN[agent]], home)
        asked = [request.json for request in self.provider.requests if request.json]
        return [body["model"] for body in asked if body.get("tools")]  # a call for a title has none


def _run(command: list[str | Path], home: Path) -> None:
    work = home / "work"
    work.mkdir(exist_ok=True)
    try:
        done = subprocess.run(
            command, cwd=work, env=environment(home), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=RUNS_WITHIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"{Path(command[0]).name} did not end within {RUNS_WITHIN_S:.0f} s") from None
    if done.returncode:
        raise DemoFailed(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr)[-500:]}")


def _ended(pool: "subprocess.Popen[bytes]") -> None:
    pool.terminate()
    try:
        pool.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        pool.kill()
        pool.wait()


def switches(models: list[str]) -> int:
    """How many turns had another model than the turn before."""
    return sum(before != after for before, after in pairwise(models))


def show(without: list[str], pinned: list[str]) -> None:
    """Print both runs, a line a turn."""
    print(f"  {'turn':<6}{'without affinity':<34}with affinity")
    left, right = list(_cells(without)), list(_cells(pinned))
    for n in range(max(len(left), len(right))):
        one, other = (cells[n] if n < len(cells) else "" for cells in (left, right))
        print(f"  {n + 1:<6}{one:<34}{other}".rstrip())


def _cells(models: list[str]) -> Iterator[str]:
    for n, model in enumerate(models):
        yield f"{model:<20}{'← switched' if n and model != models[n - 1] else ''}".rstrip()


def programs(names: list[str]) -> Iterator[tuple[str, Path]]:
    """The agents that are installed or can be; the others are named with the reason."""
    for name in names:
        try:
            yield name, installed(name)
        except Unavailable as reason:
            print(f"{TITLES[name]}: left out, {reason}\n")


def main(names: list[str]) -> int:
    """0 when each agent that was there kept its model over all turns with affinity, and there was one."""
    kept: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="plano-demo-") as folder, contextlib.ExitStack() as stack:
        stage = Stage(Path(folder), stack)
        plain, gateway = stage.gateway(sessions=False), stage.gateway(sessions=True)
        for name, program in programs(names):
            print(f"{TITLES[name]} {AGENTS[name][1]}", flush=True)
            without, pinned = stage.turns(name, program, plain), stage.turns(name, program, gateway)
            show(without, pinned)
            held = bool(pinned) and not switches(pinned)
            mark, verdict = ("✓", f"{pinned[0]} held") if held else ("✗", "no model held")
            print(f"  ✗ without affinity: the model switched {switches(without)} times")
            print(f"  {mark} with affinity: {verdict} for all {len(pinned)} turns\n")
            kept.append(held)
    return 0 if kept and all(kept) else 1


def _stop(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agents", nargs="*", metavar="AGENT", help="of claude, codex and opencode  [default: all]")
    asked = parser.parse_args()
    unknown = [name for name in asked.agents if name not in AGENTS]
    if unknown:
        parser.error(f"{unknown[0]} is none of {', '.join(AGENTS)}")
    signal.signal(signal.SIGTERM, _stop)  # what was started ends with it
    try:
        sys.exit(main(asked.agents or [*AGENTS]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except DemoFailed as failure:
        sys.exit(f"demo.py: {failure}")
