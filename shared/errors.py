"""All errors of ours, as one tree.

PlanoError
├── ConfigError             the config file or the environment is wrong; lists every fault
├── BadRequest              the client sent something unusable; says what, where and what would be right
│   ├── UnknownModel        … a model that is not configured
│   ├── NoResponse          … a response that nobody here has made
│   └── NoPreviousResponse  … or wants to go on from such a one
├── NoSession               an operator asked for a session of which nothing is known
│   └── NoPin               … or that has no pin
├── FormExpired             a page's form is of no login, or of an earlier one
├── Denied                  the client's key is missing or wrong
│   ├── NotAllowed          … or does not cover the model
│   └── TenantRefused       … or does not belong to the tenant that a header names
├── TooManySessions         a client begins more sessions a minute than it may
├── Away                    a part of the pool does not answer
│   ├── StoreDown           … Redis, where the pins are
│   ├── QueueDown           … Redis, where the jobs are
│   ├── RouterDown          … the router model, or the worker that would ask it
│   ├── TooManyWaiting      … there is no room for one more waiting decision
│   └── Overdue             … or a request waited longer than all its limits allow, which is a fault of ours
├── SourceFailed            a metric source gave nothing usable; its last data stands
├── Unavailable             an outage, and the operator chose to reject rather than to serve
│   └── Overloaded          … or too many requests wait already
└── UpstreamFailed          a provider gave no usable answer
    ├── UpstreamUnreachable … no connection, or it broke
    │   ├── UpstreamRefused … nobody listens there
    │   └── NotSent         … this process had no file, no address for the name, or no way out
    ├── UpstreamTimeout     … no byte in time
    └── ShuttingDown        … before this process had to end

A class says what is wrong, never an HTTP status: the table of those is in web/dialects/error_table.py.
"""

from collections.abc import Sequence
from typing import Any


class PlanoError(Exception):
    """The root of the tree."""


class ConfigError(PlanoError):
    """The config file or the environment is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class BadRequest(PlanoError):
    """The client sent something unusable."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnknownModel(BadRequest):
    """The client asked for a model that is not configured."""


class NoResponse(BadRequest):
    """The client asked for a response that no provider here is known to keep."""


class NoPreviousResponse(BadRequest):
    """The client wants to go on from a response that no provider here is known to keep."""


class NoSession(PlanoError):
    """An operator asked for a session of which nothing is known."""


class NoPin(NoSession):
    """An operator asked for a pin that does not exist."""


class FormExpired(PlanoError):
    """A page's form is of no login, or of an earlier one."""


class Denied(PlanoError):
    """The client's key is missing or wrong."""


class NotAllowed(Denied):
    """The client's key does not cover the model."""


class TenantRefused(Denied):
    """The client's key does not belong to the tenant that a header names."""


class TooManySessions(PlanoError):
    """The client begins more sessions a minute than it may; `retry_after_s` says when it may again."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Away(PlanoError):
    """A part of the pool does not answer; `part` is what the client is told."""

    part = "redis"


class StoreDown(Away):
    """The Redis that holds the pins does not answer."""


class QueueDown(Away):
    """The Redis that holds the queue does not answer."""

    part = "queue"


class RouterDown(Away):
    """The router model, or the worker that would ask it, does not answer."""

    part = "router"


class TooManyWaiting(Away):
    """There is no room for one more waiting decision in this process."""

    part = "queue"


class Overdue(Away):
    """A request waited longer than the limits of all its waits allow: a fault of ours."""

    part = "router"


class SourceFailed(PlanoError):
    """A metric source gave nothing usable; its last data stands."""


class Unavailable(PlanoError):
    """Something is away, and the operator chose to reject rather than to serve."""

    retry_after_s = 2


class Overloaded(Unavailable):
    """Too many requests wait already."""


class UpstreamFailed(PlanoError):
    """A provider gave no usable answer."""

    decision: Any = None
    """The Decision that led to it, where there was one."""
    attempts: tuple[str, ...] = ()
    """The candidates that had failed before: `openai/gpt-5.2;503`."""


class UpstreamUnreachable(UpstreamFailed):
    """No connection to the provider could be made, or it broke before its answer."""


class UpstreamRefused(UpstreamUnreachable):
    """Nobody listens where the provider should be."""


class NotSent(UpstreamUnreachable):
    """This process could not connect for a reason of its own, in which the provider has no part."""


class UpstreamTimeout(UpstreamFailed):
    """The provider sent no byte in time."""


class ShuttingDown(UpstreamFailed):
    """The answer was not complete when this process had to end."""
