"""How each API's `usage` is understood: every token once, by what it costs."""

import json
from typing import Any

import msgspec
import pytest

from shared.domain.money import Usage
from web.dialects import chat, messages, responses
from web.dialects.dialect import Dialect


def read(dialect: Dialect, **usage: Any) -> Usage | None:
    return dialect.read_usage(msgspec.Raw(json.dumps(usage).encode()))


def test_chat_counts_the_cache_among_the_prompt_and_reasoning_among_the_completion() -> None:
    usage = read(
        chat,
        prompt_tokens=1000,
        completion_tokens=50,
        total_tokens=1050,
        prompt_tokens_details={"cached_tokens": 600, "cache_write_tokens": 300},
        completion_tokens_details={"reasoning_tokens": 40},
    )

    assert usage == Usage(input=100, cached=600, cache_write_5m=300, output=50, reasoning=40)


def test_responses_says_the_same_in_other_words() -> None:
    usage = read(
        responses,
        input_tokens=1000,
        output_tokens=50,
        total_tokens=1050,
        input_tokens_details={"cached_tokens": 600, "cache_write_tokens": 300},
        output_tokens_details={"reasoning_tokens": 40},
    )

    assert usage == Usage(input=100, cached=600, cache_write_5m=300, output=50, reasoning=40)


def test_messages_counts_the_cache_beside_the_input() -> None:
    usage = read(
        messages,
        input_tokens=100,
        cache_read_input_tokens=600,
        cache_creation_input_tokens=300,
        cache_creation={"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        output_tokens=50,
        output_tokens_details={"thinking_tokens": 40},
    )

    assert usage == Usage(input=100, cached=600, cache_write_5m=100, cache_write_1h=200, output=50, reasoning=40)


@pytest.mark.parametrize("by_time", [None, {}, {"ephemeral_1h_input_tokens": 0}])
def test_what_is_written_for_no_time_that_is_said_is_written_for_five_minutes(by_time: Any) -> None:
    usage = read(messages, input_tokens=1, cache_creation_input_tokens=300, cache_creation=by_time)

    assert usage == Usage(input=1, cache_write_5m=300)


def test_reasoning_that_is_left_out_of_the_completion_is_in_the_total() -> None:
    """The figures are those of an answer of xAI, from vercel/ai#12425."""
    thought = {"reasoning_tokens": 386}

    usage = read(chat, prompt_tokens=12, completion_tokens=1, total_tokens=399, completion_tokens_details=thought)

    assert usage == Usage(input=12, output=387, reasoning=386)


def test_a_provider_cannot_say_more_of_the_cache_than_it_read() -> None:
    details = {"cached_tokens": 99, "cache_write_tokens": 99}

    assert read(chat, prompt_tokens=10, prompt_tokens_details=details) == Usage(cached=10)
