"""Whether every client got what is promised, or something happened that explains why not."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.system.chaos import allowances
from tests.system.chaos.record import Fault, Move, Route, Turn

_LOG_S = 1.0
"""How exact the times in logs are, and the seconds of a ttl."""
_BROKEN = frozenset({"kill", "crash"})


@dataclass(frozen=True, kw_only=True)
class Run:
    """What happened, and what the pool was told."""

    turns: Sequence[Turn]
    faults: Sequence[Fault]
    moves: Sequence[Move]
    ttl_s: float
    limits: allowances.Limits
    unrouted: Route
    """The candidates of a request that is served without Redis or a router: its own model, then the default."""


def violations(run: Run) -> list[str]:
    """Everything that no event explains, one sentence each."""
    turns: dict[str, list[Turn]] = defaultdict(list)
    for turn in sorted(run.turns, key=lambda each: each.began):
        turns[turn.session].append(turn)
    moves: dict[str, list[Move]] = defaultdict(list)
    for move in run.moves:
        moves[move.session].append(move)
    found = [fault for turn in run.turns for check in (_unserved, _late, _degraded) for fault in check(run, turn)]
    for session, its_turns in turns.items():
        found += _Walk(run, moves[session], its_turns[0].began).through(its_turns)
    return found


def _unserved(run: Run, turn: Turn) -> Iterator[str]:
    """What is wrong with the answer itself."""
    died = _a_replica_died(run, turn)
    if turn.answered:
        half = any(
            fault.kind == "half_stream" and fault.target == turn.model and fault.met(turn) for fault in run.faults
        )
        if not turn.whole and not died and not (turn.streamed and half):
            yield f"{_name(turn)}: its answer broke off: {turn.said}"
        return
    if died and turn.status is None:
        return  # its replica had begun to answer: nobody else may be asked
    out = {fault.target for fault in run.faults if fault.part == "model" and fault.met(turn)}
    healthy = [model for model in _candidates(run, turn) if model not in out]
    if healthy or not turn.ours:
        by = "a replica" if turn.ours else "the balancer"
        yield f"{_name(turn)}: {turn.status} from {by} while {healthy} were well: {turn.said}"


def _late(run: Run, turn: Turn) -> Iterator[str]:
    """What is wrong with the time it took; of whatever came, and of nothing too."""
    candidates = (*turn.route, *run.unrouted) if turn.status is None else _candidates(run, turn)
    took_s, allowed_s = turn.ended - turn.began, allowances.longest_s(turn, run.faults, run.limits, candidates)
    if took_s > allowed_s:
        yield f"{_name(turn)}: took {took_s:.2f} s, where {allowed_s:.2f} s are allowed"


def _degraded(run: Run, turn: Turn) -> Iterator[str]:
    """Whether it says that something was away that was not."""
    if turn.degraded and not allowances.may_say(turn.degraded, turn, run.faults):
        yield f"{_name(turn)}: says that {turn.degraded} was away, which it was not"


class _Walk:
    """Follows one session; knows which models its pin may name."""

    def __init__(self, run: Run, moves: Sequence[Move], began: float) -> None:
        self._run = run
        self._all_moves = moves
        self._standing: frozenset[str] | None = None
        """None: whatever the next answer names."""
        self._made = began
        """The earliest moment at which what stands can have been written."""
        self._seen = began
        """When it was seen last."""

    def through(self, turns: Iterable[Turn]) -> Iterator[str]:
        """What no event explains."""
        for turn in turns:
            moved = self._moved(turn)
            if not turn.answered or turn.degraded or turn.model is None:
                # Nobody was told what stands; a failover may have changed it before the connection broke.
                if self._standing is not None:
                    self._standing |= moved
                continue
            if self._standing is not None:
                self._standing |= moved  # by a replica that was killed before it could answer
                if self._gone(turn):
                    self._forget(turn)
                elif fault := self._unexplained(turn, self._standing):
                    yield fault
            self._note(turn)

    def _unexplained(self, turn: Turn, standing: frozenset[str]) -> str | None:
        """What is wrong with an answer while a pin stands."""
        if turn.pinned:
            if turn.model in standing:
                return None
            return f"{_name(turn)}: pinned to {turn.model}, where {_words(standing)} stood"
        if not turn.fallback:
            return f"{_name(turn)}: decided anew for {turn.model}, where {_words(standing)} stood"
        first = turn.fallback[0].partition(";")[0]
        if first in standing:
            return None
        return f"{_name(turn)}: fell back from {first}, where {_words(standing)} stood"

    def _note(self, turn: Turn) -> None:
        """What stands after an answer."""
        model = turn.model or ""
        if turn.fallback:
            left = self._standing or frozenset({turn.fallback[0].partition(";")[0]})
            moved = frozenset(
                move.standing for move in self._moves(turn) if (move.turn, move.to) == (turn.number, model)
            )
            self._standing = moved or left | {model}
        else:
            self._standing = frozenset({model})
            if not turn.pinned:
                self._made = turn.began
        self._seen = turn.began

    def _forget(self, turn: Turn) -> None:
        """Another pin may stand since. Where the answer fits the old one, it may just as well be that, to the end."""
        if self._unexplained(turn, self._standing or frozenset()):
            self._made = self._seen
        self._standing = None

    def _gone(self, turn: Turn) -> bool:
        """Whether what stood may have ended since it was seen: its time was over, or Redis came back empty."""
        emptied = any(
            fault.part == "redis" and fault.kind == "kill" and fault.began <= turn.ended and fault.ended >= self._seen
            for fault in self._run.faults
        )
        return emptied or turn.ended >= self._made + self._run.ttl_s - _LOG_S

    def _moved(self, turn: Turn) -> frozenset[str]:
        """Where the pin may have gone while a turn was under way, other than by its own answer."""
        # A replica may be killed between the move and its line in the log.
        silently = turn.route if _a_replica_died(self._run, turn) else ()
        return frozenset((*silently, *(move.standing for move in self._moves(turn))))

    def _moves(self, turn: Turn) -> Iterator[Move]:
        """Where replicas say they moved the pin while a turn was under way, for it or for one before it."""
        for move in self._all_moves:
            if move.turn <= turn.number and turn.began - _LOG_S <= move.at <= turn.ended:
                yield move


def _a_replica_died(run: Run, turn: Turn) -> bool:
    """Whether a replica was killed while the turn was under way."""
    return any(fault.part == "web" and fault.kind in _BROKEN and fault.met(turn) for fault in run.faults)


def _candidates(run: Run, turn: Turn) -> Route:
    """The models that may answer it."""
    return run.unrouted if turn.degraded else turn.route


def _name(turn: Turn) -> str:
    return f"{turn.session} turn {turn.number}"


def _words(models: Iterable[str]) -> str:
    return " or ".join(sorted(models))
