"""Requests that no honest client sends: each is refused or dropped, leaves nothing behind and harms nobody else."""

import json
from collections.abc import Iterator

import pytest
import redis

from tests.fakes.provider import Provider
from tests.web import sites
from tests.web.gateway import CHAT, Gateway, body

pytestmark = pytest.mark.alone

SENT = body("hi", model="openai/gpt-4o-mini")
LENGTH = b"Content-Length: %d\r\n" % len(SENT)
TENANT = sites.TENANT_HEADER.encode() + b": acme\r\n"
AFFINITY = b"X-Model-Affinity: hostile\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(autouse=True)
def unharmed(narrow: Gateway, cache: redis.Redis, session: str) -> Iterator[None]:
    """After each test only the sessions that it may pin are pinned, and the server answers as ever."""
    before = set(map(str, cache.keys("plano:affinity:*")))
    yield

    new = set(map(str, cache.keys("plano:affinity:*"))) - before
    answers = [narrow.chat(session=session) for _ in range(2)]
    assert all("plano:affinity:acme:served-" in key for key in new), new
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].json()["x_plano_pinned"] is True


def request(lines: bytes = b"", content: bytes = SENT, *, length: bytes | None = None, first: bytes = b"") -> bytes:
    """A request that would be served but for what is given; `lines` are more headers."""
    start = first or f"POST {CHAT} HTTP/1.1\r\n".encode()
    said = b"Content-Length: %d\r\n" % len(content) if length is None else length
    return start + b"Host: x\r\nConnection: close\r\n" + TENANT + AFFINITY + said + lines + b"\r\n" + content


def parts(answer: bytes) -> tuple[int, bytes, bytes]:
    """An answer's status, head and body."""
    head, _, said = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.lower() + b"\r\n", said


def refused(answer: bytes) -> tuple[int, dict[str, str | None]]:
    """An answer's status and error; fails unless it has the one shape of every error."""
    status, head, said = parts(answer)
    (error,) = json.loads(said).values()
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert b"\r\nx-request-id: " in head
    assert list(error) == ["message", "type", "param", "code"]
    return status, error


@pytest.mark.parametrize(
    ("lines", "param"),
    [
        (b"X-Model-Affinity: other\r\n", "X-Model-Affinity"),
        (b"x-model-affinity: hostile\r\n", "X-Model-Affinity"),
        (b"X-Session-Id: a\r\nX-Session-Id: b\r\n", "X-Session-Id"),
        (b"X-Routing-Session-Id: a\r\nX-ROUTING-SESSION-ID: b\r\n", "X-Routing-Session-Id"),
        (b"X-Tenant-Id: umbrella\r\n", "X-Tenant-Id"),
        (b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", "Authorization"),
    ],
)
def test_who_asks_is_said_once(narrow: Gateway, provider: Provider, lines: bytes, param: str) -> None:
    """WSGI would join both values to `a,b`, a session or tenant that nobody meant."""
    status, error = refused(narrow.raw(request(lines)))

    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert "twice" in str(error["message"])
    assert provider.calls == 0


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: y\r\n",
        LENGTH,
        b"Content-Length: 1\r\n",
        b"Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        CHUNKED,
        b"X-A: a\x00b\r\n",
        b"X-A\x00: b\r\n",
        b"X-A: a\r\n b\r\n",
        b"X-A : b\r\n",
        b": b\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(narrow: Gateway, provider: Provider, lines: bytes) -> None:
    """What a proxy in front and this server understand differently is how requests are smuggled."""
    status, error = refused(narrow.raw(request(lines)))

    assert (status, error["type"]) == (400, "invalid_request_error")
    assert provider.calls == 0


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"Content-Length: +9\r\n", 400),
        (b"Content-Length: -9\r\n", 400),
        (b"Content-Length: 0x9\r\n", 400),
        (b"Content-Length: 9, 9\r\n", 400),
        (b"Content-Length: \xb2\r\n", 400),
        (b"Content-Length:\r\n", 400),
        (b"Content-Length: 99999999999999999999\r\n", 413),
        (CHUNKED + CHUNKED, 400),
        (b"Transfer-Encoding: gzip\r\n", 400),
        (b"Transfer-Encoding: chunked, gzip\r\n", 400),
        (b"Transfer-Encoding: \x0bchunked\r\n", 400),
        (b"", 400),
    ],
)
def test_a_body_without_a_plain_length_is_refused(
    narrow: Gateway, provider: Provider, length: bytes, status: int
) -> None:
    assert refused(narrow.raw(request(length=length)))[0] == status
    assert provider.calls == 0


