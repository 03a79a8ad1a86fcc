"""`plano redis`: what redis-cli is told, and what is written where there is none."""

import pytest
import redis

from shared.cli.redis_cli import ask, redis_cli
from shared.env_settings import Settings
from shared.errors import ConfigError
from tests.fakes.ports import free_port
from tests.harness import RedisServer


@pytest.mark.parametrize(
    ("url", "options", "env"),
    [
        ("unix:///run/redis.sock", "-s /run/redis.sock", {}),
        ("unix:///run/redis.sock?db=3", "-s /run/redis.sock -n 3", {}),
        ("redis://localhost", "-h localhost -p 6379", {}),
        ("redis://10.0.0.1:7000/2", "-h 10.0.0.1 -p 7000 -n 2", {}),
        ("redis://:p%40ss@redis", "-h redis -p 6379", {"REDISCLI_AUTH": "p@ss"}),
        ("redis://me:secret@redis:1?db=4", "-h redis -p 1 --user me -n 4", {"REDISCLI_AUTH": "secret"}),
        ("rediss://redis:1", "-h redis -p 1 --tls", {}),
    ],
)
def test_redis_cli_is_told_the_address_and_never_the_password(url: str, options: str, env: dict[str, str]) -> None:
    assert redis_cli(url, verify_tls=True) == (options.split(), env)


def test_redis_cli_accepts_a_self_signed_certificate_where_the_pool_does() -> None:
    options, _ = redis_cli("rediss://redis:1", verify_tls=False)

    assert options[-2:] == ["--tls", "--insecure"]


@pytest.mark.parametrize(
    ("command", "at_a_terminal", "in_a_pipe"),
    [
        ("GET text", [r'"say \"hi\"\n\\ é \x1b"'], ['say "hi"\n\\ é \x1b']),
        ("GET none", ["(nil)"], [""]),
        ("TTL text", ["(integer) -1"], ["-1"]),
        ("LRANGE list 0 -1", ['1) "a"', '2) "b"'], ["a", "b"]),
        ("LRANGE none 0 -1", ["(empty array)"], []),
        (
            "INCR text",
            ["(error) value is not an integer or out of range"],
            ["value is not an integer or out of range"],
        ),
        (
            "EVAL return{1,{'x',2}} 0",
            ["1) (integer) 1", '2) 1) "x"', "   2) (integer) 2"],
            ["1", "x", "2"],
        ),
    ],
)
def test_without_redis_cli_an_answer_is_written_as_it_would_be(
    store: redis.Redis, redis_server: RedisServer, command: str, at_a_terminal: list[str], in_a_pipe: list[str]
) -> None:
    store.set("text", 'say "hi"\n\\ é \x1b')
    store.rpush("list", "a", "b")

    shown = ask(Settings(), redis_server.url, command.split(), for_people=True)
    piped = ask(Settings(), redis_server.url, command.split(), for_people=False)

    assert (shown, piped) == (at_a_terminal, in_a_pipe)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:secret@127.0.0.1:{port}", "no Redis answers at redis://***@127.0.0.1:{port} (Connection refused)"),
        ("redis://:secret@redis:none", "redis://***@redis:none is no address of a Redis"),
    ],
)
def test_a_redis_that_is_away_is_said_without_its_password(url: str, said: str) -> None:
    port = free_port()

    with pytest.raises(ConfigError) as caught:
        ask(Settings(), url.format(port=port), ["PING"], for_people=False)

    assert str(caught.value) == said.format(port=port)


def test_without_redis_cli_there_is_no_prompt(redis_server: RedisServer) -> None:
    with pytest.raises(ConfigError, match="name a command"):
        ask(Settings(), redis_server.url, [], for_people=True)
