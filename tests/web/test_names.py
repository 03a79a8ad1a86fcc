"""A name server that is silent, or knows nothing, delays nobody but whoever needs its answer."""

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import gevent
import pytest
import requests

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import ROOT, Pool, running
from tests.web.gateway import Gateway, error_of
from web.proxy.providers.dns import LIMIT_S, Addresses, Names

SILENT_S = 40
RESOLVER = f"""
import _socket, time
real = _socket.getaddrinfo
def getaddrinfo(host, *more, **options):
    if str(host).endswith(".silent"):
        time.sleep({SILENT_S})
    return real("127.0.0.1" if str(host).endswith(".quick") else host, *more, **options)
_socket.getaddrinfo = getaddrinfo
"""
"""Python runs it first: the system's resolver, with a name server that is silent for one zone."""
CONFIG = """
version: v0.4.0
model_providers:
  - {{model: quick/model, base_url: "http://models.quick:{port}/v1", provider_interface: openai, default: true}}
  - {{model: silent/model, base_url: "http://models.silent/v1", provider_interface: openai}}
routing: {{session_cache: {{type: memory}}}}
"""
ASKED = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A web process whose first provider has a name that nobody answers for."""
    folder = tmp_path / "resolver"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(RESOLVER)
    port = free_port()
    with Provider() as provider:
        pool = Pool(
            tmp_path, CONFIG.format(port=provider.port), "redis://unused", ROOT, PYTHONPATH=f"{folder}:{ROOT}"
        )
        with running(pool):
            pool.web(port)
            with closing(Gateway(port)) as gateway:
                yield gateway
    shutil.rmtree(folder)


def test_a_silent_name_server_delays_no_other_providers_requests(gateway: Gateway) -> None:
    """Ten look-ups that got no answer took all threads of gevent's resolver, and the others waited for 44 s."""
    url = f"{gateway.base_url}/chat/completions"

    def ask(model: str) -> requests.Response:
        return requests.post(url, json={"model": model, **ASKED}, timeout=SILENT_S * 2)

    with ThreadPoolExecutor(16) as clients:
        silent = [clients.submit(ask, "silent/model") for _ in range(12)]
        began = time.monotonic()
        others = [ask("quick/model") for _ in range(3)]
        waited_s = time.monotonic() - began
        refused = [each.result() for each in silent]

    assert {answer.status_code for answer in others} == {200}
    assert waited_s < LIMIT_S
    assert {error_of(answer)["code"] for answer in refused} == {"upstream_unreachable"}
    assert max(answer.elapsed.total_seconds() for answer in refused) < SILENT_S / 2


class Look:
    """A system's resolver that counts how often it is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = threading.Event()
        self.go.set()
        self.fails = False

    def __call__(self, host: str, port: int) -> Addresses:
        self.asked += 1
        assert self.go.wait(20)
        if self.fails:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, host, ("127.0.0.1", port))]


@pytest.fixture
def look() -> Iterator[Look]:
    made = Look()
    yield made
    made.go.set()


def test_many_names_that_nobody_answers_for_delay_no_other_name() -> None:
    """Each has a thread of its own: however many there are, none is left waiting for one."""
    go = threading.Event()

    def look_up(host: str, port: int) -> Addresses:
        assert not host.startswith("silent") or go.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, host, ("127.0.0.1", port))]

    names = Names(look_up)
    silent = [gevent.spawn(names.addresses, f"silent-{n}.example", 80) for n in range(24)]
    gevent.sleep(0.1)
    try:
        assert names.addresses("quick.example", 80)
    finally:
        go.set()
        gevent.joinall(silent)


def test_an_answer_is_kept_for_a_while(look: Look) -> None:
    names = Names(look)

    found = [names.addresses("models.example", 80) for _ in range(5)]

    assert look.asked == 1
    assert found == [[(socket.AF_INET, socket.SOCK_STREAM, 6, "models.example", ("127.0.0.1", 80))]] * 5


def test_a_failure_is_kept_too(look: Look) -> None:
    look.fails = True
    names = Names(look)

    for _ in range(5):
        with pytest.raises(socket.gaierror, match="not known"):
            names.addresses("models.example", 80)

    assert look.asked == 1


@pytest.mark.parametrize(("fails", "kept_s"), [(False, 30), (True, 5)])
def test_what_is_kept_is_looked_up_anew_when_its_time_is_over(look: Look, fails: bool, kept_s: int) -> None:
    """A provider that has moved is found, and a name server that is back is asked."""
    look.fails = fails
    times = [1000.0]
    names = Names(look, lambda: times[-1])
    asked = []

    for later in (0, kept_s - 1, kept_s + 1):
        times.append(times[0] + later)
        with contextlib.suppress(socket.gaierror):
            names.addresses("models.example", 80)
        asked.append(look.asked)

    assert asked == [1, 1, 2]


def test_a_late_answer_counts_when_it_comes(look: Look) -> None:
    look.go.clear()
    names = Names(look)
    with pytest.raises(socket.gaierror, match="took more than 5 s"):
        names.addresses("models.example", 80)

    look.go.set()
    names._under_way["models.example", 80].wait(10)

    assert names.addresses("models.example", 80)
    assert look.asked == 1


@pytest.mark.parametrize("name", ["x" * 70 + ".example", ".."])
def test_a_name_that_is_none_is_a_failed_look_up(name: str) -> None:
    with pytest.raises(socket.gaierror):
        Names().addresses(name, 80)


def test_addresses_need_no_look_up_in_a_thread(look: Look) -> None:
    names = Names(look)

    names.addresses("127.0.0.1", 80)
    names.addresses("::1", 80)

    assert not names._threads
