"""What comes over a socket: requests of clients, answers of providers, and what stands in Redis."""

import json

from hypothesis import strategies as st

from tests.fuzz import live
from tests.fuzz.requests import PREFERENCES
from tests.fuzz.target import target
from tests.fuzz.texts import JSON, OBJECTS, damaged

LINES = st.sampled_from(
    [
        "Host: x",
        "Connection: close",
        "Connection: keep-alive, x-y",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "Content-Length: 99999999999",
        "Transfer-Encoding: gzip, chunked",
        "Expect: 100-continue",
        "Upgrade: websocket",
        "X-Model-Affinity: s",
        "X-Model-Affinity: %00é",
        "Authorization: Bearer x",
        "Content-Type: text/plain",
        "traceparent: 00-1-2-3",
        "X-Forwarded-For: 1, 2",
        "Accept-Encoding: gzip",
        "Content-Encoding: gzip",
        " folded",
    ]
)
PATHS = st.sampled_from(
    [
        "/v1/chat/completions",
        "/routing/v1/chat/completions",
        "/v1/models",
        "/livez",
        "/readyz",
        "/metrics",
        "/admin/",
        "//metrics",
        "/%6detrics",
        "/../livez",
        "*",
        "http://x/livez",
        "/v1/models?a=%",
        "/é",
        "/admin/api/v1/session?id=%2500",
    ]
)
BODIES = st.sampled_from(
    ["", "hello", "5\r\nhello\r\n0\r\n\r\n", "zz\r\n", '{"messages":[{"role":"user","content":1}]}']
)
REQUESTS = st.builds(
    lambda method, path, version, lines, body: "\r\n".join([f"{method} {path} {version}", *lines, "", body]),
    st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "CONNECT", "get", "G\tT"]),
    PATHS,
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", "XTTP/1.1"]),
    st.lists(LINES, max_size=5),
    BODIES,
)


@target(st.lists(damaged(REQUESTS), min_size=1, max_size=3).map(b"".join) | st.binary(max_size=200))
def raw_requests(data: bytes) -> None:
    """Whatever bytes a client sends, they are answered or refused, and the process goes on."""
    pool = live.pool()

    answer = pool.send(data)

    assert b"HTTP/1.1 500" not in answer
    pool.well()


@target(damaged(PREFERENCES) | damaged(JSON))
def inline_preferences(raw: bytes) -> None:
    """Whatever stands in `routing_preferences`, the request is answered or refused, and the process goes on."""
    pool = live.pool()
    pool.provider.answer = _WHOLE

    answer = pool.post(b'{"messages":[{"role":"user","content":"hi"}],"routing_preferences":' + raw + b"}")

    assert answer.status_code in {200, 400, 502}, answer.text
    pool.well()


HEADS = st.builds(
    lambda line, lines: "\r\n".join([line, *lines, "", ""]),
    st.sampled_from(
        [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 100 Continue",
            "HTTP/1.1 204 No Content",
            "HTTP/1.1 429 Slow",
            "HTTP/1.0 200 OK",
            "HTTP/1.1 500 Oops",
            "HTTP/1.1 302 Found",
            "HTTP/1.1 999 ?",
            "HTTP/1.1 20 OK",
            "nonsense",
            "HTTP/1.1 200",
        ]
    ),
    st.lists(
        st.sampled_from(
            [
                "Content-Type: application/json",
                "Content-Type: text/event-stream",
                "Content-Type: é",
                "Content-Length: 20",
                "Content-Length: -1",
                "Transfer-Encoding: chunked",
                "Content-Encoding: gzip",
                "Retry-After: 99999999999999999999",
                "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
                "Retry-After: ²",
                "Connection: close, content-type",
                "Set-Cookie: a=b",
                "X-Plano-Model: x",
                "X: \x01",
                "X-Y: é\x80",
                "retry-after-ms: 1e9",
                "Location: http://x",
            ]
        ),
        max_size=5,
    ),
)
EVENTS = st.sampled_from(
    ["data: {}\n\n", "data: [DONE]\n\n", 'data: {"model":"x","usage":{}}\r\n\r\n', ": ping\n\n", "\r\r"]
)
ANSWER_BODIES = OBJECTS | st.lists(EVENTS, max_size=4).map("".join) | st.sampled_from(["", "5\r\nhello\r\n0\r\n\r\n"])
ANSWERS = st.builds("{}{}".format, HEADS, ANSWER_BODIES)
_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@target(st.tuples(damaged(ANSWERS) | st.binary(max_size=200), st.booleans()))
def raw_answers(given: tuple[bytes, bool]) -> None:
    """Whatever bytes a provider sends, its client is answered, and never with an error of ours alone."""
    pool, (answer, streamed) = live.pool(), given
    pool.provider.answer = answer

    got = pool.ask_raw(streamed)

    assert got.startswith(b"HTTP/1.1 ")
    assert b"internal_error" not in got
    pool.well()


SESSION = "stored"
KEYS = st.sampled_from(
    [
        f"plano:affinity:{SESSION}",
        "plano:metrics:snapshot",
        "plano:metrics:observed",
        "plano:replica:x",
        "plano:written",
        *(f"plano:{kind}:{name}" for kind in ("cooldown", "failures", "probe", "suspected") for name in live.MODELS),
    ]
)
STORED = st.sampled_from(
    [
        '{"model_name":"openai/raw","route_name":"raw","models":["openai/raw"]}',
        '{"model_name":"raw"}',
        '{"model_name":"openai/gone","models":["a"]}',
        '{"prices":{"openai/raw":1e999}}',
        "[" * 2000,
        "1e309",
        "null",
        "[]",
        "",
    ]
) | JSON  # fmt: skip
KINDS = st.sampled_from(["string", "list", "hash", "set", "zset"])


@target(st.tuples(KEYS, KINDS, damaged(STORED)))
def stored_values(given: tuple[str, str, bytes]) -> None:
    """Whatever stands under a key of ours, and of whatever type, requests are served and nothing ends."""
    pool, (key, kind, value) = live.pool(), given
    pool.provider.answer = _WHOLE
    with pool.redis() as client:
        client.delete(key)
        write = {
            "string": lambda: client.set(key, value, ex=30),
            "list": lambda: client.rpush(key, value),
            "hash": lambda: client.hset(key, mapping={value: value, b"openai/raw": value}),
            "set": lambda: client.sadd(key, value),
            "zset": lambda: client.zadd(key, {value: 1}),
        }
        write[kind]()
        client.expire(key, 30)

    answer = pool.chat(session=SESSION)
    listed = pool.http.get(
        pool.url("/admin/api/v1/pins"), headers={"Authorization": f"Bearer {live.ADMIN_TOKEN}"}, timeout=10
    )

    assert answer.status_code == 200, answer.text
    assert listed.status_code < 500, listed.text
    json.loads(answer.content)
    pool.well()
    with pool.redis() as client:
        client.delete(key)
