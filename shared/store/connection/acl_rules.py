"""What the pool's user may do in Redis, and no more: for a Redis that others use, too."""

KEYS = ("plano:*", "rq:*")
CHANNELS = ("plano:decided:*",)
COMMANDS = (
    # strings and keys
    "get", "set", "mget", "getrange", "incrby", "del", "unlink", "exists", "expire", "persist", "ttl", "pttl", "type",
    # hashes
    "hget", "hset", "hsetnx", "hmget", "hgetall", "hexists", "hdel", "hincrby", "hincrbyfloat",
    # lists, sets and sorted sets: the queue and RQ's registries
    "rpush", "lrange", "lrem", "ltrim", "lmove", "blmove", "llen", "sadd", "srem", "smembers", "sismember",
    "zadd", "zrem", "zcard", "zscore", "zrange", "zrangebyscore", "zremrangebyscore", "zremrangebyrank",
    "xadd",
    # results, transactions and scripts
    "publish", "subscribe", "unsubscribe", "multi", "exec", "discard", "watch", "unwatch",
    "eval", "evalsha", "script|load",
    # the connection, and the pages of /admin
    "ping", "select", "info", "client|setname", "time", "scan",
)  # fmt: skip
"""Of Redis 6.2 and later, by what they are for."""


def acl(user: str = "plano", password: str = "<password>") -> str:  # noqa: S107 - a place to fill in
    """The command for redis-cli that makes the user."""
    keys = " ".join(f"~{pattern}" for pattern in KEYS)
    channels = " ".join(f"&{pattern}" for pattern in CHANNELS)
    commands = " ".join(f"+{name}" for name in COMMANDS)
    return f"ACL SETUSER {user} reset resetchannels on >{password} {keys} {channels} -@all {commands}"
