"""The section of the config file that says how sessions are named and pinned, and first requests decided."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from shared.config.fields import (
    ApiUrl,
    CaFile,
    Flag,
    HeaderName,
    Is,
    Positive,
    PromptFile,
    RedisUrl,
    Secret,
    Section,
    SessionSources,
    Text,
    Whole,
)

MAPPING, WORD = "<mapping>", "<word>"
"""The members of the union below, as pydantic names them in the location of an error."""


class SessionCache(Section):
    """Where pins live."""

    type: Literal["redis", "memory"] = Field("redis", description="memory is for one process and no Redis.")
    url: RedisUrl | None = Field(None, description="The Redis of the pins, unless REDIS_URL names it.")
    silence_ms: Annotated[int, Whole(50, 60000)] = Field(
        250, description="How long Redis may leave waiting requests without a sign of life."
    )
    tenant_header: HeaderName | None = Field(None, description="The header that scopes sessions to a tenant.")


class Router(Section):
    """A router model behind an OpenAI-compatible API."""

    url: ApiUrl = Field(description="The base of its API, such as http://host:8000/v1.")
    model: Text = Field("Arch-Router", description="What its server calls it.")
    api_key: Secret | None = Field(None, repr=False, description="The credential that it is sent.")
    prompt_file: PromptFile | None = Field(
        None, description="A prompt in place of the built-in one; it holds {routes} and {conversation}."
    )
    timeout_ms: Positive = Field(3000, description="How long it may take to choose a route.")
    ca_file: CaFile | None = Field(
        None, description="Certificates to trust, in PEM, in place of the machine's: a private CA."
    )


class RoutingBudget(Section):
    """What a session may spend on another model."""

    percent: Annotated[
        float, Field(ge=0.0, le=1000.0, allow_inf_nan=False), Is("a number from 0 to 1000", show="numbers")
    ] = Field(100.0, description="How much of what prompt caches have saved it, unless X-Plano-Routing-Budget says.")


class Routing(Section):
    """How sessions are pinned and first requests decided."""

    session_ttl_seconds: Positive = Field(600, description="How long a pin lives.")
    session_max_entries: Annotated[int, Whole(1, 10000)] = Field(
        10000, description="memory only: how many pins are kept."
    )
    session_cache: SessionCache = Field(default_factory=SessionCache, description="Where pins live.")
    session_ttl_mode: Literal["fixed", "sliding", "cache"] = Field(
        "fixed",
        description="sliding renews a pin on use; cache does, too, and lets it live as long as its provider's cache.",
    )
    router: Annotated[
        Annotated[Literal["auto", "embedded"], Is("auto, embedded or a mapping"), Tag(WORD)]
        | Annotated[Router, Tag(MAPPING)],
        Discriminator(lambda value: MAPPING if isinstance(value, dict | Router) else WORD),
    ] = Field("auto", description="What chooses a route; auto: overrides.llm_routing_model, else embedded.")
    decision_timeout_ms: Positive = Field(5000, description="How long a first request waits for its decision.")
    session_max_age_seconds: Positive | None = Field(None, description="A renewed pin's longest life.")
    on_outage: Literal["serve", "reject"] = Field(
        "serve", description="Whether the request's own model serves in an outage, or the answer is 503."
    )
    on_failure: Literal["move", "borrow", "strict"] = Field(
        "move", description="Whether a session whose model fails moves for good, for one request, or not at all."
    )
    max_attempts: Annotated[int, Whole(1, 10)] = Field(3, description="How many candidates a request may try.")
    fallback_to_default: Flag = Field(
        False, description="Whether sessions without a route may fall back on the default model."
    )
    sessions_from: SessionSources | None = Field(
        None,
        description="Where sessions may be named: our own headers, those of agents, bodies; else anywhere.",
    )
    redecide: Literal["never", "when_cold"] = Field(
        "never",
        description="Whether a session is decided anew when its prompt cache has ended or its context was compacted.",
    )
    routing_budget: RoutingBudget | None = Field(
        None,
        description="Whether sessions may change their model on user turns, when that pays; else pins are strict.",
    )
    route_on_user_only: Flag = Field(
        False, description="Whether only turns of the user's are routed; another one has the request's own model."
    )
    implicit_sessions: Flag = Field(
        False,
        description="Whether an agent's request without an id has a session by its opener, as long as caches live.",
    )
    record_ttl_seconds: Annotated[int, Whole(0)] = Field(
        86400, description="How long what was counted of a session outlives its pin, for operators; 0: nothing is."
    )
    response_model: Literal["qualified", "upstream"] = Field(
        "qualified", description="Whether answers name the model as provider/model or as the provider does."
    )
