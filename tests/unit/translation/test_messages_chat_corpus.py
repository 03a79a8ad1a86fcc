"""Messages ⇄ chat on cases of recorded shape; whatever comes out is checked by the vendors' own types."""

from typing import Any

import pytest

from shared.errors import BadRequest
from tests.unit.translation import anthropic_types, openai_types
from tests.unit.translation.checking import parsed
from tests.unit.translation.corpus import Case, cases, folder
from web.translation import messages_chat
from web.translation.capabilities import Features
from web.translation.untranslatable import Untranslatable

PAIR = "messages_chat"


def of(*functions: str) -> pytest.MarkDecorator:
    found = list(cases(PAIR, *functions))
    return pytest.mark.parametrize("case", [case for _, case in found], ids=[name for name, _ in found])


def dated(value: Any) -> Any:
    """The same, made at no time."""
    if isinstance(value, dict):
        return {name: 0 if name == "created" else dated(each) for name, each in value.items()}
    return [dated(each) for each in value] if isinstance(value, list) else value


def test_there_are_enough_cases() -> None:
    assert len(list(folder(PAIR).glob("*.json"))) >= 60


@of("to_chat", "from_chat")
def test_a_request(case: Case) -> None:
    translate = getattr(messages_chat, case["function"])
    features = Features(**case.get("features", {}))
    if "expected" not in case:
        _refuses(translate, case, features)
        return

    translated = translate(case["given"], features)

    assert translated == case["expected"]
    if not features.file_urls:  # else it is no chat yet, but goes on to another API
        _check_request(case["function"], translated)


def _refuses(translate: Any, case: Case, features: Features) -> None:
    expected = case.get("refused") or case["malformed"]
    with pytest.raises(Untranslatable if "refused" in case else BadRequest) as refused:
        translate(case["given"], features)
    assert {"param": refused.value.param, "message": str(refused.value)} == expected


def _check_request(function: str, body: dict[str, Any]) -> None:
    if function == "to_chat":
        openai_types.check_chat_request(body)
    else:
        anthropic_types.check_messages_request(body)


@of("answer_to_chat")
def test_an_answer_for_a_chat_client(case: Case) -> None:
    translated = messages_chat.answer_to_chat(case["given"])

    assert dated(translated) == case["expected"]
    openai_types.check_completion(translated)


@of("answer_from_chat")
def test_an_answer_for_a_messages_client(case: Case) -> None:
    translated = messages_chat.answer_from_chat(case["given"], case.get("request", {}))

    assert translated == case["expected"]
    anthropic_types.check_message(translated)


@of("StreamToChat")
def test_a_stream_for_a_chat_client(case: Case) -> None:
    stream = messages_chat.StreamToChat(case.get("request", {}))

    pieces = [piece for event in case["given"] for piece in stream.event(event["type"], event)] + stream.end()
    chunks = [data for _, data in parsed(pieces)]

    assert dated(chunks) == case["expected"]
    for chunk in chunks:
        if chunk is not None and "error" not in chunk:
            openai_types.check_chunk(chunk)


@of("StreamFromChat")
def test_a_stream_for_a_messages_client(case: Case) -> None:
    stream = messages_chat.StreamFromChat(case.get("request", {}))

    pieces = [piece for chunk in case["given"] for piece in stream.event(None, chunk)] + stream.end()
    events = parsed(pieces)

    assert [data for _, data in events] == case["expected"]
    for name, data in events:
        assert data is not None
        assert name == data["type"]
        anthropic_types.check_message_event(data)
