"""Redis over TLS with a certificate that nobody vouches for, as Heroku serves it: rediss:// and REDIS_TLS_VERIFY."""

import contextlib
import datetime as dt
import ipaddress
import multiprocessing
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, redis_server_binary, wait_until
from tests.system.asking import DEEP, QUICK, ask, pinned


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis of a test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "redis.crt", tmp_path / "redis.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@pytest.fixture
def redis_of_its_own(tmp_path: Path) -> Iterator[RedisServer]:
    """The Redis behind the TLS port; the test starts it."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def tls_port(certificate: tuple[Path, Path], redis_of_its_own: RedisServer) -> Iterator[int]:
    """Where Redis speaks TLS: by itself if it was built for it, else through a front that does."""
    port = free_port()
    if _speaks_tls(redis_server_binary()):
        crt, key = (str(path) for path in certificate)
        options = ["--tls-port", str(port), "--tls-cert-file", crt, "--tls-key-file", key, "--tls-auth-clients", "no"]
        redis_of_its_own.start(*options)
        yield port
    else:
        redis_of_its_own.start()
        with _front(port, certificate, redis_of_its_own.socket):
            yield port


@pytest.fixture
def start_over_tls(tls_port: int, start: Callable[..., Pool]) -> Callable[..., Pool]:
    """Makes a pool that reaches its Redis over TLS only."""
    url = f"rediss://127.0.0.1:{tls_port}"
    return lambda **env: start(env={"REDIS_URL": url, **env})


def test_unverified_everything_works(
    start_over_tls: Callable[..., Pool], ports: tuple[int, int], router: Router
) -> None:
    """Queue, worker and the answer by pub/sub for the first request, the shared connection for the next ones."""
    pool = start_over_tls(REDIS_TLS_VERIFY="0")
    pool.serve(*ports)

    first = ask(ports[0], "tls", DEEP)
    later = [ask(port, "tls", QUICK) for port in ports * 3]

    assert (first.json()["model"], pinned(first)) == ("openai/gpt-5.2", False)
    assert {(answer.json()["model"], pinned(answer)) for answer in later} == {("openai/gpt-5.2", True)}
    assert not any("x-plano-degraded" in answer.headers for answer in (first, *later))
    assert router.calls == 1
    assert _state(ports[0])["status"] == "ready"
    assert _state(ports[0])["workers"] == 1


def test_verified_an_unknown_certificate_is_refused_and_requests_are_served(
    start_over_tls: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start_over_tls()
    worker = pool.worker(signs_on=False)
    pool.web(ports[0])

    answers = [ask(ports[0], "refused", DEEP) for _ in range(3)]

    assert {(answer.status_code, answer.headers["x-plano-degraded"]) for answer in answers} == {(200, "redis")}
    assert {answer.json()["model"] for answer in answers} == {"openai/gpt-4o-mini"}
    assert _state(ports[0])["redis"] == "away"
    assert worker.alive
    with redis_of_its_own.client() as client:
        assert client.dbsize() == 0


def test_verified_a_certificate_that_the_machine_trusts_is_accepted(
    start_over_tls: Callable[..., Pool], ports: tuple[int, int], certificate: tuple[Path, Path]
) -> None:
    pool = start_over_tls(REDIS_TLS_VERIFY="1", SSL_CERT_FILE=str(certificate[0]))
    pool.serve(ports[0])

    first, second = ask(ports[0], "trusted", DEEP), ask(ports[0], "trusted", QUICK)

    assert (first.json()["model"], pinned(first)) == ("openai/gpt-5.2", False)
    assert (second.json()["model"], pinned(second)) == ("openai/gpt-5.2", True)


def test_connections_that_break_are_made_anew(
    start_over_tls: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """All of them at once: web's, the subscription's and the worker's."""
    pool = start_over_tls(REDIS_TLS_VERIFY="0")
    pool.serve(ports[0])
    ask(ports[0], "before", DEEP)

    with redis_of_its_own.client() as client:
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)
    kept = wait_until(lambda: _undegraded(ports[0], "before"), within_s=15, what="the recovery of pins")
    wait_until(lambda: _undegraded(ports[0], "anew"), within_s=15, what="the recovery of decisions")

    assert (kept.json()["model"], pinned(kept)) == ("openai/gpt-5.2", True)


def test_connections_that_stand_are_used_as_they_are(
    start_over_tls: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """After its handshake TLS 1.3 sends tickets: to take them for an end would mean a handshake at each first use."""
    pool = start_over_tls(REDIS_TLS_VERIFY="0")
    pool.web(ports[0])
    with redis_of_its_own.client() as client, ThreadPoolExecutor(16) as clients:
        client.set("plano:affinity:s", '{"model_name":"openai/gpt-5.2","route_name":null}', ex=60)
        made = client.info("stats")["total_connections_received"]

        answers = list(clients.map(lambda _: ask(ports[0], "s", DEEP), range(64)))

        assert all(pinned(answer) for answer in answers)
        assert client.info("stats")["total_connections_received"] - made <= 1  # the detector's own


def _undegraded(port: int, session: str) -> requests.Response | None:
    answer = ask(port, session, DEEP)
    return None if "x-plano-degraded" in answer.headers else answer


def _state(port: int) -> dict[str, Any]:
    state: dict[str, Any] = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).json()
    return state


def _speaks_tls(program: str) -> bool:
    """A redis-server without TLS stops at the first option, one with it at the second: neither starts."""
    command = [program, "--tls-port", "0", "--maxmemory", "nonsense"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    return "tls-port" not in tried.stdout + tried.stderr


@contextlib.contextmanager
def _front(port: int, certificate: tuple[Path, Path], behind: Path) -> Iterator[None]:
    """Ends TLS and passes on what comes to a unix socket.

    It has a process of its own: beside the clients of a test it would be late, and Redis seem silent.
    """
    with socket.create_server(("127.0.0.1", port)) as listener:
        serving = multiprocessing.get_context("spawn").Process(target=_accept, args=(listener, certificate, behind))
        serving.start()
    try:
        yield
    finally:
        serving.terminate()
        serving.join()


def _accept(listener: socket.socket, certificate: tuple[Path, Path], behind: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    while True:
        threading.Thread(target=_serve, args=(listener.accept()[0], context, behind), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, behind: Path) -> None:
    """One connection, until either side ends it; a client that refuses the certificate ends it at once."""
    with (
        plain,
        contextlib.suppress(OSError),
        context.wrap_socket(plain, server_side=True) as outer,
        socket.socket(socket.AF_UNIX) as inner,
    ):
        inner.connect(str(behind))
        to = {outer: inner, inner: outer}
        while True:
            ready, _, _ = select.select(to, (), ())
            for source in ready:
                data = source.recv(1 << 16)
                if not data:
                    return
                to[source].sendall(data)
