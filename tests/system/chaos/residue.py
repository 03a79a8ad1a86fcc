"""What is left after a run: in Redis, in logs, and in the processes that live."""

import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import redis

from tests.harness import Process, wait_until
from tests.system.asking import DEEP, ask
from tests.system.chaos.clients import SECRET
from tests.system.chaos.world import OWN, World

REDIS_CONNECTIONS = 8
"""What a process may hold, whatever comes."""
DEGRADED = "x-plano-degraded"
OUTSIDE = {"web": 4, "worker": 64}
"""How many connections to models and routers a process may keep for later: a worker one for each job at once."""
SPARE = 6
"""How many descriptors more than at the start are no leak: timers, a connection just being made."""
_QUIET_WITHIN_S = 20


@dataclass(frozen=True)
class Level:
    """What a process holds open."""

    name: str
    redis: int
    outside: int
    """Connections to model servers and to the router."""
    others: int
    """All its other file descriptors, but for connections that clients keep: a balancer lets go of them by and by."""

    @property
    def part(self) -> str:
        """web or worker."""
        return self.name.partition("-")[0]


def levels(world: World) -> list[Level]:
    """What each process that does the work holds now: of a replica gunicorn's child."""
    outside = {server.port for server in (*world.models, world.router)}
    return [_level(process, world.redis_port, outside) for process in world.processes]


def kept(world: World) -> list[str]:
    """What is kept that should not be: keys without a ttl, and conversations."""
    secret = SECRET.encode()
    found = []
    with world.redis.client() as client:
        found += [f"{key!r} never expires" for key in client.scan_iter("plano:*") if client.ttl(key) == -1]
        found += [f"{key!r} holds a conversation" for key, value in _values(client) if secret in _plain(value)]
    found += [f"{name} holds a conversation" for name, text in world.logs() if SECRET in text]
    found += [f"{name} holds a traceback" for name, text in world.logs() if "Traceback" in text]
    return found


def leaks(world: World, before: list[Level]) -> list[str]:
    """What processes hold beyond what they held at the start, once they have had the time to let go.

    The model servers close their connections first, as providers do with idle ones.
    """
    for server in world.models:
        server.close()
        server.start()
    usual = {part: max(level.others for level in before if level.part == part) for part in ("web", "worker")}

    def found() -> list[str]:
        more = [
            f"{level} where {REDIS_CONNECTIONS}, {OUTSIDE[level.part]} and {usual[level.part] + SPARE} are due"
            for level in levels(world)
            if level.others > usual[level.part] + SPARE
            or level.redis > REDIS_CONNECTIONS
            or level.outside > OUTSIDE[level.part]
        ]
        return more + [f"{server.url} still answers {server.open} requests" for server in world.models if server.open]

    return _in_the_end(found)


def forgotten(world: World) -> list[str]:
    """What `kept` finds still after a while: jobs of killed workers live as long as a decision may take."""
    return _in_the_end(lambda: kept(world))


def unwell(world: World) -> list[str]:
    """Which replicas do not serve a new session as they would have at the start."""

    def found() -> list[str]:
        answers = {port: ask(port, f"after-{uuid.uuid4().hex}", DEEP, model=OWN) for port in world.ports}
        return [
            f"the replica at {port} answers {answer.status_code}, degraded: {answer.headers.get(DEGRADED)}"
            for port, answer in answers.items()
            if not answer.ok or DEGRADED in answer.headers
        ]

    return _in_the_end(found)


def _in_the_end(found: Callable[[], list[str]]) -> list[str]:
    try:
        wait_until(lambda: not found(), within_s=_QUIET_WITHIN_S)
    except AssertionError:
        return found()
    return []


def _level(process: Process, redis_port: int, outside_ports: set[int]) -> Level:
    root = psutil.Process(process.pid)
    worker = next(iter(root.children()), root)
    held = worker.net_connections("tcp")
    far = [getattr(end.raddr, "port", None) for end in held]  # a listening one has none
    to_redis, outside = far.count(redis_port), sum(port in outside_ports for port in far)
    listens = {end.laddr.port for end in held if end.status == psutil.CONN_LISTEN}
    kept = sum(end.status == psutil.CONN_ESTABLISHED and end.laddr.port in listens for end in held)
    return Level(process.log.name, to_redis, outside, worker.num_fds() - to_redis - outside - kept)


def _plain(value: bytes) -> bytes:
    """RQ compresses what it keeps of a job."""
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def _values(client: redis.Redis) -> Iterator[tuple[bytes, bytes]]:
    """Everything that Redis holds, key by key."""
    read: dict[Any, Callable[[bytes], Any]] = {
        b"string": lambda key: [client.get(key) or b""],
        b"hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"none": lambda _: [],  # it has expired meanwhile
    }
    for key in client.scan_iter():
        yield key, key
        yield from ((key, value) for value in read[client.type(key)](key))
