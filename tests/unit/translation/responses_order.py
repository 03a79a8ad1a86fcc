"""The order that every stream obeys, in the Responses API and in chat."""

from typing import Any

from tests.unit.translation.checking import Event
from tests.unit.translation.openai_types import check_chunk, check_event

_ENDS = ("response.completed", "response.incomplete", "response.failed")


def check_responses_stream(events: list[Event]) -> dict[str, Any]:
    """Checks types, numbers and order; returns the response that ends the stream."""
    told = [data for _, data in events if data is not None]
    assert [name for name, _ in events] == [data["type"] for data in told]
    assert [data["sequence_number"] for data in told] == list(range(len(told)))
    for data in told:
        check_event(data)
    kinds = [data["type"] for data in told]
    assert [kind for kind in kinds if kind in _ENDS] == kinds[-1:]
    response: dict[str, Any] = told[-1]["response"]
    if kinds[-1] != "response.failed":
        assert kinds[:2] == ["response.created", "response.in_progress"]
        assert [_item(told, index) for index in range(len(response["output"]))] == response["output"]
        _check_sequence(told[2:-1])
    return response


def _check_sequence(told: list[dict[str, Any]]) -> None:
    """One item after the other, each added once and done once."""
    current, expected = None, 0
    for data in told:
        if data["type"] == "response.output_item.added":
            assert current is None
            assert data["output_index"] == expected
            current, expected = data["output_index"], expected + 1
        assert data["output_index"] == current
        if data["type"] == "response.output_item.done":
            current = None
    assert current is None


def _item(told: list[dict[str, Any]], index: int) -> dict[str, Any]:
    """An item as its events tell it, which must agree among themselves."""
    own = [data for data in told if data.get("output_index") == index]
    item: dict[str, Any] = own[-1]["item"]
    assert own[0]["item"]["id"] == item["id"]
    assert all(data["item_id"] == item["id"] for data in own if "item_id" in data)
    deltas = "".join(data["delta"] for data in own if data["type"].endswith(".delta"))
    match item["type"]:
        case "message":
            part = item["content"][0]
            assert deltas == part.get("text", part.get("refusal"))
        case "reasoning":
            assert deltas == "".join(part["text"] for part in item["summary"])
        case "function_call":
            assert deltas == item["arguments"]
        case "custom_tool_call":
            assert deltas == item["input"]
    return item


def check_chat_stream(events: list[Event]) -> list[dict[str, Any]]:
    """Checks types and order; returns the chunks. An error may end the stream instead of `[DONE]`."""
    chunks = [data for _, data in events if data is not None]
    assert all(name is None for name, _ in events)
    if "error" in chunks[-1]:
        chunks.pop()
    else:
        assert [data for _, data in events].index(None) == len(events) - 1
        reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
        assert [reason for reason in reasons if reason] == reasons[-1:]
    for chunk in chunks:
        check_chunk(chunk)
    indexes = [call["index"] for chunk in chunks for call in calls_in(chunk) if "id" in call]
    assert indexes == list(range(len(indexes)))
    return chunks


def calls_in(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    """The pieces of calls in a chunk."""
    return [call for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())]


def joined(chunks: list[dict[str, Any]], field: str) -> str:
    """All of a field of the deltas."""
    return "".join(choice["delta"].get(field) or "" for chunk in chunks for choice in chunk["choices"])
