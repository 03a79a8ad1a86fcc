"""The checker of the chaos test finds what is wrong, and lets go what an event explains."""

from dataclasses import replace

import pytest

from tests.fakes.provider import Provider
from tests.system.asking import QUICK
from tests.system.chaos import schedule
from tests.system.chaos.allowances import Limits
from tests.system.chaos.checker import Run, violations
from tests.system.chaos.clients import Clients
from tests.system.chaos.record import Fault, Move, Turn, moves

A, B, C, D = schedule.MODELS
ROUTE = (A, B, C)
TTL_S = 100.0
PARTS = ("redis", "queue", "router")
LIMITS = Limits(decision_s=2, model_s=0.5, silence_s=5)
FIRST = Turn(
    session="s",
    number=0,
    route=ROUTE,
    streamed=False,
    began=10,
    ended=11,
    status=200,
    ours=True,
    model=B,
    whole=True,
)
PINNED = replace(FIRST, number=1, began=20, ended=21, pinned=True)
KILLED = Fault(part="web", kind="kill", target="web1", began=20, ended=22)


def fault(part: str, kind: str, target: str, began: float = 20, ended: float = 22) -> Fault:
    return Fault(part=part, kind=kind, target=target, began=began, ended=ended)


def check(*turns: Turn, faults: tuple[Fault, ...] = (), moved: tuple[Move, ...] = ()) -> list[str]:
    run = Run(turns=turns, faults=faults, moves=moved, ttl_s=TTL_S, limits=LIMITS, unrouted=(A, D))
    return violations(run)


def test_a_session_that_keeps_its_model_is_as_it_should_be() -> None:
    assert check(FIRST, PINNED, replace(PINNED, number=2, began=30, ended=31)) == []


@pytest.mark.parametrize(
    "turn",
    [
        replace(PINNED, model=C),
        replace(PINNED, model=C, pinned=False),
        replace(PINNED, pinned=False),
        replace(PINNED, model=C, pinned=False, fallback=(f"{A};503",)),
    ],
    ids=["another pin", "another decision", "decided again", "a failover from elsewhere"],
)
def test_a_session_that_changes_its_model_for_no_reason_is_found(turn: Turn) -> None:
    assert len(check(FIRST, turn)) == 1


def test_a_session_stays_where_it_fell_back_to() -> None:
    moved = Move(session="s", turn=1, to=C, standing=C, at=20)
    away = replace(PINNED, model=C, pinned=False, fallback=(f"{B};503",))
    there = replace(PINNED, number=2, began=30, ended=31, model=C)
    back = replace(there, model=B)

    assert check(FIRST, away, there, moved=(moved,)) == []
    assert len(check(FIRST, away, back, moved=(moved,))) == 1
    assert check(FIRST, away, back) == []  # nobody says that it was moved: Redis was away
    assert len(check(FIRST, away, replace(there, model=A))) == 1


def test_a_move_of_the_next_turn_says_nothing_of_the_one_before() -> None:
    """Two in one second, as the log has it: the first left the pin where it was, since two models failed alike."""
    kept = replace(PINNED, model=C, pinned=False, fallback=(f"{B};500", f"{A};500"))
    moving = replace(kept, number=2, began=21.1, ended=21.2)
    moved = Move(session="s", turn=2, to=C, standing=C, at=21)

    assert check(FIRST, kept, moving, moved=(moved,)) == []
    assert len(check(FIRST, kept, moving, moved=(replace(moved, turn=1),))) == 1


def test_a_move_that_only_the_log_tells_of_explains() -> None:
    """Its replica was killed before it could answer; another one answered the request."""
    moved = Move(session="s", turn=1, to=C, standing=C, at=20)

    assert check(FIRST, replace(PINNED, model=C), moved=(moved,)) == []
    assert len(check(FIRST, replace(PINNED, model=C), moved=(replace(moved, session="t"),))) == 1
    assert len(check(FIRST, replace(PINNED, model=C), moved=(replace(moved, at=12),))) == 1


def test_a_replica_that_was_killed_may_have_moved_a_pin_within_its_route_without_a_word() -> None:
    assert check(FIRST, replace(PINNED, model=C), faults=(KILLED,)) == []
    assert len(check(FIRST, replace(PINNED, model=D), faults=(KILLED,))) == 1
    assert len(check(FIRST, replace(PINNED, model=C, pinned=False), faults=(KILLED,))) == 1
    assert len(check(FIRST, replace(PINNED, model=C), faults=(replace(KILLED, kind="freeze"),))) == 1


def test_an_answer_that_says_that_something_was_away_moves_nothing() -> None:
    degraded = replace(PINNED, model=A, pinned=False, degraded="redis")
    after = replace(PINNED, number=2, began=30, ended=31)
    frozen = (fault("redis", "freeze", "redis0"),)

    assert check(FIRST, degraded, after, faults=frozen) == []
    assert len(check(FIRST, degraded, replace(after, model=A), faults=frozen)) == 1


