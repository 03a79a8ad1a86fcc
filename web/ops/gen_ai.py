"""What spans and OTLP metrics say of a request to a model, in the words of OpenTelemetry's conventions.

The names are those of github.com/open-telemetry/semantic-conventions-genai, of November 2026.
"""

import hashlib

from shared.domain.catalog import Model
from shared.domain.money import Usage
from shared.domain.sessions import Session
from shared.otlp.metrics import tokens_of

_PROVIDERS = {
    "azure_openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""Providers that the conventions name otherwise than a config does."""
_OPERATIONS = {"chat": "chat", "messages": "chat", "responses": "chat", "embeddings": "embeddings"}
"""What the conventions call a request to each API."""
_DIGITS = 32


def operation_of(api: str, suffix: str, method: str) -> str | None:
    """The operation of a request; None for what asks no model, such as counting tokens."""
    return _OPERATIONS.get(api) if method == "POST" and not suffix else None


def facts_of(operation: str, model: Model) -> dict[str, str]:
    """What is known before the answer."""
    provider = model.provider.name
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model.id,
    }


def conversation_of(session: Session) -> str:
    """A session's id, hashed: a client may have put a name or an address into it.

    It is the beginning of the SHA-256 of the id, in front of which stands the tenant and a colon, if there is one.
    """
    named = session.id if session.tenant is None else f"{session.tenant}:{session.id}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def usage_facts(usage: Usage | None) -> dict[str, int]:
    """What an answer says that it used."""
    if usage is None:
        return {}
    said = {f"gen_ai.usage.{kind}_tokens": count for kind, count in tokens_of(usage).items()}
    more = {
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }
    return said | {name: count for name, count in more.items() if count}
