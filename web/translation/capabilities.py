"""What a provider's model takes, as far as translating depends on it."""

import re
from typing import Literal

import msgspec

from shared.domain.catalog import Model, Provider

Version = tuple[int, int]

# What Claudes take is as Anthropic's documentation has it in November 2026: its pages on thinking, on system messages
# in mid-conversation and on migrating to Opus 4.7, 5 and 5.5, and Amazon Bedrock's on adaptive thinking.
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_ADAPTIVE: Version = (4, 6)
"""The first Claude that takes `thinking: adaptive` with an effort; those before take budgets, 4.7 takes none."""
_WITHOUT_SAMPLING: Version = (4, 7)
"""The first Claude that refuses `temperature` and `top_p`."""
_THINKS_UNASKED: Version = (5, 0)
"""The first Claude that thinks where a request does not say so; Opus 5.5 and Fable 5 refuse `thinking: disabled`."""
_SYSTEM_TURNS: Version = (4, 8)
"""The first Claude that takes messages of role `system`."""

_WITHOUT_EFFORT = re.compile(r"(?:^|[/:])(?:chatgpt-4|gpt-4|gpt-3)")
"""The models of OpenAI that do not reason, and refuse `reasoning_effort`, as its API reference has them."""
_NEW_LIMIT = frozenset({"openai", "azure_openai"})
"""Whose chat takes `max_completion_tokens`; the others may know `max_tokens` only."""
_REFUSE_REASONING = frozenset({"azure_openai", "cerebras", "gemini", "groq", "mistral", "together_ai", "xai"})
"""Who refuses `reasoning_content` in a message, or has no such field, as these providers' API references have it.

OpenAI is one of them, too; its interface is that of vLLM, SGLang and others, which have the field.
"""


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may hold for the model that it goes to."""

    prompt_caching: bool = True
    """Whether `cache_control` is placed in a Messages request where the client placed none."""
    max_tokens_default: int = 32_000
    """For a Messages request whose client named no limit: the least that a Claude 4 or later can put out."""
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """The name of the limit in a chat request; OpenAI's newer models refuse the old one, others know only that."""
    thinking: Literal["adaptive", "budget"] = "adaptive"
    """How a Messages request says how much the model may think."""
    thinks_unasked: bool = True
    """Whether the model thinks where a Messages request says nothing of it."""
    sampling: bool = True
    """Whether a Messages request may hold `temperature` and `top_p`."""
    system_turns: bool = True
    """Whether a Messages request may hold a message of role `system`; else it becomes text of the user's turn."""
    effort: bool = True
    """Whether a chat or Responses request may say how much the model shall think."""
    reasoning_content: bool = True
    """Whether a chat request may hold the reasoning of past turns; some providers want it back in a tool loop."""
    file_urls: bool = False
    """Whether a chat request may name a file by its URL: true where it goes on to an API that can."""


def features_of(model_id: str, *, prompt_caching: bool = True) -> Features:
    """What a model takes by its name at the provider; a Claude without a version counts as the newest."""
    found = _VERSION.search(model_id)
    version = (int(found[1]), int(found[2] or 0)) if found else None
    return Features(
        prompt_caching=prompt_caching,
        thinking="budget" if version and version < _ADAPTIVE else "adaptive",
        thinks_unasked=not version or version >= _THINKS_UNASKED,
        sampling=bool(version and version < _WITHOUT_SAMPLING),
        system_turns=not version or version >= _SYSTEM_TURNS,
        effort=not _WITHOUT_EFFORT.search(model_id),
    )


def chat_features_of(model: Model, *, onwards: bool = False) -> Features:
    """What a chat request for the model may hold; `onwards`: it is on its way to another API."""
    is_new = onwards or model.provider.name in _NEW_LIMIT
    return Features(
        max_tokens_field="max_completion_tokens" if is_new else "max_tokens",
        effort=not _WITHOUT_EFFORT.search(model.id),
        reasoning_content=_has_reasoning_content(model.provider),
        file_urls=onwards,
    )


def _has_reasoning_content(provider: Provider) -> bool:
    return provider.name != "openai" and _REFUSE_REASONING.isdisjoint((provider.name, provider.interface))