@pytest.mark.parametrize(
    "content",
    [
        b"zz\r\n" + SENT,
        b"-5\r\n" + SENT,
        b"0x5\r\n" + SENT,
        b" 5\r\n" + SENT,
        b"\r\n" + SENT,
        b"5;\x00\r\n" + SENT,
        b"1\r\n{}\r\n0\r\n\r\n",
        b"a" * 9000,
        b"%x\r\n%s\r\n0\r\nAuthorization: Bearer a\r\n\r\n" % (len(SENT), SENT),
        b"%x\r\n%s" % (2 * len(SENT), SENT),
        b"%x\r\n%s\r\n0\r\n" % (len(SENT), SENT),
        b"f" * 30 + b"\r\n" + SENT,
    ],
)
def test_a_chunked_body_that_is_none_is_refused(narrow: Gateway, provider: Provider, content: bytes) -> None:
    """It is found out while the application reads, which must not count as the application's fault."""
    status, error = refused(narrow.raw(request(content=content, length=CHUNKED), then_no_more=True))

    assert (status, error["type"]) == (400, "invalid_request_error")
    assert provider.calls == 0


@pytest.mark.parametrize(
    ("content", "announced"),
    [(SENT, len(SENT) + 1), (SENT[:-1], len(SENT)), (b"", 1), (SENT, len(SENT) - 1), (SENT + SENT, len(SENT) - 1)],
)
def test_a_body_of_another_length_than_announced_is_refused(
    narrow: Gateway, provider: Provider, content: bytes, announced: int
) -> None:
    """Also when what came is a whole request by itself: its client had more to say, or went away."""
    sent = request(content=content, length=b"Content-Length: %d\r\n" % announced)

    status, error = refused(narrow.raw(sent, then_no_more=True))

    assert (status, error["type"]) == (400, "invalid_request_error")
    assert provider.calls == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(b"X-A: %s\r\n" % (b"a" * 9000)), 431),
        (request(b"X-A: %s\r\n" % (b"a" * 2**20)), 431),
        (request(b"".join(b"X-%d: a\r\n" % n for n in range(100))), 431),
        (request(b"".join(b"X-%d: a\r\n" % n for n in range(10_000))), 400),
        (request(first=b"POST /%s HTTP/1.1\r\n" % (b"a" * 9000)), 414),
        (request(content=SENT + b" " * sites.SMALL_BODY), 413),
        (request(content=b" " * 2**21), 413),
    ],
    ids=["long header", "1 MB header", "105 headers", "10,000 headers", "long address", "long body", "2 MB body"],
)
def test_too_much_is_refused(narrow: Gateway, provider: Provider, sent: bytes, status: int) -> None:
    assert refused(narrow.raw(sent))[0] == status
    assert provider.calls == 0


