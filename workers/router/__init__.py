"""Chooses a route: by a router model over HTTP, or by the embedded router."""

from collections.abc import Sequence
from typing import Protocol

from shared.config.routing_section import Router as RouterModel
from shared.domain.conversation import Message
from shared.domain.decisions import Trace
from shared.domain.routes import Route
from shared.outgoing import DIRECT, Outgoing
from workers.router.arch_router import POOL_SIZE, ArchRouter
from workers.router.embedded import EmbeddedRouter
from workers.router.prompt import Prompt


class Router(Protocol):
    """Chooses the route that a conversation belongs to; many calls may run at once."""

    def choose(self, routes: Sequence[Route], messages: Sequence[Message], trace: Trace) -> str | None:
        """The route's name, or None when no route fits; raises RouterDown."""
        ...


def build(config: RouterModel | None, outgoing: Outgoing = DIRECT, *, pool_size: int = POOL_SIZE) -> Router:
    """The router that the config asks for; `pool_size` is how many calls to a router model may be in flight.

    Without a router model it is the embedded router.

    Raises ConfigError for a prompt file that cannot be used.
    """
    if config is None:
        return EmbeddedRouter()
    return ArchRouter(config, Prompt.load(config.prompt_file), outgoing, pool_size=pool_size)
