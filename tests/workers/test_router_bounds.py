"""What clients describe takes up little of the embedded router's memory, however they put it."""

import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest

from shared.domain.conversation import Message
from shared.domain.decisions import Trace
from shared.domain.routes import Route
from workers.router.embedded import EmbeddedRouter

TRACE = Trace("r", "00-" + "1" * 32 + "-" + "2" * 16 + "-01")
ASKED = [Message("user", "write a function")]


@pytest.fixture(scope="module")
def router() -> EmbeddedRouter:
    return EmbeddedRouter()


def kept_bytes(router: EmbeddedRouter, requests: Sequence[tuple[Route, ...]]) -> int:
    """How much memory is kept after these requests."""
    router.choose(requests[0], ASKED, TRACE)
    tracemalloc.start()
    try:
        for routes in requests:
            router.choose(routes, ASKED, TRACE)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def of_clauses(name: str, clauses: int) -> Route:
    return Route(name, ",".join(f"{n:x}" for n in range(clauses)), ("openai/a",))


def test_one_request_is_remembered_by_little(router: EmbeddedRouter) -> None:
    """Each clause has a vector of 1 KiB: 32 KB of "a,a,a" were 16 MB, kept for good. To make one takes time, too."""
    routes = tuple(of_clauses(f"r{n}", 600) for n in range(10))

    assert kept_bytes(router, [(of_clauses("first", 1),), routes]) < 512 * 1024


class Counting(EmbeddedRouter):
    """Counts the vectors that it makes."""

    made = 0

    def _vector(self, text: str) -> Any:
        self.made += 1
        return super()._vector(text)


def test_one_request_takes_little_time() -> None:
    """Some 50 µs for each vector: 50 routes of 32 clauses, as many as a request may bring, would take 80 ms."""
    router = Counting()

    router.choose(tuple(of_clauses(f"t{n}", 40) for n in range(50)), ASKED, TRACE)

    assert 50 < router.made <= 256 + 50 + 1


def test_many_requests_are_remembered_by_8_mb(router: EmbeddedRouter) -> None:
    requests = [(of_clauses(f"r{n}", 100),) for n in range(400)]

    assert kept_bytes(router, requests) < 12 * 1024 * 1024


def test_what_is_said_twice_counts_once(router: EmbeddedRouter) -> None:
    """The clauses that count are the first different ones."""
    padded = Route("work", "nothing," * 100 + "translate texts", ("openai/a",))

    assert router.choose((padded,), [Message("user", "Translate this letter")], TRACE) == "work"
