"""What a request says: who asks, in which trace, about what, with which routes."""

import re
from typing import Any

import msgspec
from hypothesis import strategies as st

from shared.domain import conversation, pins, routes
from shared.domain.catalog import Catalog, Model, Provider
from shared.domain.sessions import MAX_LENGTH, Session, identifier
from shared.errors import BadRequest
from shared.store import keys
from tests.fuzz.target import outcome, target
from tests.fuzz.texts import JSON, OBJECTS, STRINGS, damaged
from web.ops import tracing

WSGI_TEXT = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=300),
    st.text(max_size=270).map(lambda text: text.encode("utf-8", "surrogatepass").decode("latin-1")),
)
"""A header's value as WSGI has it: each byte is a character."""
IDS = st.text(min_size=1, max_size=12) | st.text(st.sampled_from(":%3Aa \x00é"), min_size=1, max_size=4)
SESSIONS = st.builds(Session, IDS, st.none() | IDS)
PROVIDER = Provider(name="openai", base_url="http://x/v1", interface="openai")
CATALOG = Catalog(
    (Model("openai/a", "a", PROVIDER), Model("openai/b", "b", PROVIDER)),
    wildcards=(PROVIDER,),
    aliases={"c": "openai/a"},
)


@target(WSGI_TEXT)
def session_id(value: str) -> None:
    """An id is absent, refused, or short, trimmed and printable; and read again it is the same."""
    read = outcome(BadRequest, identifier, value, header="h")

    if isinstance(read, BadRequest):
        assert read.param == "h"
    elif read is not None:
        assert 0 < len(read) <= MAX_LENGTH
        assert read == read.strip()
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", read)
        assert identifier(read.encode().decode("latin-1"), header="h") == read


@target(st.tuples(SESSIONS, SESSIONS))
def pin_keys(given: tuple[Session, Session]) -> None:
    """Two sessions share a key, and a job, exactly when they are the same."""
    one, other = given

    assert (keys.affinity(one) == keys.affinity(other)) is (one == other)
    assert (keys.decision_job(one) == keys.decision_job(other)) is (one == other)
    assert re.fullmatch(r"plano:affinity:[\x21-\x7e]+", keys.affinity(one))


HEX = "[0-9a-f]"
TRACEPARENTS = st.from_regex(rf"0[0-1]-({HEX}{{32}}|0{{32}})-({HEX}{{16}}|0{{16}})-{HEX}{{2}}\n?", fullmatch=True)


@target(st.tuples(WSGI_TEXT | TRACEPARENTS, WSGI_TEXT))
def trace_ids(given: tuple[str, str]) -> None:
    """Whatever a client says, the ids that travel on are well formed, and its own only if they were."""
    environ: dict[str, Any] = {"HTTP_TRACEPARENT": given[0], "HTTP_X_REQUEST_ID": given[1]}

    trace = tracing.trace_of(environ)

    assert re.fullmatch(rf"00-{HEX}{{32}}-{HEX}{{16}}-{HEX}{{2}}", trace.traceparent)
    assert trace.trace_id != "0" * 32
    assert re.fullmatch(r"[\x21-\x7e]{1,128}", trace.request_id)
    assert tracing.trace_of(environ) is trace


NAMES = st.sampled_from(['"a"', '"b"', '"c"', '"openai/a"', '"openai/z"', '"none"', '"other"', '" "', '"openai/*"'])
PREFERENCES = st.lists(
    st.builds(
        '{{"name": {}, "description": {}, "models": [{}], "selection_policy": {}}}'.format,
        NAMES | STRINGS,
        STRINGS,
        st.lists(NAMES, max_size=3).map(",".join),
        st.sampled_from(["null", "{}", '{"prefer": "cheapest"}', '{"prefer": ""}', '{"prefer": "best"}', "5"]),
    ),
    max_size=3,
).map(lambda entries: f"[{','.join(entries)}]")


@target(damaged(PREFERENCES) | damaged(JSON))
def preferences(raw: bytes) -> None:
    """Inline preferences are routes to configured models, each with a name, or a bad request that says where."""
    read = outcome(BadRequest, routes.from_request, raw, CATALOG.qualify, ("cost", "latency"))
    if isinstance(read, BadRequest):
        assert str(read.param).startswith("routing_preferences")
        return

    read = read or ()
    names = [route.name for route in read]
    assert len(set(names)) == len(names)
    assert not {"", routes.NO_ROUTE} & {name.strip() for name in names}
    for route in read:
        assert route.models
        assert all(CATALOG.get(model).name == model for model in route.models)


ROLES = st.sampled_from(['"user"', '"assistant"', '"system"', "5", "null"])
PARTS = st.builds('[{{"type": "text", "text": {}}}, {}]'.format, STRINGS, JSON)
LONG = st.integers(1, 9000).map(lambda length: f'"{"x" * length}"')
TURNS = st.builds('{{"role": {}, "content": {}}}'.format, ROLES, STRINGS | PARTS | JSON | LONG)
CONVERSATIONS = st.lists(TURNS | JSON, max_size=20).map(lambda turns: f"[{','.join(turns)}]")


@target(damaged(CONVERSATIONS) | damaged(OBJECTS))
def messages(raw: bytes) -> None:
    """A conversation is a few texts that fit into the router's window, or a bad request that says where."""
    read = outcome(BadRequest, conversation.read, raw)
    if isinstance(read, BadRequest):
        assert str(read.param).startswith("messages")
        return

    assert len(read) <= conversation.MAX_MESSAGES
    assert sum(conversation.estimate(message.content) for message in read) <= conversation.MAX_TOKENS
    assert all(message.content.strip() and message.role in {"user", "assistant"} for message in read)


@target(damaged(OBJECTS) | damaged(st.just('{"model_name": "openai/a", "route_name": null, "models": ["a"]}')))
def pin_values(value: bytes) -> None:
    """What stands in Redis is a pin, or no pin."""
    pin = outcome(msgspec.DecodeError, pins.decode, value)

    assert isinstance(pin, msgspec.DecodeError) or pins.decode(pins.encode(pin)) == pin
