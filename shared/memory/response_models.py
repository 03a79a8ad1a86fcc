"""Which model made a response that its provider keeps, in memory mode."""

import threading

from cachetools import TTLCache


class MemoryResponses:
    """The same as ResponseStore, for one process."""

    def __init__(self, max_entries: int, ttl_s: float) -> None:
        self._models: TTLCache[tuple[str | None, str], str] = TTLCache(max_entries, ttl_s)
        self._lock = threading.Lock()

    def note(self, tenant: str | None, response_id: str, model: str) -> None:
        """Keep which model made a response of this tenant's."""
        with self._lock:
            self._models[tenant, response_id] = model

    def model_of(self, tenant: str | None, response_id: str) -> str | None:
        """The model that made a response of this tenant's; None for one that is not known."""
        with self._lock:
            return self._models.get((tenant, response_id))
