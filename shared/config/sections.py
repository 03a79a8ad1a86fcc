"""The config file: every setting once, as what may be written and as the value that is used."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from shared.config.fields import (
    Apis,
    AutoOrOff,
    CaFile,
    Duration,
    Flag,
    HeaderName,
    HeaderValue,
    Items,
    ModelName,
    ModelNames,
    Percent,
    Positive,
    PriceFile,
    Secret,
    SecretDigest,
    Section,
    Tenant,
    Tenants,
    Text,
    Url,
    UrlWithQuery,
    Version,
    Whole,
)
from shared.config.limits_section import Limits
from shared.config.routing_section import Routing
from shared.domain.catalog import WILDCARD
from shared.domain.ranking import KIND_OF, Kind
from shared.domain.routes import Prefer

OBSERVED = "observed"
"""The source that is the pool itself."""
FILE = "file"
"""The source that is a file beside the config."""
REFRESH_S = {"digitalocean": 3600, "models.dev": 3600, "litellm": 3600, FILE: 60, "prometheus": 60, OBSERVED: 10}
"""How often a source is read, unless the file says otherwise."""
HALF_LIFE_S = 300
MAX_AGE_INTERVALS = 6
"""Data that was not renewed for so many refresh intervals is ranked as missing; of `observed`: half-lives."""

Interface = Literal[
    "openai", "amazon_bedrock", "anthropic", "arch", "azure_openai", "chatgpt", "claude", "deepseek", "digitalocean",
    "edenai", "gemini", "groq", "mistral", "moonshotai", "ollama", "openrouter", "plano", "qwen", "together_ai",
    "vercel", "xai", "xiaomi", "zhipu",
]  # fmt: skip


class Listener(Section):
    """Where the gateway listens."""

    type: Literal["model", "agent", "prompt"] = Field("model", description="Only model is served.")
    name: str | None = Field(None, description="A name for people.")
    address: Text = Field("0.0.0.0", description="The address to listen on.")
    port: Annotated[int, Whole(1, 65535)] = Field(12000, description="The port to listen on, unless PORT names one.")
    timeout_s: Duration = Field(300.0, alias="timeout", description="How long a provider may be silent.")
    message_format: Literal["openai"] = Field("openai", description="The API that clients speak.")


class ModelProvider(Section):
    """One model, or all models of one provider."""

    model: ModelName = Field(description="`provider/model`, or `provider/*` for all models of the provider.")
    name: Text | None = Field(None, description="Another name of the model.")
    access_key: Secret | None = Field(None, repr=False, description="The credential that the provider is sent.")
    default: Flag = Field(False, description="Whether it serves requests that name no model.")
    base_url: UrlWithQuery | None = Field(
        None, description="Where its API is; without a path, /v1 is meant. Known providers need none."
    )
    passthrough_auth: Flag = Field(
        False,
        description="Whether it is sent the client's own credential in place of a key: X-Provider-Authorization, or "
        "Authorization where there are no auth.keys.",
    )
    provider_interface: Interface | None = Field(
        None, description="Whose API it speaks; known providers speak their own."
    )
    apis: Apis | None = Field(
        None, description="The APIs it speaks, the best one first; known providers need not say."
    )
    prompt_caching: AutoOrOff = Field(
        "auto",
        description="Whether prompts are marked with cache_control in what is translated to messages, and chat is "
        "translated to it where it is the best of apis.",
    )
    cache_key: AutoOrOff = Field(
        "auto", description="Whether it is told which requests belong together, by a keyed hash of their session."
    )
    cache_window_s: Duration | None = Field(
        None,
        alias="cache_window",
        description="How long its prompt cache outlives the last use, where that is not what is known of it.",
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        {}, repr=False, description="Headers that every request to it carries."
    )
    ca_file: CaFile | None = Field(
        None, description="Certificates to trust, in PEM, in place of the machine's: a private CA."
    )

    @property
    def provider(self) -> str:
        """Who serves it, the first part of its name."""
        return self.model.partition("/")[0]

    @property
    def id(self) -> str:
        """What the provider itself calls the model."""
        return self.model.partition("/")[2]

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for all models of the provider."""
        return self.id == WILDCARD


class Alias(Section):
    """Another name for a model."""

    target: Text = Field(description="The model, by any of its names.")


class SelectionPolicy(Section):
    """What a route's models are ranked by."""

    prefer: Literal["cheapest", "fastest", "none"] = Field(
        "none", description="Rank the route's models by price or latency, or keep their order."
    )


