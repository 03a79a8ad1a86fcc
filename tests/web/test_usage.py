"""What answers took and used, on its way to the counters and to Redis."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.domain.latency import Sample
from shared.domain.money import Prices, Usage
from shared.domain.money.accounts import Account, Amounts
from shared.domain.ranking import Snapshot
from shared.errors import StoreDown
from shared.memory.pool_stats import MemoryStats
from web.dialects import chat
from web.dialects.chat import ChatReader
from web.ops.pool.stats import PoolStats
from web.ops.savings import Ledger, Savings
from web.ops.usage import MOST_NAMES, UsageRecorder


class Counted:
    """Counters that can be read."""

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], dict[str, int]] = {}
        self.usd: dict[tuple[str, str], float] = {}
        self.reasoning: list[str] = []
        self.saved: dict[tuple[str, str], float] = {}
        self.gone: dict[str, float] = {}
        self.dropped = 0

    def used(self, model: str, tenant: str, tokens: Mapping[str, int]) -> None:
        counted = self.tokens.setdefault((model, tenant), {})
        counted |= {kind: counted.get(kind, 0) + count for kind, count in tokens.items() if count}

    def spent(self, model: str, tenant: str, usd: float) -> None:
        self.usd[model, tenant] = self.usd.get((model, tenant), 0) + usd

    def kept(self, model: str, tenant: str, usd: float) -> None:
        self.saved[model, tenant] = self.saved.get((model, tenant), 0) + usd

    def lost(self, reason: str, usd: float) -> None:
        self.gone[reason] = self.gone.get(reason, 0) + usd

    def unsaved(self) -> None:
        self.dropped += 1

    def first_byte(self, model: str, seconds: float) -> None:
        pass

    def failed(self, model: str, outcome: str) -> None:
        pass

    def reasoning_dropped(self, model: str) -> None:
        self.reasoning.append(f"dropped {model}")

    def pin_broken(self, model: str) -> None:
        self.reasoning.append(f"unread {model}")


class Known:
    """Prices that stand."""

    def snapshot(self) -> Snapshot:
        return Snapshot(prices={"a/x": Prices(2, 8, 0.5, 2.5), "y": Prices(3, 15)})


class Shared:
    """What the pool was told."""

    def __init__(self, *, away: bool = False) -> None:
        self.heard: list[dict[str, Sample]] = []
        self._away = away

    def add(self, samples: Mapping[str, Sample]) -> None:
        if self._away:
            raise StoreDown("away")
        self.heard.append(dict(samples))


class Hours:
    """What the pool was told that answers cost."""

    def __init__(self) -> None:
        self.sums: dict[Account, Amounts] = {}

    def add(self, hour: int, sums: Mapping[Account, Amounts]) -> None:  # noqa: ARG002 - one is enough
        self.sums |= sums


def usage(prompt: Any, output: Any, cached: Any = None) -> Usage | None:
    details = None if cached is None else {"cached_tokens": cached, "audio_tokens": 0}
    said = {"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": details, "odd": [1]}
    return chat.read_usage(msgspec.Raw(json.dumps(said).encode()))


@pytest.fixture
def counted() -> Counted:
    return Counted()


def recorder_of(
    counted: Counted, shared: Shared | None = None, ledger: Ledger | None = None, **names: Any
) -> UsageRecorder:
    """One that publishes when the test says so."""
    return UsageRecorder(counted, Known(), shared, Savings(counted, ledger, PoolStats(MemoryStats())), **names)


@pytest.fixture
def recorder(counted: Counted) -> UsageRecorder:
    return recorder_of(counted, models=["a/x"], tenants=["team"])


def test_tokens_are_counted_by_kind_and_priced_by_kind(recorder: UsageRecorder, counted: Counted) -> None:
    for _ in range(2):
        recorder.answered(Account("team", "a/x", ""), 0.1, usage(1000, 100, 600))

    recorder.publish()

    assert counted.tokens == {("a/x", "team"): {"input": 800, "cached": 1200, "output": 200}}
    assert counted.usd == {("a/x", "team"): pytest.approx((800 * 2 + 1200 * 0.5 + 200 * 8) / 1e6)}


def test_cached_input_without_a_price_costs_what_input_does(recorder: UsageRecorder, counted: Counted) -> None:
    """Found by its bare id, as the ranking finds it."""
    recorder.answered(Account("", "b/y", ""), 0.1, usage(1000, 0, 600))

    recorder.publish()

    assert counted.usd == {("b/y", ""): pytest.approx(1000 * 3 / 1e6)}


def test_tokens_of_a_model_without_a_price_are_counted_too(recorder: UsageRecorder, counted: Counted) -> None:
    recorder.answered(Account("team", "c/z", ""), 0.1, usage(7, 3))

    recorder.publish()

    assert counted.tokens == {("c/z", "team"): {"input": 7, "output": 3}}
    assert counted.usd == {}


def test_each_answer_is_counted_once(recorder: UsageRecorder, counted: Counted) -> None:
    recorder.answered(Account("team", "a/x", ""), 0.1, usage(7, 3))
    recorder.publish()
    counted.tokens.clear()

    recorder.publish()

    assert counted.tokens == {}


@pytest.mark.parametrize("said", [b"null", b"7", b"[]", b'"x"', b'{"prompt_tokens":-1}', b'{"prompt_tokens":"1"}'])
def test_what_is_no_usage_is_passed_over(recorder: UsageRecorder, counted: Counted, said: bytes) -> None:
    recorder.answered(Account("team", "a/x", ""), 0.1, chat.read_usage(msgspec.Raw(said)))

    recorder.publish()

    assert counted.tokens == {}


def test_more_cached_tokens_than_there_were_count_as_all(recorder: UsageRecorder, counted: Counted) -> None:
    recorder.answered(Account("team", "a/x", ""), 0.1, usage(10, None, 99))

    recorder.publish()

    assert counted.tokens["a/x", "team"] == {"cached": 10}


def test_tenants_that_clients_name_are_counted_up_to_a_limit(recorder: UsageRecorder, counted: Counted) -> None:
    """Each has counters of its own for as long as the process lives; the config's are always among them."""
    for n in range(MOST_NAMES + 50):
        recorder.answered(Account(f"tenant-{n}", "a/x", ""), 0.1, usage(1, 1))
    recorder.answered(Account("team", "a/x", ""), 0.1, usage(1, 1))

    recorder.publish()

    assert len(counted.tokens) == MOST_NAMES + 2
    assert counted.tokens["a/x", "other"]["input"] == 50
    assert counted.tokens["a/x", "team"]["input"] == 1


