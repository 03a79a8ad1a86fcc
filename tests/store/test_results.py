"""Hearing what workers announce, whatever becomes of the announcement."""

import redis

from shared.domain.sessions import Session
from shared.store.pins import PinStore
from tests.fakes.delay import SlowProxy
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewReplica
from tests.store.queueing import PIN, VERDICT, Ask, decide, job_of, order, queued


def calls(client: redis.Redis, command: str) -> int:
    """How often a command was called."""
    stats = client.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_a_job_that_has_just_ended_is_not_queued_again(
    own_server: RedisServer, slow: SlowProxy, new_replica: NewReplica, ask: Ask
) -> None:
    """Its result is on its way already: the router, who may be dear, would be asked twice."""
    queue = new_replica(f"redis://127.0.0.1:{slow.port}").queue()
    with own_server.client() as own:
        slow.delay = 0.1
        asked = ask(queue, order())
        wait_until(lambda: queued(own) == [job_of("s")], what="the job")

        wait_until(lambda: calls(own, "get"), what="the first look at the pin")
        decide(own)
        said = asked.result(5)
        wait_until(lambda: calls(own, "exists"), what="the look at the job")

        assert said == VERDICT
        assert queued(own) == []


def test_a_decision_that_is_heard_by_its_pin_is_as_new_as_one_that_was_announced(
    own_server: RedisServer, new_replica: NewReplica, ask: Ask
) -> None:
    """`pinned` says that a pin stood before: a client that sees it on its first turn would be told wrong."""
    asked = ask(new_replica(own_server.url).queue(), order())
    with own_server.client() as own:
        wait_until(lambda: queued(own), what="the job")

        PinStore(own).settle(Session("s"), PIN, 60)
        said = asked.result(5)

    assert (said.models, said.pin, said.pinned) == (VERDICT.models, PIN, False)
