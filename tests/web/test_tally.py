"""What answers took and used, on its way to the counters and to Redis."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from shared.domain.observed import Seen
from shared.domain.ranking import Price, Snapshot
from shared.errors import StoreDown
from web.rewrite import Rewriter
from web.tally import MOST_NAMES, Tally


class Counted:
    """Counters that can be read."""

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], dict[str, int]] = {}
        self.usd: dict[tuple[str, str], float] = {}

    def used(self, model: str, tenant: str, tokens: Mapping[str, int]) -> None:
        self.tokens[model, tenant] = dict(tokens)

    def spent(self, model: str, tenant: str, usd: float) -> None:
        self.usd[model, tenant] = usd


class Known:
    """Prices that stand."""

    def snapshot(self) -> Snapshot:
        return Snapshot(prices={"a/x": Price(2, 8, 0.5), "y": Price(3, 15)})


class Shared:
    """What the pool was told."""

    def __init__(self, *, away: bool = False) -> None:
        self.heard: list[dict[str, Seen]] = []
        self._away = away

    def add(self, seen: Mapping[str, Seen]) -> None:
        if self._away:
            raise StoreDown("away")
        self.heard.append(dict(seen))


def usage(prompt: Any, output: Any, cached: Any = None) -> msgspec.Raw:
    details = None if cached is None else {"cached_tokens": cached, "audio_tokens": 0}
    said = {"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": details, "odd": [1]}
    return msgspec.Raw(json.dumps(said).encode())


@pytest.fixture
def counted() -> Counted:
    return Counted()


def tally_of(counted: Counted, shared: Shared | None = None, **names: Sequence[str]) -> Tally:
    """One that passes on only what the test has it pass on."""
    tally = Tally(counted, Known(), shared, **names)
    tally._running = True
    return tally


@pytest.fixture
def tally(counted: Counted) -> Tally:
    return tally_of(counted, models=["a/x"], tenants=["team"])


def test_tokens_are_counted_by_kind_and_priced_each_by_its_own_price(tally: Tally, counted: Counted) -> None:
    for _ in range(2):
        tally.answered("a/x", "team", 0.1, usage(1000, 100, 600))

    tally.pass_on()

    assert counted.tokens == {("a/x", "team"): {"input": 800, "cached": 1200, "output": 200}}
    assert counted.usd == {("a/x", "team"): pytest.approx((800 * 2 + 1200 * 0.5 + 200 * 8) / 1e6)}


def test_cached_input_without_a_price_costs_what_input_does(tally: Tally, counted: Counted) -> None:
    """Found by its bare id, as the ranking finds it."""
    tally.answered("b/y", None, 0.1, usage(1000, 0, 600))

    tally.pass_on()

    assert counted.usd == {("b/y", ""): pytest.approx(1000 * 3 / 1e6)}


def test_tokens_of_a_model_without_a_price_are_counted_all_the_same(tally: Tally, counted: Counted) -> None:
    tally.answered("c/z", "team", 0.1, usage(7, 3))

    tally.pass_on()

    assert counted.tokens == {("c/z", "team"): {"input": 7, "cached": 0, "output": 3}}
    assert counted.usd == {}


def test_each_answer_is_counted_once(tally: Tally, counted: Counted) -> None:
    tally.answered("a/x", "team", 0.1, usage(7, 3))
    tally.pass_on()
    counted.tokens.clear()

    tally.pass_on()

    assert counted.tokens == {}


@pytest.mark.parametrize("said", [b"null", b"7", b"[]", b'"x"', b'{"prompt_tokens":-1}', b'{"prompt_tokens":"1"}'])
def test_what_is_no_usage_is_passed_over(tally: Tally, counted: Counted, said: bytes) -> None:
    tally.answered("a/x", "team", 0.1, msgspec.Raw(said))

    tally.pass_on()

    assert counted.tokens == {}


def test_more_cached_tokens_than_there_were_count_as_all(tally: Tally, counted: Counted) -> None:
    tally.answered("a/x", "team", 0.1, usage(10, None, 99))

    tally.pass_on()

    assert counted.tokens["a/x", "team"] == {"input": 0, "cached": 10, "output": 0}


def test_tenants_that_clients_name_are_counted_up_to_a_limit(tally: Tally, counted: Counted) -> None:
    """Each has counters of its own for as long as the process lives; the config's are always among them."""
    for n in range(MOST_NAMES + 50):
        tally.answered("a/x", f"tenant-{n}", 0.1, usage(1, 1))
    tally.answered("a/x", "team", 0.1, usage(1, 1))

    tally.pass_on()

    assert len(counted.tokens) == MOST_NAMES + 2
    assert counted.tokens["a/x", "other"]["input"] == 50
    assert counted.tokens["a/x", "team"]["input"] == 1


