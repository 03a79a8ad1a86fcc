"""Every key this product owns in Redis.

| key                                                  | type    | content                        | ttl             |
| ---------------------------------------------------- | ------- | ------------------------------ | --------------- |
| plano:affinity:<tenant>:<session>                    | string  | the pin, as JSON               | session_ttl_s   |
| plano:affinity:<session>                             | string  | … of a session without tenant  | session_ttl_s   |
| plano:affinity:…<session>~<lane>                     | string  | … of one thread of an agent    | session_ttl_s   |
| plano:budget:…                                       | hash    | saved, spent, what is warm     | 1 h, renewed    |
| plano:response:<tenant>:<id>                         | string  | the model that made it         | session_ttl_s   |
| plano:metrics:snapshot                               | string  | cost and latency, as JSON      | 9 refreshes     |
| plano:metrics:observed                               | hash    | model: time to first byte      | 9 half-lives    |
| plano:money:<hour>                                   | hash    | account: cost, kept, lost      | 8 days          |
| plano:replica:<id>                                   | hash    | address, version, config digest| 30 s, renewed   |
| plano:replicas                                       | zset    | the ids of those that live     | 30 s, renewed   |
| plano:cooldown:<provider/model>                      | string  | why and since when it sits out | time to sit out |
| plano:failures:<provider/model>                      | string  | how often it failed in a row   | that + 10 min   |
| plano:probe:<provider/model>                         | string  | that one request tries it      | 10 s            |
| plano:drain:<provider/model>                         | string  | who drains it since when       | 7 days          |
| plano:suspected:<provider/model>                     | string  | whose request it failed last   | 10 s            |
| plano:sessions:<key's name or address>:<minute>      | string  | how many sessions it began     | 2 min           |
| plano:session:…                                      | hash    | sums of a session              | its pin + 24 h  |
| plano:events:…                                       | list    | its newest events, as JSON     | its pin + 24 h  |
| plano:top:<order>                                    | zset    | the 1,000 first sessions       | a pin + 24 h    |
| plano:stats:<minute>                                 | hash    | what the pool did in a minute  | 25 h            |
| plano:written                                        | string  | that somebody could write      | 30 s, renewed   |
| plano:decided:<process>                              | channel | a job and its result, as JSON  | is no key       |

A pin that lives as long as its provider's prompt cache says so itself, and has that ttl (`Pin.ttl_s`).
Everything under `rq:` belongs to RQ.
"""

import hashlib
import re
from urllib.parse import quote, unquote

from shared.domain.sessions import Session

AFFINITY = "plano:affinity:"
RECORD = "plano:session:"
EVENTS = "plano:events:"
METRICS_SNAPSHOT = "plano:metrics:snapshot"
OBSERVED = "plano:metrics:observed"
WRITTEN = "plano:written"
REPLICAS = "plano:replicas"

# Printable ASCII stays as it is, so that keys are readable in redis-cli. All else, and `:`, `~` and `%`, is
# percent-encoded, so that no two of tenant, session and lane share a key.
_VERBATIM = "!\"#$&'()*+,/;<=>?@[\\]^`{|}"
_AS_IT_IS = re.compile(rf"[A-Za-z0-9_.{re.escape(_VERBATIM)}-]*").fullmatch


def affinity(session: Session) -> str:
    """The key of the session's pin."""
    return AFFINITY + named(session)


def named(session: Session) -> str:
    """What the keys of all that is kept of the session end with."""
    name = "~".join(map(_escaped, (session.id, *session.lane))) if session.lane else _escaped(session.id)
    return name if session.tenant is None else f"{_escaped(session.tenant)}:{name}"


def matching(tenant: str | None = None, part: str = "") -> str:
    """A pattern for the names of sessions whose id has that part: those of a tenant, or all; as SCAN has patterns."""
    whose = "" if tenant is None else f"{_literal(tenant)}:"
    return f"{whose}*{_literal(part)}*" if part else f"{whose}*"


def budget(session: Session) -> str:
    """The key of the ledger of a session that may change its model when it pays; it ends as the pin's key does."""
    return "plano:budget:" + named(session)


def record(session: Session) -> str:
    """The key of what is kept of a session; it ends as the pin's key does."""
    return RECORD + named(session)


def events(session: Session) -> str:
    """The key of what has happened to a session; it ends as the pin's key does."""
    return EVENTS + named(session)


def top(order: str) -> str:
    """The key of the sessions that come first in an order; its members are what the keys of their pins end with."""
    return f"plano:top:{order}"


def stats(minute: int) -> str:
    """The key of what the pool has done in a minute, which is counted from the epoch."""
    return f"plano:stats:{minute}"


def session_of(key: str) -> Session | None:
    """The session whose pin has this key; None for a key that no session has."""
    tenant, colon, name = key.removeprefix(AFFINITY).rpartition(":")
    session_id, *lane = map(_unescaped, name.split("~"))
    session = Session(session_id, _unescaped(tenant) if colon else None, tuple(lane))
    return session if affinity(session) == key else None


def response(tenant: str | None, response_id: str) -> str:
    """The key of the model that made a response which its provider keeps."""
    name = _escaped(response_id)
    return f"plano:response:{name}" if tenant is None else f"plano:response:{_escaped(tenant)}:{name}"


def decision_job(session: Session) -> str:
    """The id of the one decision that a session can have under way: a hash, since RQ allows few characters in it."""
    return "decide-" + hashlib.sha256(affinity(session).encode()).hexdigest()[:40]


def decided(process_id: str) -> str:
    """The channel on which one process hears the results of the jobs that it queued."""
    return f"plano:decided:{process_id}"


def cooldown(model: str) -> str:
    """The key that says that a model sits out."""
    return f"plano:cooldown:{model}"


def failures(model: str) -> str:
    """The key of the record of a model's failures."""
    return f"plano:failures:{model}"


def drain(model: str) -> str:
    """The key that says that an operator drains a model."""
    return f"plano:drain:{model}"


def suspected(model: str) -> str:
    """The key of the request that a model failed last, while that may be the request's fault."""
    return f"plano:suspected:{model}"


def probe(model: str) -> str:
    """The key that says that a request is trying whether a model is well again."""
    return f"plano:probe:{model}"


def sessions(client: str, minute: int) -> str:
    """The key of the count of a client's new sessions in a minute; `minute` is counted from the epoch."""
    return f"plano:sessions:{_escaped(client)}:{minute}"


def money(hour: int) -> str:
    """The key of what answers have cost and saved in an hour, which is counted from the epoch."""
    return f"plano:money:{hour}"


def replica(replica_id: str) -> str:
    """The key of a web process's heartbeat."""
    return f"plano:replica:{replica_id}"


def _escaped(text: str) -> str:
    if _AS_IT_IS(text):  # quote() takes ten times as long to find that out
        return text
    return quote(text, safe=_VERBATIM, errors="surrogatepass").replace("~", "%7E")  # which quote() never encodes


def _literal(text: str) -> str:
    """The text as a pattern that only it fits."""
    return "".join(f"\\{char}" if char in "*?[]^\\" else char for char in _escaped(text))


def _unescaped(text: str) -> str:
    return unquote(text, errors="surrogatepass")
