"""What the router reads of a conversation (protocol, section 4)."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.conversation import MAX_TOKENS, Message, cut, estimate, read
from shared.errors import BadRequest

PARTS = [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {"url": "data:"}}]


def said(*turns: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in read(json.dumps(turns).encode())]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def of(tokens: int, role: str = "user", char: str = "x") -> Message:
    return Message(role, char * 4 * tokens)


def total(messages: list[Message]) -> int:
    return sum(estimate(message.content) for message in messages)


def test_what_user_and_assistant_said_is_read_oldest_first() -> None:
    assert said(user("a"), assistant("b"), user("c")) == [("user", "a"), ("assistant", "b"), ("user", "c")]


@pytest.mark.parametrize("role", ["system", "developer", "tool", "function", "User", ""])
def test_the_other_roles_are_left_out(role: str) -> None:
    assert said({"role": role, "content": "secret"}, user("a")) == [("user", "a")]


def test_tool_calls_are_left_out_and_the_text_beside_them_stays() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]

    assert said(user("a"), assistant(None, tool_calls=calls), assistant("b", tool_calls=calls)) == [
        ("user", "a"),
        ("assistant", "b"),
    ]


@pytest.mark.parametrize(
    "content", [None, "", " \n", [], [PARTS[1]], [{"type": "text", "text": ""}], 5, {"text": "b"}]
)
def test_messages_without_text_are_left_out(content: Any) -> None:
    """Whatever a provider makes of it, it is no reason to refuse the request."""
    assert said(user(content), {"role": "user"}, user("a")) == [("user", "a")]


def test_the_text_parts_of_a_list_count_joined_by_a_newline() -> None:
    assert said(user([*PARTS, {"type": "text", "text": "two"}, {"type": "text"}])) == [("user", "one\ntwo")]


def test_nothing_to_read_is_an_empty_conversation() -> None:
    assert said() == []
    assert said({"role": "system", "content": "a"}) == []


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"{}", "messages"),
        (b'"hi"', "messages"),
        (b"null", "messages"),
        (b"[", "messages"),
        (b"[5]", "messages[0]"),
        (b'[{"role":"user","content":"a"},"b"]', "messages[1]"),
        (b'[{"role":5}]', "messages[0]"),
        (b'[{"role":"\xff"}]', "messages[0]"),
        (b'[{"role":"user","content":"\xff"}]', "messages[0].content"),
        (b'[{"role":"user","content":' + b"[" * 9000 + b"]" * 9000 + b"}]", "messages"),
    ],
)
def test_what_is_no_conversation_is_refused_with_its_place(raw: bytes, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(raw)

    assert caught.value.param == place
    assert place in str(caught.value)


def test_never_more_than_the_last_16() -> None:
    """What is left out does not count as one of them."""
    turns = [user(str(n)) for n in range(20)]

    assert said(*turns, {"role": "tool", "content": "t"}) == [("user", str(n)) for n in range(4, 20)]
    assert [message.content for message in cut([Message("user", str(n)) for n in range(20)], 999)] == [
        str(n) for n in range(4, 20)
    ]


def test_what_fits_exactly_is_kept_whole() -> None:
    messages = [of(1000), of(1000, "assistant"), of(48)]

    assert cut(messages, MAX_TOKENS) == messages


def test_the_walk_goes_from_the_newest_back_and_stops_at_the_first_that_does_not_fit() -> None:
    """Nothing behind a gap is read, however small it is: it would be out of its context."""
    messages = [of(1), of(60, "assistant"), of(30), of(30, "assistant")]

    assert cut(messages, 100) == messages[2:]


def test_a_users_message_that_does_not_fit_is_kept_in_part() -> None:
    messages = [Message("user", "a" * 400 + "b" * 400), of(50, "assistant")]

    first, last = cut(messages, 100)

    assert first == Message("user", "a" * 98 + "… " + "b" * 98)
    assert last == messages[1]


def test_nothing_is_kept_in_part_when_no_room_is_left() -> None:
    assert cut([of(5), of(50)], 50) == [of(50)]


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_last_message_is_always_there(role: str) -> None:
    (kept,) = cut([of(10), of(500, role)], 100)

    assert kept == Message(role, "x" * 198 + "… " + "x" * 198)
    assert len(cut([of(10), of(500, role)], 0)) == 1


def test_what_is_left_out_is_the_middle() -> None:
    """What is asked stands at either end of a pasted text; a mark between them says that something is missing."""
    (kept,) = cut([Message("user", "Translate: " + "x" * 4000 + " into French")], 50)

    assert kept.content == "Translate: " + "x" * 87 + "… " + "x" * 86 + " into French"
    assert estimate(kept.content) == 50


def test_a_cut_never_breaks_a_character() -> None:
    (kept,) = cut([Message("user", "é🚀会" * 500)], 33)

    assert set(kept.content) == set("é🚀会… ")
    assert estimate(kept.content) <= 33


def test_a_last_message_of_two_megabytes_stays_small() -> None:
    (message,) = read(json.dumps([user("begin " + "x" * 2_000_000 + " end")]).encode())

    assert len(message.content) <= MAX_TOKENS * 4
    assert message.content.startswith("begin x")
    assert message.content.endswith("x end")


def test_tokens_are_a_quarter_of_the_bytes() -> None:
    assert [estimate(text) for text in ("", "abc", "abcd", "abcdefg", "éé", "🚀")] == [0, 0, 1, 1, 1, 1]


ROLES = st.sampled_from(["user", "assistant"])
CONVERSATIONS = st.lists(st.builds(Message, ROLES, st.text(max_size=80)), max_size=20)
ASCII = st.lists(st.builds(Message, ROLES, st.text(st.characters(codec="ascii"), max_size=80)), max_size=20)
quick = settings(deadline=None, database=None)


@quick
@given(CONVERSATIONS, st.integers(0, 200))
def test_a_cut_stays_within_its_budget_but_for_the_last_message(messages: list[Message], tokens: int) -> None:
    """And that one takes a single token when there is no room at all."""
    kept = cut(messages, tokens)

    assert total(kept) <= max(tokens, 1)
    assert len(kept) >= min(len(messages), 1)


@quick
@given(CONVERSATIONS, st.integers(0, 200))
def test_a_cut_keeps_the_newest_and_only_the_oldest_of_them_is_cut(messages: list[Message], tokens: int) -> None:
    kept = cut(messages, tokens)
    newest = messages[len(messages) - len(kept) :]

    assert [message.role for message in kept] == [message.role for message in newest]
    assert kept[1:] == newest[1:]


@quick
@given(CONVERSATIONS, st.integers(1, 200))
def test_cutting_twice_is_cutting_once(messages: list[Message], tokens: int) -> None:
    """The web side cuts before queueing, and the worker again for its prompt."""
    once = cut(messages, tokens)

    assert cut(once, tokens) == once


@quick
@given(ASCII, st.integers(1, 200), st.integers(0, 199))
def test_a_smaller_cut_of_a_cut_is_the_smaller_cut(messages: list[Message], tokens: int, less: int) -> None:
    """So what the router reads does not depend on where it was cut before; up to a split character, if not ASCII."""
    smaller = max(tokens - less, 1)

    assert cut(cut(messages, tokens), smaller) == cut(messages, smaller)