def test_a_pin_may_change_once_it_is_over() -> None:
    late = replace(PINNED, began=10 + TTL_S, ended=11 + TTL_S, model=C, pinned=False)

    assert check(FIRST, late) == []
    assert len(check(FIRST, replace(late, began=50, ended=51))) == 1


def test_a_redis_that_came_back_empty_explains_and_a_frozen_one_does_not() -> None:
    anew = replace(PINNED, began=30, ended=31, model=C, pinned=False)

    assert check(FIRST, anew, faults=(fault("redis", "kill", "redis0"),)) == []
    assert len(check(FIRST, anew, faults=(fault("redis", "kill", "redis0", 5, 9),))) == 1
    assert len(check(FIRST, anew, faults=(fault("redis", "freeze", "redis0"),))) == 1


def test_an_error_is_explained_by_nothing_but_that_every_candidate_is_out() -> None:
    error = replace(PINNED, status=503, pinned=False, model=C, fallback=(f"{B};500", f"{A};500"))
    out = [fault("model", "500", model) for model in ROUTE]

    assert check(FIRST, error, faults=tuple(out)) == []
    assert len(check(FIRST, error, faults=tuple(out[1:]))) == 1
    assert len(check(FIRST, error, faults=(*out[1:], fault("model", "500", A, 1, 9)))) == 1


def test_without_redis_the_candidates_are_the_requests_own_model_and_the_default() -> None:
    error = replace(PINNED, status=503, pinned=False, degraded="redis")
    frozen = fault("redis", "freeze", "redis0")

    assert check(FIRST, error, faults=(frozen, fault("model", "500", A), fault("model", "close", D))) == []
    assert len(check(FIRST, error, faults=(frozen, *(fault("model", "500", model) for model in ROUTE)))) == 1


def test_an_error_of_the_balancer_is_never_explained() -> None:
    """It asks the other replicas."""
    error = replace(PINNED, status=503, ours=False, model=None, pinned=False)
    out = tuple(fault("model", "500", model) for model in ROUTE)

    assert len(check(FIRST, error, faults=(KILLED, *out))) == 1


def test_a_broken_answer_is_explained_by_the_end_of_a_replica_or_of_the_models_stream() -> None:
    half = fault("model", "half_stream", B)
    plain, streamed = replace(PINNED, whole=False), replace(PINNED, whole=False, streamed=True)

    assert check(FIRST, plain, faults=(KILLED,)) == check(FIRST, streamed, faults=(half,)) == []
    assert len(check(FIRST, plain, faults=(half,))) == 1
    assert len(check(FIRST, streamed, faults=(fault("model", "half_stream", C),))) == 1
    assert len(check(FIRST, streamed, faults=(replace(KILLED, kind="restart"),))) == 1


def test_a_connection_that_breaks_is_explained_by_the_end_of_a_replica() -> None:
    broken = replace(PINNED, status=None, ours=False, model=None, pinned=False, whole=False)

    assert check(FIRST, broken, faults=(KILLED,)) == []
    assert len(check(FIRST, broken)) == 1


@pytest.mark.parametrize(
    ("faults", "most_s"),
    [
        ((), 3.0),
        ((fault("worker", "kill", "worker0"),), 3.0),
        ((fault("web", "restart", "web1"),), 3.0),
        ((fault("model", "500", A), fault("model", "close", B)), 3.0),
        ((fault("redis", "freeze", "redis0"),), 3.3),
        ((fault("web", "freeze", "web1", 20.5, 21),), 3.5),
        ((fault("web", "kill", "web1", 21, 30),), 4.0),
        ((fault("web", "crash", "web1", 21, 22),), 5.0),
        ((fault("model", "hang", A),), 8.0),
        ((fault("model", "hang", A), fault("model", "hang", B)), 8.0),
        ((fault("model", "hang", D),), 3.0),
        ((fault("model", "hang", A, 1, 9), fault("redis", "freeze", "redis0", 1, 9)), 3.0),
    ],
    ids=[
        "none",
        "no worker: the decision's own time",
        "a restart loses nothing",
        "who fails does so at once",
        "a wait for Redis",
        "a frozen replica",
        "asked again after the kill",
        "asked again of the next child",
        "a model that hangs",
        "one listener's timeout for all models",
        "another route's model",
        "faults that were over",
    ],
)
def test_an_answer_may_take_what_its_decision_its_model_and_the_faults_take(
    faults: tuple[Fault, ...], most_s: float
) -> None:
    in_time, late = (replace(PINNED, ended=20 + most_s + more_s) for more_s in (-0.01, 0.01))

    assert check(FIRST, in_time, faults=faults) == []
    assert len(check(FIRST, late, faults=faults)) == 1


