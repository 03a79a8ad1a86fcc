"""The file's keys and their types, as the operator writes them."""

from typing import Annotated, Literal

from msgspec import Meta

from shared.config.walk import Entry

_SECRET = {"secret": True}
_HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z"  # RFC 9110, 5.6.2

Text = Annotated[str, Meta(pattern=r"\S", description="is a text that is not blank")]
Secret = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]+\Z",  # it travels in a header
        description="is a text of printable ASCII without spaces, quoted if it is a number",
        extra=_SECRET,
    ),
]
HeaderName = Annotated[str, Meta(pattern=_HEADER_NAME, description="is the name of an HTTP header")]
HeaderValue = Annotated[
    str,
    Meta(
        pattern=r"^[ -~]*\Z",
        description="is a text of printable ASCII, quoted if it is a number",
        extra=_SECRET,
    ),
]
Url = Annotated[str, Meta(pattern=r"^https?://", description="starts with http:// or https://")]
RedisUrl = Annotated[
    str, Meta(pattern=r"^(rediss?|unix)://", description="starts with redis://, rediss:// or unix://")
]
ModelName = Annotated[
    str,
    Meta(
        pattern=r"^[^\s/*]+/(\*|[^\s/*][^\s*]*)\Z",
        description="is provider/model, such as openai/gpt-4o, or provider/* for all of its models",
    ),
]
Version = Annotated[str | float, Meta(description="is v0.1 to v0.4.0")]
Port = Annotated[int, Meta(ge=1, le=65535, description="is a whole number from 1 to 65535")]
Silence = Annotated[int, Meta(ge=50, le=60000, description="is a whole number of milliseconds from 50 to 60000")]
Positive = Annotated[int, Meta(ge=1, description="is a whole number of at least 1")]
NotNegative = Annotated[int, Meta(ge=0, description="is a whole number of at least 0")]
HeaderBytes = Annotated[int, Meta(ge=512, le=65536, description="is a whole number from 512 to 65536")]
Headers = Annotated[int, Meta(ge=16, le=256, description="is a whole number from 16 to 256")]
Attempts = Annotated[int, Meta(ge=1, le=10, description="is a whole number from 1 to 10")]
Entries = Annotated[int, Meta(ge=1, le=10000, description="is a whole number from 1 to 10000")]
Percent = Annotated[float, Meta(ge=0, le=100, description="is a number from 0 to 100")]
Duration = Annotated[
    Annotated[str, Meta(pattern=r"^(?=.*[1-9])\d{1,8}(\.\d+)?(ms|s|m|h)?\Z")]
    | Annotated[float, Meta(gt=0, le=86400)],
    Meta(description="is a time above 0 such as 300s, 500ms, 5m, or a number of seconds"),
]
Tenant = Annotated[
    str,
    Meta(
        pattern=r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]{0,254}[^\s\x00-\x1f\x7f-\x9f])?\Z",
        description="is 1 to 256 printable characters without spaces around them",
    ),
]
Names = Annotated[list[Text], Meta(min_length=1, description="is a list of at least one model")]
Interface = Literal[
    "openai",
    "anthropic",
    "azure_openai",
    "chatgpt",
    "claude",
    "deepseek",
    "digitalocean",
    "gemini",
    "groq",
    "mistral",
    "moonshotai",
    "ollama",
    "openrouter",
    "plano",
    "together_ai",
    "vercel",
    "xai",
    "xiaomi",
    "zhipu",
]


class ListenerEntry(Entry, frozen=True):
    """Where to listen; as an item of the list form, or `egress_traffic` of the legacy map."""

    type: Literal["model", "agent", "prompt"] = "model"
    name: str | None = None
    address: Text = "0.0.0.0"
    port: Port = 12000
    timeout: Duration = 300.0
    message_format: Literal["openai"] = "openai"


class LegacyListeners(Entry, frozen=True):
    """The map form of listeners."""

    egress_traffic: ListenerEntry = ListenerEntry()


class InlinePreference(Entry, frozen=True):
    """A route inside of its only model's provider, as before v0.4.0."""

    name: str
    description: Text


