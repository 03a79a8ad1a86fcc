"""Which session leaves a drained model, and where it goes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from shared.domain.availability.drains import Drain
from shared.domain.decisions import Decision, RouteRequest
from shared.domain.routes import Route
from shared.errors import BadRequest


class Drained(Protocol):
    """Knows which models are drained, without asking anybody."""

    @property
    def known(self) -> Mapping[str, Drain]:
        """The models that are drained."""


class Successors(Protocol):
    """Knows which model succeeds a drained one."""

    def successor(self, request: RouteRequest, decision: Decision) -> str | None:
        """The model that is to serve in place of the decision's, since that is drained; None: the decision stands."""


class NoneDrained:
    """Where nothing is drained."""

    known: Mapping[str, Drain] = {}


def leaves(request: RouteRequest, drain: Drain) -> bool:
    """Whether a session leaves a drained model on this turn: when it loses nothing by it, or is to at once."""
    turn = request.turn
    return drain.now or turn is None or not (turn.is_in_tool_loop or turn.is_bound)


def able(request: RouteRequest, names: Sequence[str]) -> Sequence[str]:
    """Those models that can take the request."""
    if request.fitting is None or not names:
        return names
    try:
        fitted = request.fitting(msgspec.structs.replace(request, routes=(Route("", "", tuple(names)),)))
    except BadRequest:  # not even its own one can
        return ()
    return fitted.routes[0].models if fitted.routes else ()
