"""What became of the candidates before the one that answers, and what the client is told of it."""

from collections.abc import Collection, Container

from shared.domain.decisions import Decision
from web.proxy.response import fallback_headers
from web.proxy.wsgi_response import WsgiResponse


def passed_over(decision: Decision, first: str, lacking: Collection[str], cooling: Container[str]) -> list[str]:
    """The candidates before the first that is asked, as `x-plano-fallback` names them.

    They are `lacking` the client's own credential, or they are `cooling`, or else drained.
    """

    def why(name: str) -> str:
        return "credential" if name in lacking else "cooling" if name in cooling else "drained"

    before = decision.models[: decision.models.index(first)] if first in decision.models else decision.models
    return [f"{name};{why(name)}" for name in before]


def give_up(refused: WsgiResponse | None) -> None:
    """End an answer that the client will not get; a long one may still be on its way."""
    if refused:
        refused.close()


def with_steps(made: WsgiResponse, steps: list[str], *, kept: bool = False) -> WsgiResponse:
    """The response with a header for each candidate before it, and one if the session's pin stays with another."""
    if steps:
        made.add(fallback_headers(steps))
    if kept:
        made.add([("x-plano-pin", "kept")])
    return made


def why_left(steps: list[str]) -> str:
    """Why the first candidate does not answer: its status, or `timeout`, `unreachable`, `cooling`, `credential`."""
    return steps[0].rpartition(";")[2] if steps else ""