def test_models_that_clients_name_are_counted_up_to_a_limit(counted: Counted) -> None:
    shared = Shared()
    tally = tally_of(counted, shared)
    for n in range(MOST_NAMES + 50):
        tally.answered(f"wild/{n}", None, 0.1, usage(1, 1))

    tally.pass_on()

    assert len(counted.tokens) == MOST_NAMES + 1
    assert len(shared.heard[0]) == MOST_NAMES


def test_waits_are_collected_and_told_at_once(counted: Counted) -> None:
    shared = Shared()
    tally = tally_of(counted, shared)
    for model, waited_s in (("a/x", 0.25), ("b/y", 0.5), ("a/x", 0.75)):
        tally.answered(model, None, waited_s, None)

    tally.pass_on()
    tally.pass_on()

    assert shared.heard == [{"a/x": Seen(1.0, 2), "b/y": Seen(0.5, 1)}]


def test_a_redis_that_is_away_costs_what_was_seen_and_nothing_else(counted: Counted) -> None:
    tally = tally_of(counted, Shared(away=True))
    tally.answered("a/x", None, 0.1, usage(7, 3))

    tally.pass_on()

    assert counted.tokens == {("a/x", ""): {"input": 7, "cached": 0, "output": 3}}


def test_noting_an_answer_takes_less_than_ten_microseconds(counted: Counted) -> None:
    tally, said = tally_of(counted, Shared()), usage(1000, 100, 600)
    tally.answered("a/x", "team", 0.1, said)
    begin = time.thread_time()  # whoever else uses the processor does not count
    for _ in range(2000):
        tally.answered("a/x", "team", 0.1, said)

    assert (time.thread_time() - begin) / 2000 < 10e-6


@pytest.mark.parametrize(("model", "pinned"), [("a/x", False), (None, False), (None, True)])
def test_the_usage_of_a_whole_answer_is_found_whatever_is_rewritten(model: str | None, pinned: bool) -> None:
    rewriter = Rewriter(model, pinned=pinned)
    rewriter.whole(b'{"model":"x","usage":{"prompt_tokens":3}}')

    assert bytes(rewriter.usage or b"") == b'{"prompt_tokens":3}'


@pytest.mark.parametrize("model", ["a/x", None])
def test_of_a_stream_the_last_usage_counts(model: str | None) -> None:
    """Some providers send a running total with each chunk."""
    rewriter = Rewriter(model, pinned=False)
    lines = [b'data: {"model":"x","usage":%b}\n' % said for said in (b"null", b'{"a":1}', b'{"a":2}', b"null")]
    sent = [rewriter.line(line) for line in [*lines, b"data: [DONE]\n", b': "usage"\n']]

    assert bytes(rewriter.usage or b"") == b'{"a":2}'
    assert model or sent[:-2] == lines


def test_an_answer_without_usage_has_none() -> None:
    rewriter = Rewriter("a/x", pinned=False)
    rewriter.whole(b'{"model":"x"}')
    rewriter.line(b'data: {"model":"x"}\n')

    assert rewriter.usage is None