@pytest.mark.parametrize(
    "content",
    [
        SENT.replace(b"hi", b"h\x00i"),
        SENT.replace(b"hi", b"\\ud800"),
        SENT.replace(b"gpt", b"\\udfff"),
        SENT.replace(b"gpt", b"\xff"),
        SENT.replace(b"gpt", b"g" * 300),
        SENT.replace(b"{", b'{"\xff": 1, ', 1),
        b"\xef\xbb\xbf" + SENT,
        SENT.decode().encode("utf-16"),
        b"[" * 60_000,
        b'{"a":' * 12_000,
        SENT[:-1] + b', "a": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        SENT[:-1] + b', "a": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        SENT[:-1] + b', "model": 5}',
        b'{"messages": ' + b"9" * 60_000 + b"}",
        SENT + b"{}",
        SENT + b"\x00",
    ],
)
def test_a_body_that_is_no_plain_json_is_refused(narrow: Gateway, provider: Provider, content: bytes) -> None:
    status, error = refused(narrow.raw(request(content=content)))

    assert (status, error["type"]) == (400, "invalid_request_error")
    assert provider.calls == 0


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, {400}),
        (b"GET /livez\r\n\r\n", {400}),
        (b"\r\n\r\n\r\n\r\n", {400}),
        (b"GET /li\x00vez HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", {400}),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {404, 405}),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405}),
        (b"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {404, 405}),
        (request(b"Expect: a miracle\r\n"), {417}),
        (request(first=b"POST /v1/%2e%2e/admin HTTP/1.1\r\n"), {404}),
        (request(first=b"POST /%ff%fe%00 HTTP/1.1\r\n"), {404}),
        (request(b"SCRIPT_NAME: /x\r\n", first=f"POST /x{CHAT} HTTP/1.1\r\n".encode()), {404}),
    ],
)
def test_what_is_no_request_for_a_model_is_refused(narrow: Gateway, sent: bytes, statuses: set[int]) -> None:
    assert refused(narrow.raw(sent, then_no_more=True))[0] in statuses


SERVED = AFFINITY.replace(b"hostile", b"served-1")
IN_CHUNKS = b"5;a=b\r\n%s\r\n%x\r\n%s\r\n0\r\nX-A: b\r\n\r\n" % (SENT[:5], len(SENT) - 5, SENT[5:])


@pytest.mark.parametrize(
    "sent",
    [
        request(first=f"POST http://elsewhere{CHAT} HTTP/1.1\r\n".encode()),
        request(first=f"POST {CHAT}?a=b#c HTTP/1.1\r\n".encode()),
        request(first=f"POST {CHAT} HTTP/1.0\r\n".encode()),
        request(b"SCRIPT_NAME: /x\r\n"),
        request(b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        request(b"X-A: 1\r\nX-A: 2\r\nAccept: a\r\nAccept: b\r\n"),
        request(content=IN_CHUNKS, length=CHUNKED),
    ],
)
def test_what_http_allows_is_served(narrow: Gateway, provider: Provider, sent: bytes) -> None:
    status, _, said = parts(narrow.raw(sent.replace(AFFINITY, SERVED)))

    assert (status, json.loads(said)["model"]) == (200, "openai/gpt-4o-mini")
    assert provider.calls == 1


def test_what_is_not_ours_to_judge_reaches_the_provider_as_it_is(narrow: Gateway, provider: Provider) -> None:
    odd = b', "n": 1e99999, "m": -0.0, "big": ' + b"9" * 4000 + b', "s": "[[[\\"{{{"}'

    status, _, _ = parts(narrow.raw(request(content=SENT[:-1] + odd).replace(AFFINITY, SERVED)))

    assert status == 200
    assert provider.requests[-1].body.endswith(odd.replace(b", ", b",").replace(b": ", b":"))


def test_a_client_that_waits_for_the_go_ahead_gets_it(narrow: Gateway) -> None:
    answer = narrow.raw(request(b"Expect: 100-continue\r\n").replace(AFFINITY, SERVED))

    first, _, rest = answer.partition(b"\r\n\r\n")
    assert first == b"HTTP/1.1 100 Continue"
    assert parts(rest)[0] == 200


def test_pipelined_requests_are_answered_one_after_the_other(narrow: Gateway, provider: Provider) -> None:
    kept = request().replace(b"Connection: close\r\n", b"").replace(AFFINITY, SERVED)
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    answer = narrow.raw(kept * 3 + last)

    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert b'"alive"' in answer.rpartition(b"HTTP/1.1 200 OK")[2]
    assert provider.calls == 3
