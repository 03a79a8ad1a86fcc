"""The pool as a whole in the operator's API."""

from typing import Annotated, Literal

import msgspec

from shared.operations.pool import PoolState
from web.admin.api.endpoint import Endpoint
from web.admin.api.models import Nothing
from web.admin.operations import operations
from web.ops.pool.history import DAY, HOUR, History
from web.services import current_services


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the past is asked for."""

    span: Annotated[Literal["hour", "day"], msgspec.Meta(description="Which time the points are of.")] = "hour"

    @property
    def minutes(self) -> int:
        """How long it is."""
        return HOUR if self.span == "hour" else DAY


def _state(_: Nothing) -> PoolState:
    return operations().pool.state()


def _history(asked: Span) -> History:
    return current_services().history.read(asked.minutes)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/pool", name="pool", takes=Nothing, answers=PoolState, ask=_state,
        does="The replicas, the workers and the queue.",
    ),
    Endpoint(
        method="GET", path="/stats", name="stats", takes=Span, answers=History, ask=_history,
        does="What the pool has done in the last hour and day, with the points of a chart.",
    ),
)  # fmt: skip
