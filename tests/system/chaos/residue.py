"""What is left after a run: in Redis, in logs, and in the processes that live."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import redis

from tests.harness import Process, wait_until
from tests.system.chaos.clients import SECRET
from tests.system.chaos.world import World

REDIS_CONNECTIONS = 8
"""What a process may hold, whatever comes."""
SPARE = 6
"""How many descriptors more than at the start are no leak: timers, a connection just being made."""
_QUIET_WITHIN_S = 20


@dataclass(frozen=True)
class Level:
    """What a process holds open."""

    name: str
    redis: int
    models: int
    """Idle connections to model servers, which are kept for the next request."""
    others: int
    """Every other file descriptor."""


def levels(world: World) -> list[Level]:
    """What each process that does the work holds now: of a replica gunicorn's child."""
    model_ports = {server.port for server in world.models}
    return [_level(process, world.redis_port, model_ports) for process in world.processes]


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


def leaks(world: World, before: list[Level], most_open: int) -> list[str]:
    """What processes hold beyond what they held at the start, once they have had the time to let go."""
    most_others = {name[:3]: max(one.others for one in before if one.name[:3] == name[:3]) for name in _names(before)}

    def found() -> list[str]:
        return [
            f"{level} where at most {most_others[level.name[:3]] + SPARE} others, {REDIS_CONNECTIONS} to Redis and "
            f"{most_open} to models are due"
            for level in levels(world)
            if level.others > most_others[level.name[:3]] + SPARE
            or level.redis > REDIS_CONNECTIONS
            or level.models > most_open
        ]

    try:
        wait_until(lambda: not found(), within_s=_QUIET_WITHIN_S)
    except AssertionError:
        return found()
    return [f"{server.url} still answers {server.open} requests" for server in world.models if server.open]


def forgotten(world: World) -> list[str]:
    """What `kept` finds still after a while: jobs of killed workers live as long as a decision may take."""
    try:
        wait_until(lambda: not kept(world), within_s=_QUIET_WITHIN_S)
    except AssertionError:
        return kept(world)
    return []


def _names(before: list[Level]) -> set[str]:
    return {level.name for level in before}


def _level(process: Process, redis_port: int, model_ports: set[int]) -> Level:
    root = psutil.Process(process.pid)
    worker = next(iter(root.children()), root)
    far = [end.raddr.port for end in worker.net_connections("tcp") if end.raddr]
    to_redis, to_models = far.count(redis_port), sum(port in model_ports for port in far)
    return Level(process.log.name, to_redis, to_models, worker.num_fds() - to_redis - to_models)


def _plain(value: bytes) -> bytes:
    """RQ compresses what it keeps of a job."""
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def _values(client: "redis.Redis") -> Iterator[tuple[bytes, bytes]]:
    """Everything that Redis holds, key by key."""
    for key in client.scan_iter():
        yield key, key
        match client.type(key):
            case b"string":
                yield key, client.get(key) or b""
            case b"hash":
                for name, value in client.hgetall(key).items():
                    yield key, name
                    yield key, value
            case b"list":
                yield from ((key, value) for value in client.lrange(key, 0, -1))
            case b"set":
                yield from ((key, value) for value in client.smembers(key))
            case b"zset":
                yield from ((key, value) for value in client.zrange(key, 0, -1))
