"""What a checked config file says; every field is ready for use."""

import enum
from collections.abc import Sequence

import msgspec

from shared.config.urls import without_credentials
from shared.domain.catalog import Catalog
from shared.domain.ranking import KIND_OF, Kind
from shared.domain.routes import Prefer, Route

OBSERVED = "observed"
"""The source that is the pool itself."""
REFRESH_S = {"digitalocean": 3600, "models.dev": 3600, "prometheus": 60, OBSERVED: 10}
"""How often a source is read, unless the file says otherwise."""
HALF_LIFE_S = 300
MAX_AGE_INTERVALS = 6
"""Data that was not renewed for so many refresh intervals is ranked as missing; of `observed`: half-lives."""


class CacheType(enum.StrEnum):
    """Where pins live."""

    REDIS = "redis"
    MEMORY = "memory"


class Listener(msgspec.Struct, frozen=True):
    """Where the gateway listens, and how long a provider may be silent (seconds)."""

    address: str = "0.0.0.0"
    port: int = 12000
    timeout_s: float = 300.0


class Router(msgspec.Struct, frozen=True, kw_only=True):
    """What chooses a route: a router model over HTTP when `url` is set, else the embedded router."""

    url: str | None = None
    """The base of an OpenAI-compatible API, `http://host:8000/v1`."""
    model: str = "Arch-Router"
    api_key: str | None = None
    prompt_file: str | None = None
    timeout_ms: int = 3000

    def __repr__(self) -> str:
        """Never shows the credential."""
        return f"Router(url={self.url!r}, model={self.model!r})"


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """How sessions are pinned and first requests decided."""

    session_ttl_s: int = 600
    session_max_entries: int = 10000
    session_ttl_mode: str = "fixed"
    cache_type: CacheType = CacheType.REDIS
    cache_url: str | None = None
    """None: REDIS_URL, or redis://localhost:6379 without it."""
    cache_silence_ms: int = 250
    """How long Redis may leave waiting requests without a sign of life."""
    tenant_header: str | None = None
    decision_timeout_ms: int = 5000
    session_max_age_s: int | None = None
    """Sliding only: how long a pin may live in all."""
    on_outage: str = "serve"
    on_failure: str = "move"
    max_attempts: int = 3
    fallback_to_default: bool = False
    response_model: str = "qualified"

    def __repr__(self) -> str:
        """Never shows the password of Redis."""
        url = without_credentials(self.cache_url or "")
        return f"Routing(cache={self.cache_type.value!r}, url={url!r}, ttl_s={self.session_ttl_s})"


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """A client's key: its SHA-256 digest only, and what it opens."""

    name: str
    digest: bytes
    tenant: str | None = None
    models: tuple[str, ...] | None = None
    """Qualified names it may use; None: all."""

    def __repr__(self) -> str:
        """Never shows the digest."""
        return f"AccessKey(name={self.name!r}, tenant={self.tenant!r}, models={self.models!r})"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request, and one process, may take up."""

    body_bytes: int = 20 * 1024 * 1024
    header_bytes: int = 8190
    """Of one header, its name included."""
    headers: int = 100
    nesting: int = 100
    """How deep a body's objects and arrays may lie in one another."""
    head_timeout_s: float = 30.0
    """From a request's first byte to the end of its head."""
    body_timeout_s: float = 60.0
    """Between two pieces of a request's body; see web/client.py."""
    waiting_requests: int = 2000
    """Under way at once in one process."""
    waiting_decisions: int = 200
    sessions_per_minute: int = 6000
    """New ones of one tenant; 0: any number."""


class MetricSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where prices or latencies come from."""

    type: str
    """cost or latency"""
    provider: str
    """digitalocean, models.dev, prometheus or observed"""
    url: str | None = None
    query: str | None = None
    refresh_interval_s: int = 3600
    own_max_age_s: int | None = None
    half_life_s: int = HALF_LIFE_S
    """Of observed only: after so long an answer counts half."""
    model_aliases: dict[str, str] = {}
    """The source's own name of a model -> ours."""

    @property
    def max_age_s(self) -> int:
        """How old its data may be to be ranked by."""
        return self.own_max_age_s or MAX_AGE_INTERVALS * (
            self.half_life_s if self.provider == OBSERVED else self.refresh_interval_s
        )

    @property
    def kept_s(self) -> int:
        """How long its data is kept: half as long again, so that old data can be told from none."""
        return self.max_age_s * 3 // 2

    def __repr__(self) -> str:
        """Never shows a password in the URL."""
        url = without_credentials(self.url or "")
        return f"MetricSource({self.type!r}, {self.provider!r}, url={url!r})"


def max_ages_s(sources: Sequence[MetricSource]) -> dict[Prefer, int]:
    """How old data may be for each preference that a source serves."""
    ages = {Kind(source.type): source.max_age_s for source in sources}
    return {prefer: ages[kind] for prefer, kind in KIND_OF.items() if kind in ages}


class Tracing(msgspec.Struct, frozen=True, kw_only=True):
    """Where traces go, and how many of a hundred requests are traced."""

    endpoint: str | None = None
    random_sampling: float = 100.0

    def __repr__(self) -> str:
        """Never shows a password in the URL."""
        endpoint = without_credentials(self.endpoint or "")
        return f"Tracing(endpoint={endpoint!r}, random_sampling={self.random_sampling})"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    catalog: Catalog
    routes: tuple[Route, ...] = ()
    listener: Listener = Listener()
    routing: Routing = Routing()
    router: Router = Router()
    access_keys: tuple[AccessKey, ...] = ()
    limits: Limits = Limits()
    sources: tuple[MetricSource, ...] = ()
    tracing: Tracing = Tracing()
    warnings: tuple[str, ...] = ()
    digest: str = ""
    """The first 12 hexadecimal digits of the SHA-256 of the file: replicas compare it."""
