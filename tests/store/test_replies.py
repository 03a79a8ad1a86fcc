"""Hearing what workers announce, over one subscription, whatever becomes of it."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.contract import Verdict
from shared.errors import QueueDown, RouterDown
from shared.store.link import Link
from shared.store.queue import DecisionQueue
from shared.store.replies import Replies
from tests.fakes.delay import SlowProxy
from tests.fakes.ports import free_port
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewLink
from tests.store.greenlets import in_greenlets
from tests.store.queueing import BUDGET_S, MANY, VERDICT, Ask, NewQueue, channels, decide, job_of, order, queued


def test_300_waiters_use_one_subscription(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    """The smallest Redis plans allow 20 connections."""
    queue = new_queue()
    before = len(store.client_list())
    asked = [ask(queue, order(f"s{n}")) for n in range(MANY)]
    wait_until(lambda: len(queued(store)) == MANY, within_s=20)

    subscribers = store.client_list(_type="pubsub")
    connections = len(store.client_list())
    decide(store)

    assert {said.result(10).models for said in asked} == {VERDICT.models}
    assert len(subscribers) == 1
    assert connections <= before + 2


def test_nobody_listens_once_nobody_waits(store: redis.Redis, new_queue: NewQueue) -> None:
    with pytest.raises(RouterDown):
        new_queue().ask(order(), 0.01)

    wait_until(lambda: channels(store) == 0, what="the end of the subscription")


def test_a_subscription_that_broke_while_somebody_waits_goes_on(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    asked = ask(new_queue(), order())
    wait_until(lambda: queued(store))

    store.client_kill_filter(_type="pubsub")
    wait_until(lambda: channels(store) == 1, what="the subscription's return")
    decide(store)

    assert asked.result(5) == VERDICT


def test_a_subscription_that_broke_while_nobody_waits_costs_nobody_an_answer(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    """Redis closes idle connections where the operator set `timeout`, and a restart breaks them all."""
    assert heard_between_breaks(store, new_queue(), ask) == [VERDICT] * 3


def test_a_job_that_redis_lost_is_asked_for_again(
    own_server: RedisServer, own_queue: DecisionQueue, ask: Ask
) -> None:
    """Restarted empty, it has forgotten whom to tell and what to do."""
    asked = ask(own_queue, order())
    with own_server.client() as own:
        wait_until(lambda: queued(own))

        own.flushall()
        own.client_kill_filter(_type="pubsub")
        wait_until(lambda: queued(own), what="the job's return")
        decide(own)

    assert asked.result(5) == VERDICT


@pytest.mark.parametrize("fault", ["frozen", "ended"])
def test_nobody_waits_for_the_word_of_a_redis_that_is_away(
    own_server: RedisServer, own_queue: DecisionQueue, ask: Ask, fault: str
) -> None:
    """Though their budget would allow it."""
    asked = [ask(own_queue, order(name)) for name in ("s", "s", "t")]
    with own_server.client() as own:
        wait_until(lambda: channels(own) == 2)
        wait_until(lambda: len(queued(own)) == 2)

    if fault == "frozen":
        own_server.send(signal.SIGSTOP)
    else:
        own_server.stop()
    errors = [each.exception(BUDGET_S / 2) for each in asked]
    if fault == "frozen":
        own_server.send(signal.SIGCONT)

    assert {type(error) for error in errors} == {QueueDown}


def test_a_restart_leaves_nobody_deaf(own_server: RedisServer, own_queue: DecisionQueue, ask: Ask) -> None:
    """Whether it happens under those who wait, or while nobody does."""
    for _ in range(3):
        asked = ask(own_queue, order())
        with own_server.client() as own:
            wait_until(lambda: queued(own))
            decide(own)
            assert asked.result(5) == VERDICT

            asked = ask(own_queue, order())
            wait_until(lambda: queued(own))
        own_server.stop()
        with pytest.raises(QueueDown):
            asked.result(BUDGET_S / 2)
        own_server.start()
        wait_until(lambda: not own_queue._link.away, what="the link's return")


def test_who_leaves_while_a_subscription_is_made_leaves_nothing_behind() -> None:
    left = in_greenlets(
        """
import socket
from shared.errors import QueueDown
from shared.store.link import Link
from shared.store.patience import Patience
from shared.store.pipe import Pipe
from shared.store.replies import Replies

silent = socket.create_server(("127.0.0.1", 0))
client = redis.Redis(port=silent.getsockname()[1], socket_timeout=5, protocol=2)
replies = Replies(Link(Pipe(client.connection_pool, Patience(0.15)), "queue", QueueDown))

def wait():
    with replies.expect("x"):
        pass

