"""Everything that a greedy client can do, at once, against two replicas on which honest clients work."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import psutil
import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool
from tests.web.gateway import CHAT, Gateway
from tests.web.greedy import LIVEZ, attacked

CLIENTS = 64
TURNS = 6
MOST_MB = 400
PROBED_WITHIN_S = 5.0
"""On a machine that does much else; where somebody has all the turns, it is as long as he likes."""
POST = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n".encode()
DENSE = {"zeros": b"0", "objects": b"{}"}


@pytest.fixture
def replicas(start: Callable[..., Pool]) -> Iterator[tuple[Pool, list[Gateway]]]:
    pool = start()
    pool.worker()
    ports = [free_port(), free_port()]
    for port in ports:
        pool.web(port)
    with ExitStack() as stack:
        yield pool, [stack.enter_context(closing(Gateway(port))) for port in ports]


def test_honest_clients_are_served_while_greedy_ones_do_their_worst(
    replicas: tuple[Pool, list[Gateway]], provider: Provider, router: Router
) -> None:
    pool, gateways = replicas
    assert (provider.calls, router.calls) == (0, 0)

    with ExitStack() as stack:
        for gateway in gateways:
            stack.enter_context(attacked(gateway, b"", LIVEZ * 500, clients=1))
            stack.enter_context(
                attacked(gateway, POST + b"Content-Length: 1000000000000\r\n\r\n", b" " * 65536, clients=1)
            )
            stack.enter_context(_dense_bodies(gateway))
            for _ in range(200):
                stack.enter_context(gateway.connected())
        with ThreadPoolExecutor(CLIENTS) as together:
            clients = [together.submit(_work, gateways[n % 2].port, f"s{n}") for n in range(CLIENTS)]
            probes = [_probe_s(gateway) for gateway in gateways for _ in range(10)]
            answers = [status for client in clients for status in client.result()]

    assert answers == [200] * (CLIENTS * TURNS)
    assert max(probes) < PROBED_WITHIN_S
    assert max(_peaks_mb(pool)) < MOST_MB
    assert "WORKER TIMEOUT" not in "".join(process.text() for process in pool.processes)


def _work(port: int, session: str) -> list[int]:
    with closing(Gateway(port)) as client:
        return [client.chat("review this analysis", session=session).status_code for _ in range(TURNS)]


def _probe_s(gateway: Gateway) -> float:
    began = time.monotonic()
    with closing(Gateway(gateway.port)) as prober:
        assert prober.ask("GET", "/livez").ok
    return time.monotonic() - began


@contextlib.contextmanager
def _dense_bodies(gateway: Gateway) -> Iterator[None]:
    """Meanwhile somebody sends 20 MB of very small values, again and again."""
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            for element in DENSE.values():
                values = b",".join([element] * (20_000_000 // (len(element) + 1)))
                content = json.dumps({"model": "openai/gpt-4o-mini"}).encode()[:-1] + b',"messages":[%s]}' % values
                with contextlib.suppress(OSError):
                    gateway.raw(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _peaks_mb(pool: Pool) -> list[float]:
    """The most memory that each process has had."""
    processes = [each for process in pool.processes for each in _family(process.pid)]
    return [_peak_mb(each) for each in processes]


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _peak_mb(process: psutil.Process) -> float:
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:  # noqa: PTH123 - the kernel's own file
        (line,) = [line for line in status if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