class ProviderEntry(Entry, frozen=True):
    """One model, or all models of one provider."""

    model: ModelName
    name: Text | None = None
    access_key: Secret | None = None
    default: bool = False
    base_url: Url | None = None
    passthrough_auth: bool = False
    provider_interface: Interface | None = None
    headers: Annotated[dict[HeaderName, HeaderValue], Meta(extra=_SECRET)] | None = None
    routing_preferences: list[InlinePreference] | None = None


class AliasEntry(Entry, frozen=True):
    """Another name for a model."""

    target: Text


class Policy(Entry, frozen=True):
    """What a route's models are ranked by."""

    prefer: Literal["cheapest", "fastest", "none"] = "none"


class RouteEntry(Entry, frozen=True):
    """A kind of request, and the models that serve it."""

    name: str
    description: Text
    models: Names
    selection_policy: Policy = Policy()


class SourceEntry(Entry, frozen=True):
    """Where prices or latencies come from."""

    type: Literal["cost", "latency"]
    provider: Literal["digitalocean", "models.dev", "prometheus", "observed"]
    url: Url | None = None
    query: Text | None = None
    refresh_interval: Positive | None = None
    max_age: Positive | None = None
    half_life: Positive | None = None
    model_aliases: dict[str, Text] | None = None


class Overrides(Entry, frozen=True):
    """Only the router model, by its present and its former name."""

    llm_routing_model: Text | None = None
    router_model: Text | None = None


class CacheEntry(Entry, frozen=True):
    """Where pins live."""

    type: Literal["redis", "memory"] = "redis"
    url: RedisUrl | None = None
    silence_ms: Silence = 250
    tenant_header: HeaderName | None = None


class RouterEntry(Entry, frozen=True):
    """A router model that is no provider."""

    url: Url
    model: Text = "Arch-Router"
    api_key: Secret | None = None
    prompt_file: Text | None = None
    timeout_ms: Positive = 3000


class RoutingEntry(Entry, frozen=True):
    """How sessions are pinned and first requests decided."""

    session_ttl_seconds: Positive = 600
    session_max_entries: Entries = 10000
    session_cache: CacheEntry = CacheEntry()
    session_ttl_mode: Literal["fixed", "sliding"] = "fixed"
    router: Literal["auto", "embedded"] | RouterEntry = "auto"
    decision_timeout_ms: Positive = 5000
    session_max_age_seconds: Positive | None = None
    on_outage: Literal["serve", "reject"] = "serve"
    on_failure: Literal["move", "borrow", "strict"] = "move"
    max_attempts: Attempts = 3
    fallback_to_default: bool = False
    response_model: Literal["qualified", "upstream"] = "qualified"


class KeyEntry(Entry, frozen=True):
    """A client's key."""

    name: Text
    key: Secret
    tenant: Tenant | None = None
    models: Names | None = None


class Auth(Entry, frozen=True):
    """Who may come in; no key at all: everybody."""

    keys: list[KeyEntry] | None = None


class LimitsEntry(Entry, frozen=True):
    """What one request, and one process, may take up."""

    body_bytes: Positive = 20 * 1024 * 1024
    header_bytes: HeaderBytes = 8190
    headers: Headers = 100
    nesting: Positive = 100
    head_timeout: Duration = 30.0
    body_timeout: Duration = 60.0
    waiting_requests: Positive = 2000
    waiting_decisions: Positive = 200
    sessions_per_minute: NotNegative = 6000


class TracingEntry(Entry, frozen=True):
    """Where traces go, and how many of a hundred requests are traced."""

    random_sampling: Percent = 100.0
    opentracing_grpc_endpoint: Url | None = None


class File(Entry, frozen=True):
    """The whole file, without what unserved.py takes out."""

    version: Version = "v0.4.0"
    listeners: list[ListenerEntry] | LegacyListeners | None = None
    model_providers: list[ProviderEntry] | None = None
    llm_providers: list[ProviderEntry] | None = None
    model_aliases: dict[str, AliasEntry] | None = None
    routing_preferences: list[RouteEntry] | None = None
    model_metrics_sources: list[SourceEntry] | None = None
    overrides: Overrides = Overrides()
    routing: RoutingEntry = RoutingEntry()
    auth: Auth = Auth()
    limits: LimitsEntry = LimitsEntry()
    tracing: TracingEntry = TracingEntry()
