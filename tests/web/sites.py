"""The configs that the web processes of these tests run on."""

from tests.web.gateway import Outside

KEYS = {name: f"ck-{name}" for name in ("open", "pair", "bare", "team", "small")}
"""Access keys of the strict site: any tenant, two tenants, no tenant, tenant team-a, only gpt-4o-mini."""

TENANT_HEADER = "x-tenant-id"
SMALL_BODY = 64 * 1024

_PROVIDERS = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:%(provider)d/v1", access_key: sk-openai, default: true}
  - {model: openai/gpt-5.2, base_url: "http://127.0.0.1:%(provider)d/v1", access_key: sk-openai,
     headers: {X-Team: ours}}
  - {model: anthropic/claude-sonnet-4-20250514, base_url: "http://127.0.0.1:%(other)d", access_key: sk-anthropic}
  - {model: down/model, base_url: "http://127.0.0.1:%(down)d/v1", provider_interface: openai}
  - {model: "house/*", base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai,
     passthrough_auth: true}
  - {model: "azure_openai/*", base_url: "http://127.0.0.1:%(provider)d", access_key: sk-azure}
model_aliases: {clever: {target: openai/gpt-5.2}}
"""

_ROUTES = """
routing_preferences:
  - name: deep_reasoning
    description: multi-step reasoning, complex analysis, careful code review
    models: [openai/gpt-5.2, openai/gpt-4o-mini]
  - name: code_generation
    description: write new functions, scripts and boilerplate, generate code
    models: [anthropic/claude-sonnet-4-20250514]
"""

_USUAL = """
routing:
  router: {url: "http://127.0.0.1:%(router)d/v1"}
"""

_STRICT = """
listeners: [{type: model, name: egress, timeout: 3s}]
routing:
  router: {url: "http://127.0.0.1:%(router)d/v1"}
  session_cache: {type: redis, tenant_header: %(tenant_header)s}
  response_model: upstream
  on_outage: reject
auth:
  keys:
    - {name: open, key: %(open)s, tenants: "*"}
    - {name: pair, key: %(pair)s, tenants: [acme, team-c]}
    - {name: bare, key: %(bare)s}
    - {name: team, key: %(team)s, tenant: team-a}
    - {name: small, key: %(small)s, tenant: team-b, models: [openai/gpt-4o-mini]}
limits: {body_bytes: %(small_body)d}
"""

_NARROW = """
routing:
  session_cache: {type: redis, tenant_header: %(tenant_header)s}
limits: {body_bytes: %(small_body)d, head_timeout: 2s, body_timeout: 2s, waiting_requests: 8}
"""

_MEMORY = """
routing:
  router: {url: "http://127.0.0.1:%(router)d/v1"}
  session_cache: {type: memory}
"""


def usual(outside: Outside) -> str:
    """As an operator would begin."""
    return _filled(_PROVIDERS + _ROUTES + _USUAL, outside)


def implicit(outside: Outside) -> str:
    """As usual, with a tenant header; requests without an id have a session, and pins live as long as caches."""
    tenants = (
        "  implicit_sessions: true\n  session_ttl_mode: cache\n  session_cache: {tenant_header: %(tenant_header)s}\n"
    )
    return _filled(_PROVIDERS + _ROUTES + _USUAL + tenants, outside)


def redecide(outside: Outside) -> str:
    """As usual, and sessions are decided anew when their caches have ended."""
    return _filled(_PROVIDERS + _ROUTES + _USUAL + "  redecide: when_cold\n", outside)


def user_turns(outside: Outside) -> str:
    """As usual, and only turns of the user's are routed."""
    return _filled(_PROVIDERS + _ROUTES + _USUAL + "  route_on_user_only: true\n", outside)


def strict(outside: Outside) -> str:
    """Access keys, tenants, small limits; the provider's own model names, and no service in an outage."""
    return _filled(_PROVIDERS + _ROUTES + _STRICT, outside)


def narrow(outside: Outside) -> str:
    """Limits that a test reaches soon, and no routes: sessions are pinned without a worker."""
    return _filled(_PROVIDERS + _NARROW, outside)


def memory(outside: Outside) -> str:
    """One process on its own."""
    return _filled(_PROVIDERS + _ROUTES + _MEMORY, outside)


def _filled(config: str, outside: Outside) -> str:
    facts = {"tenant_header": TENANT_HEADER, "small_body": SMALL_BODY, **KEYS}
    ports = {
        "provider": outside.provider.port,
        "other": outside.other.port,
        "router": outside.router.port,
        "down": outside.down,
    }
    return config % {**facts, **ports}
