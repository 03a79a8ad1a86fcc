"""The commands with which an operator looks at a pool and steers it: what they print, and how they end."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from shared.cli import main
from shared.domain.pins import Pin
from shared.domain.session_records import Event, What
from shared.domain.sessions import Session
from shared.store import keys
from shared.store.connection.acl_rules import acl
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore
from shared.store.pin_admin import PinAdmin
from shared.store.web_replicas import Replicas
from tests.fakes.ports import free_port
from tests.harness import RedisServer
from tests.store.operating import CONFIG, pin_of, records, used

Plano = Callable[..., Result]
ONE, TWO = Session("one", "acme", ("main",)), Session("two")
SESSION_COMMANDS = (["session"], ["unpin"], ["hold"], ["release"], ["explain", "--session"])


@pytest.fixture
def plano(tmp_path: Path, store: redis.Redis, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Plano:
    del store  # empty
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    monkeypatch.setenv("PLANO_CONFIG", str(path))

    def run(*arguments: str, url: str = redis_server.url) -> Result:
        return CliRunner().invoke(main, [*arguments, "--redis-url", url])

    return run


@pytest.fixture
def two(client: StoreClient) -> None:
    used(client, ONE, "acme/a", ago_s=130, cost_usd=1.25)
    used(client, TWO, "acme/b", ago_s=7300, cost_usd=3.5)


def rows(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.output
    return [re.split(r"\s{2,}", line.strip()) for line in result.output.splitlines()]


@pytest.mark.usefixtures("two")
def test_sessions_are_listed_by_last_use_or_cost(plano: Plano) -> None:
    head, first, second = rows(plano("sessions"))
    by_cost = rows(plano("sessions", "--by", "cost"))

    assert head == ["session", "tenant", "model", "used", "turns", "moves", "cost", "kept", "pin ends in"]
    assert first[:8] == ["one~main", "acme", "acme/a", "2 min ago", "1", "0", "1.2500", "0.5000"]
    assert second[:4] == ["two", "-", "acme/b", "2 h ago"]
    assert [row[0] for row in by_cost[1:]] == ["two", "one~main"]


@pytest.mark.usefixtures("two")
def test_programs_are_told_the_same(plano: Plano) -> None:
    first, second = json.loads(plano("sessions", "--json").output)

    assert (first["id"], first["tenant"], first["lane"]) == ("one", "acme", ["main"])
    assert (first["model"], first["route"], first["pinned"], first["held"]) == ("acme/a", "code", True, False)
    assert 0 < first["ttl_s"] <= 600
    assert (first["record"]["cost_usd"], second["record"]["turns"]) == (1.25, 1)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--tenant", "acme"], ["one"]),
        (["--model", "clever"], ["two"]),
        (["--find", "w"], ["two"]),
        (["--every", "--tenant", "acme"], ["one"]),
        (["--limit", "1"], ["one"]),
        (["--ended", "--by", "kept", "--model", "acme/a"], ["one"]),
        (["--tenant", "none"], []),
    ],
)
def test_filters_say_which(plano: Plano, arguments: list[str], found: list[str]) -> None:
    shown = plano("sessions", "--json", *arguments)

    assert shown.exit_code == 0
    assert [row["id"] for row in json.loads(shown.output)] == found


def test_all_are_found_page_after_page(plano: Plano, client: StoreClient) -> None:
    view = PinAdmin(client)
    for n in range(2500):
        view.put(keys.affinity(Session(f"s{n}")).encode(), Pin(model_name="acme/a", route_name=None), 60)

    every = json.loads(plano("sessions", "--every", "--limit", "5000", "--json").output)

    assert len({row["id"] for row in every}) == len(every) == 2500


def test_a_pool_without_sessions_says_so(plano: Plano) -> None:
    assert plano("sessions").output == "no session\n"
    assert json.loads(plano("sessions", "--json").output) == []


@pytest.mark.usefixtures("two")
def test_a_session_says_where_it_is_what_it_cost_and_what_happened(plano: Plano, client: StoreClient) -> None:
    moved = Event(at=1769860800.0, what=What.MOVED, model="acme/b", left="acme/a", why="503", replica="host-1")
    records(client).note(TWO, moved)
    plano("hold", "two", "--who", "ann", "--why", "a look")

    shown = plano("session", "two").output.splitlines()

    assert shown[0] == "session two"
    assert re.fullmatch(
        r"  pinned to acme/b, by the route code, held there by an operator; the pin ends in \d+ min", shown[1]
    )
    assert re.fullmatch(r"  begun .* UTC by team; used 2 h ago", shown[2])
    assert shown[3] == "  1 turn, 0 moves; tokens: 10 read, 20 from a cache, 3 written"
    assert shown[4] == "  US$ 3.5000 paid, 0.5000 kept by prompt caches"
    assert shown[6] == "2026-01-31 12:00:00  moved from acme/a to acme/b: acme/a answered 503 (host-1)"
    assert shown[7].endswith("was given acme/b by the route code")
    assert shown[8].endswith("ann held it at acme/b: a look")


@pytest.mark.usefixtures("two")
def test_programs_are_told_the_events_and_their_words(plano: Plano) -> None:
    (event,) = json.loads(plano("session", "one", "--tenant", "acme", "--thread", "main", "--json").output)["events"]

    assert (event["what"], event["model"]) == ("decided", "acme/a")
    assert event["words"] == "was given acme/a by the route code"


@pytest.mark.parametrize("command", SESSION_COMMANDS)
@pytest.mark.usefixtures("two")
def test_a_session_that_is_not_there_ends_with_1(plano: Plano, command: list[str]) -> None:
    """The same id of another tenant is another session."""
    shown = plano(*command, "one", "--tenant", "other")

    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "the session 'one' of the tenant 'other'" in shown.stderr


@pytest.mark.parametrize("command", [["sessions"], ["models"], ["top"], *([*each, "x"] for each in SESSION_COMMANDS)])
def test_a_redis_that_is_away_ends_with_1_and_tells_no_secret(plano: Plano, command: list[str]) -> None:
    shown = plano(*command, url=f"redis://user:secret@127.0.0.1:{free_port()}")

    assert shown.exit_code == 1
    assert "Connection refused" in shown.stderr
    assert "secret" not in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["pin", "one"],
        ["pin", "one", "acme/a", "--ttl", "1y"],
        ["pin", " ", "acme/a"],
        ["hold", "one\nx"],
        ["sessions", "--by", "name"],
        ["sessions", "--limit", "0"],
        ["explain"],
        ["explain", "--route", "code", "--session", "x"],
    ],
)
def test_wrong_usage_ends_with_2(plano: Plano, arguments: list[str]) -> None:
    shown = plano(*arguments)

    assert shown.exit_code == 2
    assert "Error: " in shown.stderr


@pytest.mark.parametrize("arguments", [["pin", "one", "nobody/x"], ["drain", "nobody/x"], ["undrain", "nobody/x"]])
def test_a_model_that_is_not_configured_ends_with_1(plano: Plano, store: redis.Redis, arguments: list[str]) -> None:
    shown = plano(*arguments)

    assert shown.exit_code == 1
    assert "'nobody/x' is not configured" in shown.stderr
    assert store.keys("plano:*") == []


@pytest.mark.usefixtures("two")
def test_a_session_is_pinned_held_released_and_unpinned(plano: Plano, store: redis.Redis) -> None:
    named = ["one", "--tenant", "acme", "--thread", "main"]

    pinned = plano("pin", *named, "clever", "--ttl", "2h", "--why", "faster")
    held, free = plano("hold", *named), json.loads(plano("release", *named, "--json").output)
    ended = plano("unpin", *named)

    assert re.fullmatch(r"one: acme/b; the pin ends in (2 h|1\d\d min)\n", pinned.output)
    assert re.fullmatch(r"one: acme/b, held; the pin ends in (2 h|1\d\d min)\n", held.output)
    assert (free["model"], free["held"]) == ("acme/b", False)
    assert ended.output == "one: not pinned; its next request is decided anew\n"
    assert pin_of(store, ONE) is None
    events = json.loads(plano("session", *named, "--json").output)["events"]
    assert [event["why"] for event in events if event["what"] == "edited"] == ["pin", "hold", "release", "unpin"]
    assert all("@" in event["who"] for event in events if event["what"] == "edited")
    assert events[1]["words"].endswith("pinned it to acme/b in place of acme/a: faster")


@pytest.mark.usefixtures("two")
def test_models_say_what_they_do_and_why(plano: Plano, client: StoreClient) -> None:
    CooldownStore(client).failed("acme/b", "503", None)
    drained = plano("drain", "a", "--now", "--who", "ann", "--why", "new prices")

    head, first, second, third = rows(plano("models"))

    assert drained.output == "acme/a: drained; 1 of the newest sessions are there\n"
    assert head == ["model", "state", "sessions", "share", "input", "output", "first byte", "why"]
    assert first[:4] == ["acme/a", "drained", "1", "50%"]
    assert re.fullmatch(r"by ann, \d+ s ago, at once: new prices", first[-1])
    assert second[:2] == ["acme/b", "sits out"]
    assert re.fullmatch(r"503, 1 in a row, \d+ s ago", second[-1])
    assert third == ["house/c", "serving", "0", "0%", "-", "-", "-"]
    assert json.loads(plano("models", "--json").output)[0]["drain"]["who"] == "ann"


def test_a_drain_is_ended_once(plano: Plano) -> None:
    plano("drain", "acme/a")

    first, second = plano("undrain", "acme/a"), plano("undrain", "acme/a")

    assert (first.exit_code, first.output) == (0, "acme/a: drained no longer\n")
    assert (second.exit_code, second.stderr) == (1, "acme/a: was not drained\n")


@pytest.mark.usefixtures("two")
def test_a_session_is_explained_with_the_candidates_of_its_route(plano: Plano) -> None:
    plano("drain", "acme/b")

    shown = plano("explain", "--session", "two").output.splitlines()

    assert shown[0] == "session two"
    assert re.fullmatch(r"  at .* UTC it was given acme/b by the route code", shown[5])
    assert shown[6].startswith("  acme/b is drained: the session moves at its next turn that is not bound")
    assert shown[8] == "route code, prefer none: the declared order"
    assert [line.split()[1] for line in shown[-3:]] == ["acme/a", "house/c", "acme/b"]
    assert shown[-1].endswith("it is drained: behind those that are not")


@pytest.mark.usefixtures("two")
def test_the_pool_is_shown_at_once_where_there_is_no_terminal(plano: Plano, client: StoreClient) -> None:
    for name, digest in (("h-1", "x"), ("h-2", "y")):
        Replicas(client).renew(name, {"address": "h:80", "version": "1", "config": digest})

    shown = plano("top")

    assert shown.exit_code == 0, shown.output
    assert "2 web processes" in shown.output
    assert "the web processes have different configs" in shown.output
    assert "no request in the last 5 full minutes" in shown.output
    assert re.search(r"acme/a +serving +1 +50%", shown.output)
    assert re.search(r"one~main +acme +acme/a", shown.output)


def test_what_a_client_has_put_into_a_name_is_no_command_to_the_terminal(plano: Plano, client: StoreClient) -> None:
    used(client, Session("\x1b[31mred\ud800", "[bold]t"), "acme/a")

    for command in (["sessions"], ["top"]):
        shown = plano(*command)

        assert shown.exit_code == 0
        assert "\x1b" not in shown.output
        assert "?[31mred?" in shown.output
        assert "[bold]t" in shown.output
    assert json.loads(plano("sessions", "--json").output)[0]["id"] == "\x1b[31mred\ud800"


@pytest.mark.usefixtures("two")
def test_the_pools_own_user_may_do_all_that_the_commands_need(
    plano: Plano, store: redis.Redis, redis_server: RedisServer
) -> None:
    """The commands run where the pool's config is, with its credential."""
    store.execute_command(*acl("pool", "secret").split())
    url = f"unix://pool@{redis_server.socket}?password=secret"
    commands = [
        ["sessions"], ["sessions", "--every"], ["sessions", "--every", "--ended"], ["session", "two"],
        ["explain", "--session", "two"], ["pin", "two", "acme/a"], ["hold", "two"], ["release", "two"],
        ["unpin", "two"], ["models"], ["drain", "acme/a"], ["undrain", "acme/a"], ["top"],
    ]  # fmt: skip

    ended = {" ".join(command): plano(*command, url=url) for command in commands}
    store.execute_command("ACL", "DELUSER", "pool")

    assert {name: result.stderr for name, result in ended.items() if result.exit_code} == {}
