"""Which Redis a pool has its pins in, and which its queue; and how many connections a process makes to each."""

from shared.config import Config
from shared.env_settings import Settings
from shared.store.connection.endpoint import RedisEndpoint

DEFAULT_REDIS = "redis://localhost:6379"

# A process has at most 8 connections, whatever the load: those for commands, one for each failure detector, and in
# web one for the subscription. Where the queue has a Redis of its own, those for commands are divided.
_ASKED_ON = 6
_ASKED_ON_WHEN_DIVIDED = {"pins": 3, "queue": 2}


def _pins_url(settings: Settings, config: Config) -> str:
    return settings.redis_url or config.routing.session_cache.url or DEFAULT_REDIS


def _queue_url(settings: Settings, config: Config) -> str:
    return settings.queue_redis_url or _pins_url(settings, config)


def endpoints(
    settings: Settings, config: Config, *, connections: int | None = None, blocks_s: float = 0.0
) -> tuple[RedisEndpoint, RedisEndpoint]:
    """The Redis of the pins and that of the queue. Usually they are one Redis, and then one endpoint."""
    pins_url, queue_url = _pins_url(settings, config), _queue_url(settings, config)

    def reach(url: str, name: str, most: int) -> RedisEndpoint:
        return RedisEndpoint(
            url,
            name=name,
            connections=connections or most,
            silence_s=config.routing.session_cache.silence_ms / 1000,
            blocks_s=blocks_s,
            verify_tls=settings.redis_tls_verify,
        )

    if pins_url == queue_url:
        shared = reach(pins_url, "redis", _ASKED_ON)
        return shared, shared
    return (
        reach(pins_url, "redis of the pins", _ASKED_ON_WHEN_DIVIDED["pins"]),
        reach(queue_url, "redis of the queue", _ASKED_ON_WHEN_DIVIDED["queue"]),
    )