def test_an_answer_that_never_comes_is_late_too() -> None:
    """Its replica was killed, which explains that there is no answer, and not that its client waited for so long."""
    silence = replace(PINNED, status=None, ours=False, model=None, pinned=False, whole=False, ended=50)

    assert len(check(FIRST, silence, faults=(KILLED,))) == 1


def test_a_client_leaves_a_stream_that_goes_on_and_on() -> None:
    """Each piece is in time; a run would not end."""
    with Provider() as provider:
        provider.pause = 0.3
        clients = Clients(provider.port, {QUICK: ROUTE}, A, seed=1, sessions=1, at_once=1, patience_s=1.5)
        turn = clients._ask("chaos-1", 1)

    assert (turn.streamed, turn.status, turn.whole) == (True, 200, False)
    assert turn.ended - turn.began >= 1.5
    assert turn.said == "it had not ended after 1.5 s"


@pytest.mark.parametrize("said", PARTS)
@pytest.mark.parametrize(
    "unrelated",
    [
        (),
        (fault("web", "kill", "web1"),),
        (fault("web", "crash", "web1"),),
        (fault("web", "restart", "web1"),),
        tuple(fault("model", "hang", model) for model in ROUTE),
    ],
    ids=["none", "kill", "crash", "restart", "models"],
)
def test_an_answer_that_says_that_something_was_away_is_found_where_nothing_was(
    said: str, unrelated: tuple[Fault, ...]
) -> None:
    degraded = replace(PINNED, model=A, pinned=False, degraded=said)

    assert len(check(FIRST, degraded, faults=unrelated)) == 1


@pytest.mark.parametrize(
    ("reason", "parts", "after_s"),
    [
        (fault("redis", "kill", "redis0"), {"redis", "queue", "router"}, 1.0),
        (fault("redis", "freeze", "redis0"), {"redis", "queue", "router"}, 1.0),
        (fault("worker", "kill", "worker0"), {"queue", "router"}, 0.0),
        (fault("worker", "restart", "worker0"), {"queue", "router"}, 0.0),
        (fault("worker", "freeze", "worker0"), {"redis", "queue", "router"}, 0.0),
        (fault("web", "freeze", "web1"), {"redis", "queue", "router"}, 0.0),
    ],
    ids=["redis kill", "redis freeze", "worker kill", "worker restart", "worker freeze", "web freeze"],
)
def test_a_fault_explains_what_an_answer_says_until_shortly_after_it(
    reason: Fault, parts: set[str], after_s: float
) -> None:
    def explained(began: float) -> set[str]:
        turns = {part: replace(PINNED, degraded=part, began=began, ended=began + 1) for part in PARTS}
        return {part for part, turn in turns.items() if not check(FIRST, turn, faults=(reason,))}

    assert explained(reason.began - 1.01) == set()
    assert explained(reason.began - 0.99) == parts
    assert explained(reason.ended + after_s - 0.01) == parts
    assert explained(reason.ended + after_s + 0.01) == set()


def test_moves_are_read_from_logs() -> None:
    log = (
        "2026-01-31T12:00:00Z info gunicorn.error: Booting worker with pid: 7\n"
        "2026-01-31T12:00:01Z info plano.events: pin moved session=s tenant=None "
        f"from={A} to={B} standing={C} request_id=s.3\n"
    )

    assert moves([log]) == [Move(session="s", turn=3, to=B, standing=C, at=1_769_860_801)]


def test_a_seed_makes_a_schedule_again() -> None:
    assert schedule.make(7, 60) == schedule.make(7, 60) != schedule.make(8, 60)


def test_a_schedule_leaves_every_route_a_model() -> None:
    plan = schedule.make(7, 600)

    targets = [{step.target for step in lane} for lane in plan.models]
    assert targets == [{0, 2}, {1, 3}]
    assert {step.kind for step in plan.models[0]} == {"429", "500", "half_stream", "close", "hang"}
    assert {(step.part, step.kind) for step in plan.processes} >= {
        ("web", "kill"), ("web", "freeze"), ("worker", "kill"), ("redis", "freeze"), ("redis", "kill"),
    }  # fmt: skip


def test_a_pin_that_was_perhaps_over_may_have_been_the_old_one_until_its_end() -> None:
    """The seconds of a ttl are not exact: a failover in its last one moves the old pin, which then ends in time."""
    moved = replace(PINNED, number=2, began=109, ended=109.5, model=C, pinned=False, fallback=(f"{B};503",))
    anew = replace(PINNED, number=3, began=112, ended=113, model=B, pinned=False)

    assert check(FIRST, PINNED, moved, anew) == []