def test_models_that_clients_name_are_counted_up_to_a_limit(counted: Counted) -> None:
    shared = Shared()
    recorder = recorder_of(counted, shared)
    for n in range(MOST_NAMES + 50):
        recorder.answered(Account("", f"wild/{n}", ""), 0.1, usage(1, 1))

    recorder.publish()

    assert len(counted.tokens) == MOST_NAMES + 1
    assert len(shared.heard[0]) == MOST_NAMES


def test_models_past_the_limit_are_priced_by_themselves_and_counted_together(counted: Counted) -> None:
    ledger = Hours()
    recorder = recorder_of(counted, ledger=ledger)
    for n in range(MOST_NAMES):
        recorder.answered(Account("", f"wild/{n}", ""), 0.1, usage(1, 1))
    for model in ("a/x", "b/y", "wild/unpriced"):
        recorder.answered(Account("team", model, ""), 0.1, usage(1000, 100))

    recorder.publish()

    usd = (1000 * 2 + 100 * 8 + 1000 * 3 + 100 * 15) / 1e6
    assert counted.tokens["other", "team"] == {"input": 3000, "output": 300}
    assert counted.usd == {("other", "team"): pytest.approx(usd)}
    assert ledger.sums[Account("team", "other", "")].cost == pytest.approx(usd)


def test_waits_are_collected_and_told_at_once(counted: Counted) -> None:
    shared = Shared()
    recorder = recorder_of(counted, shared)
    for model, waited_s in (("a/x", 0.25), ("b/y", 0.5), ("a/x", 0.75)):
        recorder.answered(Account("", model, ""), waited_s, None)

    recorder.publish()
    recorder.publish()

    assert shared.heard == [{"a/x": Sample(1.0, 2), "b/y": Sample(0.5, 1)}]


def test_a_redis_that_is_away_costs_what_was_seen_and_nothing_else(counted: Counted) -> None:
    recorder = recorder_of(counted, Shared(away=True))
    recorder.answered(Account("", "a/x", ""), 0.1, usage(7, 3))

    recorder.publish()

    assert counted.tokens == {("a/x", ""): {"input": 7, "output": 3}}


@pytest.mark.parametrize(("model", "pinned"), [("a/x", False), (None, False), (None, True)])
def test_the_usage_of_a_whole_answer_is_found_whatever_is_rewritten(model: str | None, pinned: bool) -> None:
    reader = ChatReader(model, pinned=pinned)
    reader.whole(b'{"model":"x","usage":{"prompt_tokens":3}}')

    assert reader.usage() == Usage(input=3)


@pytest.mark.parametrize("model", ["a/x", None])
def test_of_a_stream_the_last_usage_counts(model: str | None) -> None:
    """Some providers send a running total with each chunk."""
    reader = ChatReader(model, pinned=False)
    lines = [
        b'data: {"model":"x","usage":%b}\n' % said
        for said in (b"null", b'{"prompt_tokens":1}', b'{"prompt_tokens":2}', b"null")
    ]
    sent = [reader.line(line) for line in [*lines, b"data: [DONE]\n", b': "usage"\n']]

    assert reader.usage() == Usage(input=2)
    assert model or sent[:-2] == lines


def test_an_answer_without_usage_has_none() -> None:
    reader = ChatReader("a/x", pinned=False)
    reader.whole(b'{"model":"x"}')
    reader.line(b'data: {"model":"x"}\n')

    assert reader.usage() is None
