"""What is recorded, with one value that is another: no reader breaks, of whatever place and kind the value is."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from shared.errors import BadRequest, UpstreamFailed
from tests.unit.translation.corpus import Case, cases
from web.translation import messages_chat
from web.translation.capabilities import Features

PAIR = "messages_chat"
ODD: tuple[Any, ...] = (None, True, -1, "odd", [], ["odd"], {}, {"odd": []}, [{"type": []}])


def spoilt(value: Any) -> Iterator[Any]:
    """The value again and again, each time with another of its parts replaced."""
    text = json.dumps(value)
    for path in _paths(value):
        for odd in ODD:
            copy = json.loads(text)
            part = copy
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = odd
            yield copy


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (key,)
        yield from ((key, *rest) for rest in _paths(value[key]))


def of(*functions: str) -> pytest.MarkDecorator:
    found = list(cases(PAIR, *functions))
    return pytest.mark.parametrize("case", [case for _, case in found], ids=[name for name, _ in found])


@of("to_chat", "from_chat")
def test_a_spoilt_request_is_translated_or_a_bad_request(case: Case) -> None:
    translate, features = getattr(messages_chat, case["function"]), Features(**case.get("features", {}))

    for request in spoilt(case["given"]):
        with suppress(BadRequest):
            translate(request, features)


@of("answer_to_chat")
def test_a_spoilt_message_is_translated_or_the_providers_fault(case: Case) -> None:
    for answer in spoilt(case["given"]):
        with suppress(UpstreamFailed):
            messages_chat.answer_to_chat(answer)


@of("answer_from_chat")
def test_a_spoilt_completion_is_translated_or_the_providers_fault(case: Case) -> None:
    for answer in spoilt(case["given"]):
        with suppress(UpstreamFailed):
            messages_chat.answer_from_chat(answer, {})


@of("StreamToChat", "StreamFromChat")
def test_a_spoilt_stream_is_passed_on_or_ends_in_an_error(case: Case) -> None:
    for events in spoilt(case["given"]):
        stream = getattr(messages_chat, case["function"])(case.get("request", {}))
        for event in events:
            if isinstance(event, dict | None):  # the reader of the stream hands on nothing else
                stream.event(None, event)
        stream.end()
