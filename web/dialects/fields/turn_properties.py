"""What a request says that its session's pin depends on; each is read from the body when somebody asks for it."""

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec

from shared.domain.caching.windows import DAY, HOUR
from shared.domain.catalog import Model
from web.dialects.dialect import Dialect
from web.dialects.fields import common_fields, signed_reasoning
from web.dialects.fields.body import Fields
from web.dialects.fields.last_speaker import is_result, is_users

_HOUR = b'"%b"' % HOUR.encode()
_TTL_OF_AN_HOUR = re.compile(rb'"ttl"\s*:\s*' + _HOUR)
_NONE = msgspec.Raw(b"[]")
_GEMINI = "gemini"
_CONTEXT = ("system", "instructions", "tools")
_BYTES_A_TOKEN = 4
_NO = ("", "0", "false")


class BodyTurn:
    """One request of a conversation."""

    def __init__(self, dialect: Dialect, fields: Fields, environ: Mapping[str, str]) -> None:
        self._api = dialect.name
        self._environ = environ
        self._field = dialect.conversation_field
        self._conversation = fields.get(dialect.conversation_field, _NONE)
        self._fields = fields

    @cached_property
    def retention(self) -> str | None:
        """How long the provider shall keep its cache, in the API's own words: `1h`, `24h` or None."""
        if common_fields.text(self._fields, "prompt_cache_retention") == DAY:
            return DAY
        marked = (bytes(value) for value in self._fields.values() if _HOUR in bytes(value))
        return HOUR if any(map(_TTL_OF_AN_HOUR.search, marked)) else None

    @cached_property
    def is_bound(self) -> bool:
        """Whether the conversation holds reasoning that only the model that made it can read."""
        return signed_reasoning.is_in(self._api, self._conversation)

    @cached_property
    def length(self) -> int:
        """How many turns the conversation has."""
        return signed_reasoning.count_turns(self._conversation)

    @cached_property
    def is_in_tool_loop(self) -> bool:
        """Whether the last turn is a tool's result."""
        return is_result(self._conversation)

    @cached_property
    def is_users(self) -> bool:
        """Whether the user has spoken last, and no tool with it."""
        return is_users(self._conversation)

    @property
    def tokens(self) -> int:
        """About how many tokens the request has."""
        said = (self._fields[name] for name in (*_CONTEXT, self._field) if name in self._fields)
        return sum(memoryview(value).nbytes for value in said) // _BYTES_A_TOKEN

    @property
    def generation(self) -> str | None:
        """Which of its agent's contexts it belongs to: Codex counts them behind the id of its window."""
        return self._environ.get("HTTP_X_CODEX_WINDOW_ID", "").rpartition(":")[2] or None

    def is_compacted(self, before: str | None) -> bool:
        """Whether the agent has compacted its context since the generation `before`, or just now."""
        said = self._environ.get("HTTP_X_CLAUDE_CODE_CONTEXT_COMPACTED", "").strip().lower()
        counted = before is not None and self.generation is not None and self.generation != before
        return counted or said not in _NO

    def is_readable_by(self, model: Model) -> bool:
        """Whether the reasoning is of the kind that the model's provider makes."""
        provider = model.provider
        if signed_reasoning.is_geminis(self._conversation):
            return _GEMINI in (provider.name, provider.interface)
        return self._api in provider.apis
