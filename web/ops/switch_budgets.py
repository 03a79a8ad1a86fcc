"""Gathers what answers have saved their sessions, and shares it with the pool once a second."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from shared.domain.money import Prices, Usage, kept
from shared.domain.money.switching import Ledger, Warm
from shared.domain.sessions import Session
from shared.errors import StoreDown

log = logging.getLogger("plano.metrics")


class Ledgers(Protocol):
    """Keeps a ledger for each session; raises StoreDown."""

    def add(self, notes: Mapping[Session, Ledger]) -> None:
        """Add what answers have saved, and note what they have read."""


class SessionBudgets:
    """What sessions have saved since the last second."""

    def __init__(self, ledgers: Ledgers, clock: Callable[[], float] = time.time) -> None:
        self._ledgers = ledgers
        self._clock = clock
        self._notes: dict[Session, Ledger] = {}

    def answered(self, session: Session, model: str, usage: Usage, prices: Prices | None) -> None:
        """Note what an answer has saved its session, and what its model has in its prompt cache now."""
        before = self._notes.get(session, Ledger())
        saved = (kept(usage, prices) if prices else None) or 0.0
        tokens = usage.input + usage.cached + usage.cache_write_5m + usage.cache_write_1h + usage.output
        warm = {**before.warm, model: Warm(tokens, int(self._clock()))}
        self._notes[session] = Ledger(saved_usd=before.saved_usd + saved, warm=warm)

    def flush(self) -> None:
        """Add the notes to the ledgers. What Redis does not take is dropped: a session then has saved less."""
        notes, self._notes = self._notes, {}
        if not notes:
            return
        try:
            self._ledgers.add(notes)
        except StoreDown as error:
            log.debug("what sessions saved in a second is lost: %s", error)
