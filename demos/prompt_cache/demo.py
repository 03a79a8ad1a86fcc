"""An agent of 20 turns, three times: each turn routed by itself, in one session, and in a session that has to move.

Its provider is a stand-in that simulates prompt caches and sends a bill. The bill is compared with what the gateway
says: in the header of each answer, and by `plano savings`.
"""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import requests
import yaml

HERE = Path(__file__).parent
GATEWAY = f"http://localhost:{os.environ['PORT']}"
PROVIDER = f"http://127.0.0.1:{os.environ['PROVIDER_PORT']}"
ASKED_FOR = "anthropic/claude-sonnet-4-5"
TURNS = 20
MOVES_IN_TURN = 12
LIMIT_S = 60.0
A_CENT = 0.01
ALL_IS_IN = 0.0001
PRICED_IN_A_ROW = 16

SYSTEM = "You are an engineer who reads the files that you are shown before you say anything. " * 150
FILE = "    total = total + price_of(item) * item.quantity  # line {n} of module {turn}\n"
LINES = 60
TASKS = (
    "Analyse the requirements of this module, and weigh the trade-offs.",
    "Write code: a script with the queries that this module needs.",
)


class DemoFailed(Exception):
    """What kept the demo from going on; it is printed."""


class Run(NamedTuple):
    """One run of the agent, and what each side says that it cost."""

    name: str
    tenant: str
    billed: float
    said: float
    models: list[str]


def main() -> int:
    """0 when the gateway's figures are the provider's, to the cent."""
    prices = yaml.safe_load((HERE / "prices.yaml").read_text())
    tell("/_behave", {"prices": prices})
    wait_for_prices()
    runs = [
        run("each turn by itself", "alone", session=None),
        run("one session", "session", session=str(uuid.uuid4())),
        run("one session, an outage", "outage", session=str(uuid.uuid4()), fails=True),
    ]
    savings = saved(runs)
    show(runs, savings)
    alone, kept_model, moved = runs
    print(f"\nThe session costs {1 - kept_model.billed / alone.billed:.0%} less than the same turns by themselves.")
    more = moved.billed - kept_model.billed
    print(f"The outage made it {more:.4f} dearer; the gateway counted {savings[moved.tenant][2]:.4f} as lost.")
    same = all(
        abs(each.billed - figure) < A_CENT / 2 for each in runs for figure in (each.said, savings[each.tenant][0])
    )
    print("Gateway and provider agree to the cent." if same else "Gateway and provider do NOT agree.")
    return 0 if same else 1


def show(runs: list[Run], savings: dict[str, tuple[float, ...]]) -> None:
    """Print a line a run."""
    print(f"An agent of {TURNS} turns, by two models of the same price; US$\n")
    print(f"{'':<24} turns by  provider's  gateway's  plano savings")
    print(f"{'':<24} model     bill        headers    cost    kept    lost")
    for each in runs:
        turns = "+".join(str(each.models.count(name)) for name in dict.fromkeys(each.models))
        amounts = "  ".join(f"{usd:.4f}" for usd in savings[each.tenant])
        print(f"{each.name:<24} {turns:<8}  {each.billed:<10.4f}  {each.said:<9.4f}  {amounts}")


def run(name: str, tenant: str, *, session: str | None, fails: bool = False) -> Run:
    """The agent's turns, from a cold cache on; with `fails`, the session's model does so once."""
    tell("/_clear", {})
    headers = {"X-Model-Affinity": session} if session else {}
    messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]
    models: list[str] = []
    said = 0.0
    for turn in range(1, TURNS + 1):
        if fails and turn == MOVES_IN_TURN:
            tell("/_behave", {"kind": "status", "model": models[-1].partition("/")[2], "code": 503, "times": 1})
        shown = "".join(FILE.format(n=n, turn=turn) for n in range(LINES))
        messages.append({"role": "user", "content": f"{TASKS[(turn - 1) % len(TASKS)]}\n{shown}"})
        answer = asked(messages, tenant, headers)
        messages.append({"role": "assistant", "content": answer.json()["choices"][0]["message"]["content"]})
        models.append(answer.headers["x-plano-model"])
        said += float(answer.headers["x-plano-cost-usd"])
    billed = requests.get(f"{PROVIDER}/_bill", timeout=LIMIT_S).json()["usd"]
    return Run(name, tenant, float(billed), said, models)


def asked(messages: list[dict[str, Any]], tenant: str, headers: dict[str, str]) -> requests.Response:
    """The gateway's answer; raises DemoFailed."""
    body = {"model": ASKED_FOR, "messages": messages}
    headers = {**headers, "Authorization": f"Bearer dk-{tenant}"}
    answer = requests.post(f"{GATEWAY}/v1/chat/completions", json=body, headers=headers, timeout=LIMIT_S)
    if not answer.ok:
        raise DemoFailed(f"the gateway answered {answer.status_code}: {answer.text}")
    return answer


def wait_for_prices() -> None:
    """Return when every process of the gateway prices its answers: each looks for prices once a second."""
    end = time.monotonic() + LIMIT_S
    in_a_row = 0
    while in_a_row < PRICED_IN_A_ROW:
        if time.monotonic() > end:
            raise DemoFailed("the gateway knows no prices")
        priced = "x-plano-cost-usd" in asked([{"role": "user", "content": "hello"}], "nobody", {}).headers
        in_a_row = in_a_row + 1 if priced else 0
        time.sleep(0.25)


def saved(runs: list[Run]) -> dict[str, tuple[float, ...]]:
    """What `plano savings` says of each run, once all is in it: the gateway tells Redis once a second."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        shown = subprocess.run(
            ["plano", "savings", str(HERE / "config.yaml"), "--by", "tenant"],
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split() for line in shown.stdout.splitlines()[3:]]
        figures = {tenant: tuple(map(float, amounts)) for tenant, *amounts in rows}
        if all(abs(figures.get(each.tenant, (0.0,))[0] - each.said) < ALL_IS_IN for each in runs):
            return figures
        time.sleep(0.5)
    raise DemoFailed(f"plano savings does not come to what the answers said: {shown.stdout}")


def tell(path: str, what: dict[str, Any]) -> None:
    """Tell the stand-in something."""
    requests.post(f"{PROVIDER}{path}", json=what, timeout=LIMIT_S).raise_for_status()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DemoFailed, requests.RequestException, subprocess.CalledProcessError) as failure:
        sys.exit(f"demo.py: {failure}")
