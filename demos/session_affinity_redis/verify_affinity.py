#!/usr/bin/env python3
"""Show that requests with one X-Model-Affinity header stay on one model, and that requests without it need not.

Exit code 0: every session was pinned. 1: one was not, or the gateway did not answer. Standard library only.
"""

import argparse
import http.client
import json
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

LIMIT_S = 120
LINE = "=" * 60
UNPINNED_REQUESTS = 3

# Quick and deep in turns: what the router says about each of them differs.
PROMPTS = [
    "Quick question: what is the capital of France?",
    "Give a complex analysis of the trade-offs between event sourcing and CRUD, in multi-step reasoning.",
    "A short factual answer, please: how many bits are in a byte?",
    "Weighing consistency against availability, analysis and reasoning first: which one fits a payment system?",
]


class Unreachable(Exception):
    """Nobody answers at the address."""


class Refused(Exception):
    """The gateway answered with something else than a completion."""


@dataclass(frozen=True)
class Answer:
    """Which model answered, and whether a standing pin decided that."""

    model: str
    pinned: bool


def main() -> int:
    """Run both phases; return the exit code."""
    asked = _arguments()
    print(f"Plano endpoint : {asked.url}")
    print(f"Sessions       : {asked.sessions}")
    print(f"Rounds/session : {asked.rounds}")
    try:
        _without_affinity(asked.url)
        sessions = _with_affinity(asked.url, asked.sessions, asked.rounds)
    except Unreachable as fault:
        print(f"Could not reach Plano at {asked.url}: {fault}", file=sys.stderr)
        return 1
    except Refused as fault:
        print(f"  FAIL  {fault}")
        return 1
    return _results(sessions)


def _without_affinity(url: str) -> None:
    _title(
        "Phase 1: Requests WITHOUT X-Model-Affinity header", "  (model may vary between requests — that is expected)"
    )
    models = set()
    for n in range(UNPINNED_REQUESTS):
        answer = _ask(url, PROMPTS[n % len(PROMPTS)])
        models.add(answer.model)
        print(f"  Request {n + 1}: model = {answer.model}")
    print(f"  Models seen across {UNPINNED_REQUESTS} requests: {_set(models)}")


def _with_affinity(url: str, sessions: int, rounds: int) -> dict[str, list[Answer]]:
    _title(
        "Phase 2: Requests WITH X-Model-Affinity (session pinning)",
        "  Each session should be pinned to exactly one model.",
    )
    seen: dict[str, list[Answer]] = {}
    for n in range(sessions):
        session = f"demo-session-{n + 1:03}"
        answers = seen.setdefault(session, [])
        print(f"\n  Session '{session}':")
        for turn in range(rounds):
            answer = _ask(url, PROMPTS[(n + turn) % len(PROMPTS)], session)
            answers.append(answer)
            print(f"    Round {turn + 1}: model = {answer.model}  [{_mark(turn, answer)}]")
    return seen


def _mark(turn: int, answer: Answer) -> str:
    if answer.pinned:
        return "PINNED"
    return "NOT PINNED" if turn else "FIRST — sets affinity"


def _results(sessions: dict[str, list[Answer]]) -> int:
    _title("Results")
    failed = 0
    for session, answers in sessions.items():
        models = {answer.model for answer in answers}
        loose = [str(n) for n, answer in enumerate(answers, start=1) if n > 1 and not answer.pinned]
        if len(models) == 1 and not loose:
            print(f"  PASS  {session} -> always routed to '{answers[0].model}'")
            continue
        failed += 1
        faults = [f"went to {_set(models)}"] if len(models) > 1 else []
        faults += [f"no pin decided round {', '.join(loose)}"] if loose else []
        print(f"  FAIL  {session} -> {'; '.join(faults)}")
    print()
    if failed:
        print(
            f"{failed} of {len(sessions)} sessions were not pinned. Does Redis run, and is session_cache.type redis?"
        )
        return 1
    print("All sessions were pinned consistently.")
    print("Redis session cache is working correctly.")
    return 0


def _ask(url: str, prompt: str, session: str | None = None) -> Answer:
    body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json"} | ({"X-Model-Affinity": session} if session else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:
            return Answer(json.load(response)["model"], response.headers.get("x-plano-pinned") == "true")
    except urllib.error.HTTPError as fault:
        said = fault.read(300).decode("utf-8", "replace").strip()
        raise Refused(f"the gateway answered {fault.code}: {said}") from None
    except (OSError, http.client.HTTPException) as fault:
        raise Unreachable(getattr(fault, "reason", fault)) from None
    except (ValueError, KeyError, TypeError):
        raise Refused("the gateway answered with something that is no completion") from None


def _title(*lines: str) -> None:
    print(f"\n{LINE}", *lines, LINE, sep="\n")


def _set(models: set[str]) -> str:
    """A set as Python shows it, its order fixed."""
    return f"{{{', '.join(map(repr, sorted(models)))}}}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--url",
        type=_endpoint,
        default="http://localhost:12000",
        help="the gateway, or its chat completions endpoint  [default: %(default)s]",
    )
    parser.add_argument(
        "--rounds", type=_at_least(2), default=4, help="requests in each session  [default: %(default)s]"
    )
    parser.add_argument("--sessions", type=_at_least(1), default=3, help="[default: %(default)s]")
    return parser.parse_args()


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as http://localhost:12000")
    return text if parts.path.strip("/") else f"{text.rstrip('/')}/v1/chat/completions"


def _at_least(lowest: int):  # noqa: ANN202 - argparse's own kind of function
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {lowest}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
