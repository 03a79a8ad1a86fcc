"""How Redis is reached: the one place for time limits on its sockets."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def pool(url: str, *, answer_s: float, verify_tls: bool) -> redis.ConnectionPool:
    """How one connection is made; each step of connecting, and each write, takes at most so many seconds."""
    options = _options(url, answer_s, verify_tls=verify_tls)
    # Over a unix socket, too, where a client of redis-py would stumble over it when it is reached (redis-py 8.1).
    return redis.ConnectionPool.from_url(url, **options | {"socket_connect_timeout": answer_s})


def waiting_client(url: str, *, connections: int, patience_s: float, verify_tls: bool) -> redis.Redis:
    """A client of at most so many connections; whoever needs one more waits for it."""
    options = _options(url, patience_s, verify_tls=verify_tls)
    waiting = redis.BlockingConnectionPool.from_url(url, max_connections=connections, timeout=patience_s, **options)
    return redis.Redis(connection_pool=waiting)


def _options(url: str, answer_s: float, *, verify_tls: bool) -> dict[str, Any]:
    """Left to itself redis-py would try ten times, five seconds each."""
    options: dict[str, Any] = {"socket_timeout": answer_s, "retry": Retry(NoBackoff(), 0), "protocol": 2}
    if not url.startswith("unix:"):
        options["socket_connect_timeout"] = answer_s
    if url.startswith("rediss:") and not verify_tls:
        options |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return options
