"""The stand-in's prompt cache is honest: nothing is cached that was not sent to that model within the window."""

from typing import Any

import pytest
import requests

from tests.fakes.metered import Metered
from tests.fakes.prompt_cache import Block, Counts, PromptCache, blocks_of

LONG = b"x" * 4 * 2000
HOUR_S = 3600


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> PromptCache:
    return PromptCache(clock)


def sent(cache: PromptCache, model: str, *blocks: Block, marked: bool = False) -> Counts:
    counts = cache.count(model, blocks, marked=marked)
    cache.keep(model, blocks, marked=marked)
    return counts


A, B, C, OTHER = Block(LONG), Block(LONG + b"b"), Block(LONG + b"c"), Block(LONG + b"d")
TOKENS = A.tokens


def test_the_first_request_finds_nothing_and_the_next_one_its_prefix(cache: PromptCache) -> None:
    assert sent(cache, "m", A, B) == Counts(input=2 * TOKENS)
    assert sent(cache, "m", A, B, C) == Counts(input=TOKENS, cached=2 * TOKENS)


def test_another_model_has_a_cache_of_its_own(cache: PromptCache) -> None:
    sent(cache, "m", A, B)

    assert sent(cache, "n", A, B) == Counts(input=2 * TOKENS)


def test_a_prefix_counts_up_to_the_first_difference(cache: PromptCache) -> None:
    sent(cache, "m", A, B, C)

    assert sent(cache, "m", A, OTHER, C) == Counts(input=2 * TOKENS, cached=TOKENS)
    assert sent(cache, "m", OTHER, A, B) == Counts(input=3 * TOKENS)


def test_a_window_ends_unless_it_is_renewed(cache: PromptCache, clock: Clock) -> None:
    sent(cache, "m", A)
    clock.now += 299
    assert sent(cache, "m", A).cached == TOKENS
    clock.now += 299
    assert sent(cache, "m", A).cached == TOKENS
    clock.now += 301

    assert sent(cache, "m", A).cached == 0


def test_what_is_only_looked_at_is_not_cached(cache: PromptCache) -> None:
    cache.count("m", [A], marked=False)

    assert cache.count("m", [A], marked=False).cached == 0


def test_a_short_prefix_is_not_cached(cache: PromptCache) -> None:
    short = Block(b"y" * 4 * 500)
    sent(cache, "m", short)

    assert sent(cache, "m", short).cached == 0


def test_with_marks_only_marked_prefixes_are_written_and_read(cache: PromptCache) -> None:
    marked = Block(LONG, "5m")

    assert sent(cache, "m", A, marked=True) == Counts(input=TOKENS)
    assert sent(cache, "m", marked, B, marked=True) == Counts(input=TOKENS, written_5m=TOKENS)
    assert sent(cache, "m", A, B, C, marked=True) == Counts(input=2 * TOKENS, cached=TOKENS)
    assert sent(cache, "m", A, B, marked=True) == Counts(input=TOKENS, cached=TOKENS)


def test_a_mark_may_hold_for_an_hour(cache: PromptCache, clock: Clock) -> None:
    marked = Block(LONG, "1h")

    assert sent(cache, "m", marked, marked=True) == Counts(written_1h=TOKENS)
    clock.now += HOUR_S - 1
    assert sent(cache, "m", marked, marked=True) == Counts(cached=TOKENS)


@pytest.mark.parametrize(
    ("api", "asked", "count"),
    [
        ("chat", {"tools": [{"a": 1}], "messages": [{"role": "user", "content": "a"}]}, 2),
        ("responses", {"instructions": "a", "input": "b"}, 2),
        ("responses", {"input": [{"role": "user", "content": "a"}, {"type": "function_call"}]}, 2),
        ("messages", {"system": "a", "messages": [{"role": "user", "content": "b"}]}, 2),
        (
            "messages",
            {
                "system": [{"type": "text", "text": "a"}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text"}]}],
            },
            3,
        ),
    ],
)
def test_a_request_comes_in_pieces_in_the_order_of_reading(api: str, asked: dict[str, Any], count: int) -> None:
    assert len(blocks_of(api, asked)) == count


def test_a_mark_does_not_change_what_is_cached() -> None:
    plain, marked = ({"messages": [{"role": "user", "content": [{"type": "text", **more}]}]} for more in MARKS)

    (before,), (after,) = blocks_of("messages", plain), blocks_of("messages", marked)

    assert (before.content, before.mark, after.mark) == (after.content, None, "1h")


MARKS: tuple[dict[str, Any], ...] = ({}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}})


def asked(*said: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in said], **more}


def json_from(url: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = requests.post(url, json=body, timeout=10).json()
    return answer


def test_a_bill_is_what_the_answers_said_by_the_list() -> None:
    with Metered() as provider:
        provider.prices = {"p/m": {"input": 2, "output": 10, "cache_read": 0.5}}
        url = f"{provider.url}/chat/completions"
        first = json_from(url, asked("x" * 8000))["usage"]
        second = json_from(url, asked("x" * 8000, "y"))["usage"]
        bill = provider.bill()

    cached = second["prompt_tokens_details"]["cached_tokens"]
    fresh = first["prompt_tokens"] + second["prompt_tokens"] - cached
    wrote = first["completion_tokens"] + second["completion_tokens"]
    assert cached == first["prompt_tokens"]
    assert float(bill["usd"]) == pytest.approx((fresh * 2 + cached * 0.5 + wrote * 10) / 1e6)
    assert bill["models"]["m"]["cache_read"] == cached


def test_an_answer_that_went_wrong_is_neither_billed_nor_cached() -> None:
    with Metered() as provider:
        provider.prices = {"p/m": {"input": 2, "output": 10}}
        url = f"{provider.url}/chat/completions"
        provider.behave("status", code=503, times=1)
        json_from(url, asked("x" * 8000))

        usage = json_from(url, asked("x" * 8000))["usage"]
        bill = provider.bill()

    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert bill["models"]["m"]["input"] == usage["prompt_tokens"]