class RoutingPreference(Section):
    """A route: a kind of request, and the models that serve it."""

    name: str = Field(description="The route's name, which clients are told.")
    description: Text = Field(description="What the router reads to choose the route.")
    models: ModelNames = Field(description="The candidates, best first.")
    selection_policy: SelectionPolicy = Field(
        default_factory=SelectionPolicy, description="How the models are ranked."
    )


class MetricSource(Section):
    """Where prices or latencies come from."""

    type: Literal["cost", "latency"] = Field(description="What it says of a model: its price or its latency.")
    provider: Literal["digitalocean", "models.dev", "litellm", "file", "prometheus", "observed"] = Field(
        description="Where it is read; the first four say costs, the others latencies."
    )
    path: PriceFile | None = Field(
        None, description="file only: US$ per million tokens by model, or a table of models.dev or LiteLLM."
    )
    url: UrlWithQuery | None = Field(None, description="Its address; only prometheus has none of its own.")
    query: Text | None = Field(None, description="prometheus only: PromQL whose series carry `model_name`.")
    refresh_interval: Positive | None = Field(None, description="Seconds between two readings.")
    max_age: Positive | None = Field(None, description="Seconds until its data counts as missing.")
    half_life_s: Positive = Field(
        HALF_LIFE_S, alias="half_life", description="observed only: seconds after which an answer counts half."
    )
    model_aliases: dict[str, Text] = Field(
        {}, description="For names of models that differ, the source's name and ours."
    )

    @property
    def refresh_interval_s(self) -> int:
        """How often it is read."""
        return self.refresh_interval or REFRESH_S[self.provider]

    @property
    def max_age_s(self) -> int:
        """How old its data may be to be ranked by."""
        renewed_s = self.half_life_s if self.provider == OBSERVED else self.refresh_interval_s
        return self.max_age or MAX_AGE_INTERVALS * renewed_s

    @property
    def kept_s(self) -> int:
        """How long its data is kept: half as long again, so that old data can be told from none."""
        return self.max_age_s * 3 // 2


def max_ages_s(sources: Sequence[MetricSource]) -> dict[Prefer, int]:
    """How old data may be for each preference that a source serves."""
    ages = {Kind(source.type): source.max_age_s for source in sources}
    return {prefer: ages[kind] for prefer, kind in KIND_OF.items() if kind in ages}


class Overrides(Section):
    """Which provider serves the router model."""

    llm_routing_model: Text | None = Field(None, description="The router model, by any name of a provider.")


class AccessKey(Section):
    """A client's key, kept as its SHA-256 digest, and what it opens."""

    name: Text = Field(description="Whose key it is.")
    digest: SecretDigest = Field(alias="key", repr=False, description="The key itself.")
    tenant: Tenant | None = Field(None, description="The tenant of its sessions, whatever a header says.")
    tenants: Tenants | None = Field(
        None, description='The tenants that session_cache.tenant_header may name; "*": any. It has to name one.'
    )
    models: ModelNames | None = Field(None, description="The models it may use; all without it.")


class Auth(Section):
    """Who may come in; without a key, everybody."""

    keys: Items[AccessKey] = Field((), description="The keys of clients.")


class Tracing(Section):
    """Where traces go."""

    random_sampling: Percent = Field(100.0, description="How many of a hundred requests are traced.")
    opentracing_grpc_endpoint: Url | None = Field(None, description="The collector of OpenTelemetry.")


class ConfigFile(Section):
    """Models, who serves them, and how sessions are routed to them."""

    model_config = ConfigDict(title="The config file of the gateway")

    version: Version = Field("v0.4.0", description="The version of the file's format.")
    listeners: Items[Listener] = Field((), description="Where the gateway listens; the first of type model counts.")
    model_providers: Items[ModelProvider] = Field((), description="The models, and who serves them.")
    model_aliases: dict[Text, Alias] = Field({}, description="Other names of models.")
    routing_preferences: Items[RoutingPreference] = Field((), description="The routes that a first request may take.")
    model_metrics_sources: Items[MetricSource] = Field(
        (), description="What routes are ranked by: at most one source of a type."
    )
    overrides: Overrides = Field(default_factory=Overrides, description="Which provider serves the router model.")
    routing: Routing = Field(default_factory=Routing, description="How sessions are pinned and decided.")
    auth: Auth = Field(default_factory=Auth, description="Who may come in.")
    limits: Limits = Field(default_factory=Limits, description="What a request or a process may take up.")
    tracing: Tracing = Field(default_factory=Tracing, description="Where traces go.")
