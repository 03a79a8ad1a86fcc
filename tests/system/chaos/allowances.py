"""What a fault allows: how much longer an answer may take, and which part of the pool it may say was away.

Each allowance has a length, and a reason for it. What no fault allows is a fault of the pool, however busy it is.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from tests.system.chaos.record import Fault, Turn

_MARGIN_S = 0.5
"""For all that is neither the decision nor the model: the gateway, the balancer, and a machine that they share."""
_REDIS_WAIT_S = 0.3
"""README: nobody waits longer for Redis. It can come on top of a decision's own time."""
_REDIS_BACK_S = 1.0
"""A web process probes a Redis that was away four times a second, and a worker tries to connect once a second."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long the parts of a request may take in a world, in seconds."""

    decision_s: float
    """The config's `decision_timeout_ms`."""
    model_s: float
    """What a model that is well takes for its whole answer."""
    silence_s: float
    """The listener's timeout: what a request may wait for models that hang, all of its candidates together."""


@dataclass(frozen=True, kw_only=True)
class _Excuse:
    """When an answer may say that a part was away."""

    parts: frozenset[str]
    """What it may say in x-plano-degraded."""
    after_s: float = 0.0
    """How long after the fault's end."""


_ANY = frozenset({"redis", "queue", "router"})
_OUT_OF_REDIS = _Excuse(parts=_ANY, after_s=_REDIS_BACK_S)
# The decisions that a worker had under way are lost with it, and without any worker nothing is queued. A fault of a
# worker ends when it is registered again.
_OUT_OF_A_WORKER = _Excuse(parts=frozenset({"router", "queue"}))
# Whoever was frozen cannot tell its own silence from that of others. It ends with the fault.
_FROZEN = _Excuse(parts=_ANY)
_EXCUSES = {
    ("redis", "kill"): _OUT_OF_REDIS,
    ("redis", "freeze"): _OUT_OF_REDIS,
    ("worker", "kill"): _OUT_OF_A_WORKER,
    ("worker", "restart"): _OUT_OF_A_WORKER,
    ("worker", "freeze"): _FROZEN,
    ("web", "freeze"): _FROZEN,
    # Nothing else is an excuse. While a replica is killed, crashes or restarts, the others have Redis and workers, as
    # it has itself as soon as it answers. A model that fails is what candidates are for.
}


def may_say(part: str, turn: Turn, faults: Iterable[Fault]) -> bool:
    """Whether a fault explains that an answer says this part was away."""
    return any(
        (excuse := _EXCUSES.get((fault.part, fault.kind))) is not None
        and part in excuse.parts
        and fault.met(turn, excuse.after_s)
        for fault in faults
    )


def longest_s(turn: Turn, faults: Iterable[Fault], limits: Limits, candidates: Container[str]) -> float:
    """How long a turn may have taken, to the end of its answer; `candidates` are the models it may have asked."""
    usual_s = limits.decision_s + _MARGIN_S + limits.model_s
    met = [fault for fault in faults if fault.met(turn)]
    hung = any(fault.kind == "hang" and fault.target in candidates for fault in met)
    return usual_s + sum(_lost_s(fault, turn) for fault in met) + hung * limits.silence_s


def _lost_s(fault: Fault, turn: Turn) -> float:
    """The time that a fault of a process can have taken from a turn that it met."""
    match fault.part, fault.kind:
        case "redis", _:
            return _REDIS_WAIT_S
        case "web", "kill":  # the balancer asks another replica at once, and there the request begins anew
            return max(0.0, fault.began - turn.began)
        case "web", "crash":  # the same, or the request waits at its replica for gunicorn's next child
            return fault.ended - turn.began
        case "web", "freeze":  # it stands still as long as its replica does
            return min(fault.ended, turn.ended) - max(fault.began, turn.began)
    # A worker takes no more than the decision's own time, a restart of a replica nothing, and a model that fails
    # without hanging fails at once.
    return 0.0
