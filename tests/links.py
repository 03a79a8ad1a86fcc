"""Links to a Redis that a test has a client or a URL of."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import fakeredis

from shared.errors import Away, StoreDown
from shared.store import connections
from shared.store.link import Link
from shared.store.patience import Patience
from shared.store.pipe import Pipe


def link_to(url: str, *, error: type[Away] = StoreDown, answer_s: float = 5.0, request_s: float = math.inf) -> Link:
    """As a process of the pool makes it."""
    pool = connections.pool(url, answer_s=answer_s, verify_tls=True)
    return Link(Pipe(pool, Patience(answer_s, request_s)), "pins", error)


@contextmanager
def link_like(played: fakeredis.FakeRedis) -> Iterator[Link]:
    """To a Redis that fakeredis plays; it is closed at the end."""
    link = Link(Pipe(played.connection_pool, Patience(5)), "pins", StoreDown)
    yield link
    link.pipe.close()
