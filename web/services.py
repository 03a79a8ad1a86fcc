"""What views use: built once a process, found on the app."""

from typing import cast

import msgspec
from flask import current_app

from shared.affinity import Affinity
from shared.bootstrap import AdminPins, Web
from shared.config import Config
from shared.failover import Failover
from shared.settings import Settings
from shared.tracing import Tracing
from web import counters
from web.access import Access
from web.health import Health
from web.tally import Tally
from web.upstream import Upstream

EXTENSION = "plano"


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The services of a web process."""

    settings: Settings
    config: Config
    affinity: Affinity
    access: Access
    pins: AdminPins
    upstream: Upstream
    failover: Failover
    health: Health
    tally: Tally
    tracing: Tracing

    @classmethod
    def of(cls, base: Web) -> "Services":
        """The services on top of what the process stands on."""
        return cls(
            settings=base.settings,
            config=base.config,
            affinity=base.affinity,
            pins=base.pins,
            access=Access(base.config.access_keys, base.config.routing.tenant_header),
            upstream=Upstream(base.config.listener.timeout_s),
            failover=base.failover,
            health=Health(base),
            tally=Tally(
                counters,
                base.prices,
                base.observed,
                models=[model.name for model in base.config.catalog.models],
                tenants=[key.tenant for key in base.config.access_keys if key.tenant],
            ),
            tracing=base.tracing,
        )


def services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])
