"""After a peak a web process gives its memory back."""

from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.fakes.faults import BIG_LINE_BYTES
from tests.fakes.provider import Provider
from tests.harness import wait_until
from tests.web.gateway import Gateway

AT_ONCE = 24
PEAK_MB = AT_ONCE * BIG_LINE_BYTES / 1e6
WITHIN_S = 60.0
"""It gives memory back every ten seconds."""


def test_the_memory_of_many_large_answers_goes_back(web: Gateway, provider: Provider) -> None:
    """Without that 30 MB stayed, and more after each larger peak: it looked like a leak."""
    process = _process_of(web.port)
    web.chat()
    before = _memory_mb(process)
    provider.behave("big_line")

    with ThreadPoolExecutor(AT_ONCE) as clients:
        sizes = list(clients.map(lambda _: _streamed_bytes(web.port), range(AT_ONCE)))

    assert min(sizes) > BIG_LINE_BYTES
    wait_until(lambda: _memory_mb(process) < before + PEAK_MB / 4, within_s=WITHIN_S, what="the end of the peak")


def _streamed_bytes(port: int) -> int:
    with Gateway(port).streaming() as answer:
        return len(answer.content)


def _memory_mb(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


def _process_of(port: int) -> psutil.Process:
    """The process that serves: it has inherited the port from gunicorn, which psutil may name in its place."""
    named = next(
        each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port and each.pid
    )
    process = psutil.Process(named)
    return next(iter(process.children()), process)
