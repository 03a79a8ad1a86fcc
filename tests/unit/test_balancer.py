"""The balancer that stands in for HAProxy does what tests of a pool trust it to do."""

import socket
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.fakes.ports import free_port
from tests.fakes.stand_in import StandIn
from tests.fakes.wire import Answer, Exchange, Request, error, whole
from tests.harness import Process, wait_until

LONG = "x" * 3_000_000


class Replica(StandIn):
    """Says which one it is, and whether it is ready."""

    is_ready = True

    def respond(self, request: Request) -> Answer:  # noqa: ARG002
        return whole(str(self.port).encode())

    def serve(self, request: Request, exchange: Exchange) -> None:
        """Answer a check, which is neither counted nor goes wrong, or what else comes."""
        if request.path == "/readyz":
            exchange.send(whole(b"") if self.is_ready else error(503, "not ready"))
        else:
            super().serve(request, exchange)


class Front:
    """The balancer, in front of two replicas."""

    def __init__(self, folder: Path, replicas: list[Replica]) -> None:
        self.port = free_port()
        ports = [str(replica.port) for replica in replicas]
        command = ["python", "-m", "tests.fakes.balancer", "--port", str(self.port), "--check-every", "0.05", *ports]
        self.process = Process(command, folder / "balancer.log", {"PATH": str(Path(sys.executable).parent)})
        wait_until(self._listens, what="the balancer")

    def ask(self, text: str = "hello", via: requests.Session | None = None) -> str:
        """Which replica answered."""
        answer = (via or requests).post(f"http://127.0.0.1:{self.port}/", data=text, timeout=10)
        return answer.text if answer.ok else str(answer.status_code)

    def wait_until_said(self, line: str) -> None:
        """It has printed this."""
        wait_until(lambda: line in self.process.text(), what=line)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Replica()) for _ in range(2)]


@pytest.fixture
def front(tmp_path: Path, replicas: list[Replica]) -> Iterator[Front]:
    made = Front(tmp_path, replicas)
    yield made
    made.process.stop()


def names(replicas: list[Replica]) -> set[str]:
    return {str(replica.port) for replica in replicas}


def test_connections_are_dealt_in_turn(front: Front, replicas: list[Replica]) -> None:
    answers = Counter(front.ask() for _ in range(6))

    assert answers == dict.fromkeys(names(replicas), 3)


def test_the_replica_with_fewer_connections_is_next(front: Front, replicas: list[Replica]) -> None:
    with ExitStack() as stack:
        kept = [stack.enter_context(requests.Session()) for _ in range(6)]
        replicas[0].is_ready = False
        front.wait_until_said("Server ready/web0 is DOWN")
        first = [front.ask(via=each) for each in kept[:3]]
        replicas[0].is_ready = True
        front.wait_until_said("Server ready/web0 is UP")
        then = [front.ask(via=each) for each in kept[3:]]

    assert (first, then) == ([str(replicas[1].port)] * 3, [str(replicas[0].port)] * 3)


def test_a_long_request_passes_whole(front: Front, replicas: list[Replica]) -> None:
    front.ask(LONG)

    lengths = [len(request.body) for replica in replicas for request in replica.requests]
    assert lengths == [len(LONG)]


def test_a_replica_that_is_not_ready_gets_no_connection_and_keeps_those_it_has(
    front: Front, replicas: list[Replica]
) -> None:
    with requests.Session() as kept:
        busy = front.ask(via=kept)
        n = [str(replica.port) for replica in replicas].index(busy)
        replicas[n].is_ready = False
        front.wait_until_said(f"Server ready/web{n} is DOWN")
        without = {front.ask() for _ in range(4)}
        still = front.ask(via=kept)
    replicas[n].is_ready = True
    front.wait_until_said(f"Server ready/web{n} is UP")

    assert (still, without) == (busy, names(replicas) - {busy})
    assert {front.ask() for _ in range(4)} == names(replicas)


def test_replicas_of_which_none_is_ready_serve_all_the_same(front: Front, replicas: list[Replica]) -> None:
    for replica in replicas:
        replica.is_ready = False
    front.wait_until_said("backend ready has no server available!")

    assert {front.ask() for _ in range(4)} == names(replicas)


@pytest.mark.parametrize("text", ["hello", LONG[:500_000]])
def test_what_a_replica_does_not_answer_is_asked_of_the_next_one(
    front: Front, replicas: list[Replica], text: str
) -> None:
    replicas[0].behave("close")

    answers = {front.ask(text) for _ in range(4)}

    assert answers == {str(replicas[1].port)}
    assert replicas[0].calls > 0


def test_so_is_the_next_request_of_a_connection_that_was_answered(front: Front, replicas: list[Replica]) -> None:
    with requests.Session() as kept:
        first = front.ask(via=kept)
        own, other = replicas if first == str(replicas[0].port) else replicas[::-1]
        own.behave("close")
        second = front.ask(via=kept)

    assert second == str(other.port)


def test_an_answer_that_breaks_off_is_not_asked_for_again(front: Front, replicas: list[Replica]) -> None:
    for replica in replicas:
        replica.behave("half_body")

    with pytest.raises(requests.RequestException):
        front.ask()

    assert sum(replica.calls for replica in replicas) == 1


def test_a_client_that_leaves_ends_its_request(front: Front, replicas: list[Replica]) -> None:
    for replica in replicas:
        replica.behave("hang")
    with socket.create_connection(("127.0.0.1", front.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        wait_until(lambda: sum(replica.hanging for replica in replicas), what="the request")

    wait_until(lambda: sum(replica.left for replica in replicas), what="the end of the request")


def test_where_nobody_listens_the_answer_is_503(front: Front, replicas: list[Replica]) -> None:
    for replica in replicas:
        replica.close()

    assert front.ask() == "503"


def test_many_connections_at_once_are_served(front: Front, replicas: list[Replica]) -> None:
    with ThreadPoolExecutor(50) as clients:
        answers = Counter(clients.map(lambda _: front.ask(), range(200)))

    assert answers.keys() == names(replicas)
