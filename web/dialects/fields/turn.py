"""What a request says that its session's pin depends on; each is read from the body when somebody asks for it."""

import re
from functools import cached_property

from shared.domain.caching.windows import DAY, HOUR
from web.dialects.fields import named
from web.dialects.fields.body import Fields

_HOUR = b'"%b"' % HOUR.encode()
_TTL_OF_AN_HOUR = re.compile(rb'"ttl"\s*:\s*' + _HOUR)


class Turn:
    """One request of a conversation."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    @cached_property
    def retention(self) -> str | None:
        """How long the provider shall keep its cache, in the API's own words: `1h`, `24h` or None."""
        if named.text(self._fields, "prompt_cache_retention") == DAY:
            return DAY
        marked = (bytes(value) for value in self._fields.values() if _HOUR in bytes(value))
        return HOUR if any(map(_TTL_OF_AN_HOUR.search, marked)) else None
