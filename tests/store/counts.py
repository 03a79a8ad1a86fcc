"""What a Redis counts of those who use it."""

import redis


def calls(own: redis.Redis, command: str) -> int:
    """How often a command was called."""
    stats = own.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def blocked(own: redis.Redis) -> int:
    """How many wait in a blocking command."""
    return int(own.info("clients")["blocked_clients"])


def connections(own: redis.Redis) -> int:
    """How many there are, besides the one that asks."""
    return len(own.client_list()) - 1


def received(own: redis.Redis) -> int:
    """How many there have been since it started."""
    return int(own.info("stats")["total_connections_received"])
