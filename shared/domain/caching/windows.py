"""How long a provider's prompt cache outlives its last use; docs/cache-windows.md names the source of each figure."""

import re

from shared.domain.catalog import Model, Provider

USUAL_S = 300
HOUR = "1h"
"""What a request says by `cache_control.ttl`."""
DAY = "24h"
"""What a request says by `prompt_cache_retention`."""

_LASTING_S = {"deepseek": 3600, "openrouter": 600}
_ASKED_S = {("anthropic", HOUR): 3600, ("openai", DAY): 86400, ("azure_openai", DAY): 86400}
_HALF_HOUR_S = 1800
_OPENAI = ("openai", "azure_openai")
_GPT = re.compile(r"gpt-(\d+)(?:\.(\d+))?")
_KEPT_HALF_AN_HOUR = (5, 6)
"""The first GPT whose cache lives 30 minutes at least, whatever a request asks for."""


def window_s(model: Model, retention: str | None = None) -> int:
    """How many seconds the model's prompt cache outlives its last use.

    `retention` is what the request asks for: `1h`, `24h` or None. The operator's own figure comes before all others.
    """
    provider = model.provider
    if provider.cache_window_s:
        return provider.cache_window_s
    whose = _whose(provider)
    if whose in _OPENAI and _keeps_half_an_hour(model.id):
        return _HALF_HOUR_S
    return _ASKED_S.get((whose, retention or "")) or _LASTING_S.get(whose, USUAL_S)


def _whose(provider: Provider) -> str:
    """Whose cache it is: many a server speaks OpenAI's API, and only one that is named so is OpenAI's."""
    is_named = provider.interface == "openai" or provider.name in (*_OPENAI, *_LASTING_S)
    return provider.name if is_named else provider.interface


def _keeps_half_an_hour(model_id: str) -> bool:
    found = _GPT.match(model_id)
    return found is not None and (int(found[1]), int(found[2] or 0)) >= _KEPT_HALF_AN_HOUR
