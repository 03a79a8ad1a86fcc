"""Cases of the shapes that clients and providers send, recorded: what each becomes on the other side."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.translation import openai_types, responses_order
from tests.unit.translation.checking import parsed
from web.translation import responses_chat
from web.translation.capabilities import Features

_FILES = sorted((Path(__file__).parents[2] / "corpus" / "responses_chat").glob("*.json"))
_FOLLOWS: dict[str, Any] = {
    "to_chat": partial(openai_types.check_chat_request, on_the_way=openai_types.ON_THE_WAY),
    "from_chat": openai_types.check_responses_request,
    "answer_to_chat": openai_types.check_completion,
    "answer_from_chat": openai_types.check_response,
    "StreamToChat": responses_order.check_chat_stream,
    "StreamFromChat": responses_order.check_responses_stream,
}
"""What the other side's own types and order say of what each function gives."""


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_a_recorded_case_becomes_what_is_written_beside_it(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))

    got = _translated(case)

    assert got == case["expected"]
    _FOLLOWS[case["function"]](got)


def test_the_corpus_has_cases_for_each_direction() -> None:
    functions = [json.loads(path.read_text("utf-8"))["function"] for path in _FILES]

    assert len(functions) >= 60
    assert set(functions) == _FOLLOWS.keys()


def _translated(case: dict[str, Any]) -> Any:
    function, given = getattr(responses_chat, case["function"]), case["given"]
    if case["function"] in {"to_chat", "from_chat"}:
        return function(given, Features(**case.get("features", {})))
    if case["function"] == "answer_to_chat":
        return function(given)
    if case["function"] == "answer_from_chat":
        return function(given, case["request"])
    stream = function(case["request"])
    out = [piece for name, data in given for piece in stream.event(name, data)]
    return [list(event) for event in parsed([*out, *stream.end()])]
