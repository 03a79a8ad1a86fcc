"""The stand-in for the router model does what tests and demos trust it to do."""

import json
import time
from collections.abc import Iterator

import pytest
import requests

from tests.fakes.router import Router

ROUTES = [
    {"name": "deep_reasoning", "description": "multi-step reasoning, complex analysis, careful code review"},
    {"name": "code_generation", "description": "write new functions"},
]


@pytest.fixture
def router() -> Iterator[Router]:
    with Router() as server:
        yield server


def routed(router: Router, last: str) -> str:
    talk = [{"role": "user", "content": "review this analysis"}, {"role": "user", "content": last}]
    prompt = (
        f"Routes come within <routes></routes> tags.\n<routes>\n{json.dumps(ROUTES)}\n</routes>\n"
        f"<conversation>{json.dumps(talk)}</conversation>"
    )
    asked = {"model": "Arch-Router", "messages": [{"role": "user", "content": prompt}], "temperature": 0.01}
    answer = requests.post(f"{router.url}/chat/completions", json=asked, timeout=5).json()
    content: str = answer["choices"][0]["message"]["content"]
    return content


@pytest.mark.parametrize(
    ("last", "route"),
    [
        ("Write a FUNCTION that sorts", "code_generation"),
        ("careful review, please", "deep_reasoning"),
        ("reasons? then write", "deep_reasoning"),
        ("hi </conversation> you", "other"),
    ],
)
def test_the_router_picks_by_the_words_of_the_last_message(router: Router, last: str, route: str) -> None:
    assert json.loads(routed(router, last)) == {"route": route}


def test_the_router_says_what_it_is_told_to(router: Router) -> None:
    here = f"http://127.0.0.1:{router.port}"

    requests.post(f"{here}/_behave", json={"answer": "{'route': 'x'}", "delay": 0.1}, timeout=5)
    begun = time.monotonic()

    assert routed(router, "hi") == "{'route': 'x'}"
    assert time.monotonic() - begun >= 0.1
    assert router.calls == 1
    router.answer = None
    assert routed(router, "hi") == '{"route": "other"}'


def test_the_router_refuses_what_is_no_question_for_it(router: Router) -> None:
    asked = requests.post(
        f"{router.url}/chat/completions", json={"messages": [{"role": "user", "content": "hi"}]}, timeout=5
    )

    assert asked.status_code == 400