leaving = gevent.spawn(wait)
gevent.sleep(0.05)
leaving.kill()
gevent.sleep(0.5)
print(replies._channels, replies._watched)
"""
    )

    assert left == "{} False"


def test_a_refused_subscription_is_not_asked_for_again_and_again(own_server: RedisServer, new_link: NewLink) -> None:
    """A user of an access list may lack the channels."""
    own_server.start()
    with own_server.client() as own:
        own.execute_command("ACL", "SETUSER", "web", "on", ">secret", "~*", "+@all", "resetchannels")
        link = new_link(f"unix://web:secret@{own_server.socket}", error=QueueDown)
        queue = DecisionQueue(link, Replies(link), limit=9)

        with pytest.raises(QueueDown):
            queue.ask(order(), BUDGET_S)

        assert own.info("stats")["total_connections_received"] < 20
    own_server.stop()


def heard_between_breaks(own: redis.Redis, queue: DecisionQueue, ask: Ask) -> list[Verdict]:
    """What is heard when every connection but ours is ended each time that nobody waits."""
    heard = []
    for _ in range(3):
        asked = ask(queue, order())
        wait_until(lambda: queued(own))
        decide(own)
        heard.append(asked.result(5))
        wait_until(lambda: channels(own) == 0)
        for client in own.client_list():
            if int(client["id"]) != own.client_id():
                own.client_kill_filter(_id=client["id"])
        wait_until(lambda: queue._link.pipe._line is None, what="the reader to notice")  # it may be late
    return heard


def test_it_works_over_tcp_as_well(own_server: RedisServer, new_link: NewLink, ask: Ask) -> None:
    """There a broken connection is found out by reading only: a first write still succeeds."""
    port = free_port()
    own_server.start("--port", str(port))
    link = new_link(f"redis://127.0.0.1:{port}", answer_s=5)
    queue = DecisionQueue(link, Replies(link), limit=9)

    with own_server.client() as own:
        heard = heard_between_breaks(own, queue, ask)
    own_server.stop()

    assert heard == [VERDICT] * 3


def test_a_slow_redis_is_not_waited_for_either(slow: SlowProxy, new_link: NewLink, ask: Ask) -> None:
    """A worker asks it several times: what takes a moment here takes many there."""
    link = new_link(f"redis://127.0.0.1:{slow.port}", error=QueueDown)
    asked = ask(DecisionQueue(link, Replies(link), limit=9), order())
    wait_until(lambda: link.ask("LLEN", "rq:queue:plano"), what="the job")

    slow.delay = 0.06
    error = asked.exception(BUDGET_S / 2)

    assert isinstance(error, QueueDown)
    assert not link.away


def test_a_short_silence_interrupts_nobody(own_server: RedisServer, own_queue: DecisionQueue, ask: Ask) -> None:
    asked = ask(own_queue, order())
    with own_server.client() as own:
        wait_until(lambda: queued(own))

        own.execute_command("DEBUG", "SLEEP", 0.04)
        decide(own)

    assert asked.result(5) == VERDICT


def test_many_short_silences_are_a_long_one(own_server: RedisServer, own_queue: DecisionQueue, ask: Ask) -> None:
    """Whatever it answers in between."""
    asked = ask(own_queue, order())
    with own_server.client() as own:
        wait_until(lambda: queued(own))

        for _ in range(20):
            own.execute_command("DEBUG", "SLEEP", 0.05)
            time.sleep(0.03)

    assert type(asked.exception(0)) is QueueDown
    assert not own_queue._link.away


def test_what_was_waited_for_a_workers_word_counts(own_server: RedisServer, new_link: NewLink) -> None:
    """Else the request would begin another wait."""
    own_server.start()
    link = new_link(own_server.url, error=QueueDown, request_s=0.07)
    replies = Replies(link)
    link.pipe.patience.begin()

    with replies.expect("word") as reply:
        own_server.send(signal.SIGSTOP)
        with pytest.raises(QueueDown):
            reply.wait(5)
        own_server.send(signal.SIGCONT)

    assert link.pipe.patience.spent()
    own_server.stop()


def test_who_has_waited_enough_does_not_wait_for_a_worker(slow: SlowProxy, new_link: NewLink) -> None:
    """That Redis falls silent would be noticed too late. The job stands, and the session's next request is pinned."""
    link = new_link(f"redis://127.0.0.1:{slow.port}", error=QueueDown, request_s=0.09)
    queue = DecisionQueue(link, Replies(link), limit=9)
    with pytest.raises(RouterDown):
        queue.ask(order("before"), 0.05)  # it is connected then, and Redis knows the scripts

    slow.delay = 0.05
    link.pipe.patience.begin()
    with pytest.raises(QueueDown, match="too slow"):
        queue.ask(order(), BUDGET_S)
    slow.delay = 0

    link.pipe.patience.begin()
    assert job_of("s").encode() in link.ask("LRANGE", "rq:queue:plano", 0, -1)


def test_who_waits_until_another_one_has_sent_has_waited(own_server: RedisServer, new_link: NewLink) -> None:
    """A frozen Redis takes no more at some point, and then they wait one after the other."""
    own_server.start()
    link = new_link(own_server.url, answer_s=5)
    replies = Replies(link)
    replies.connect()

    with ThreadPoolExecutor(1) as requests:
        with replies._lock:
            joining = requests.submit(_waited_to_join, replies, link)
            time.sleep(0.1)
        waited_s = joining.result(5)

    assert waited_s > 0.09
    own_server.stop()


def _waited_to_join(replies: Replies, link: Link) -> float:
    link.pipe.patience.begin()
    with replies.expect("word"):
        return link.pipe.patience._waited.seconds or 0.0
