"""Which model made a response that its provider keeps, in Redis."""

from typing import cast

import redis

from shared.store import keys
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable


class ResponseStore:
    """Notes and finds the makers of responses. Each method is one round trip and raises StoreDown."""

    def __init__(self, client: redis.Redis, ttl_s: int, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._ttl_s = ttl_s
        self._unreadable = unreadable or Unreadable()

    def note(self, tenant: str | None, response_id: str, model: str) -> None:
        """Keep which model made a response of this tenant's."""
        self._redis.set(keys.response(tenant, response_id), model, ex=self._ttl_s)

    def model_of(self, tenant: str | None, response_id: str) -> str | None:
        """The model that made a response of this tenant's; None for one that is not known."""
        key = keys.response(tenant, response_id)
        try:
            value = cast(bytes | None, self._redis.get(key))
        except WrongType as error:
            self._unreadable.note(key, error)
            return None
        return value.decode("utf-8", "replace") if value else None
