"""What sessions have saved and spent, for those that may change their model when it pays."""

import math
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from shared.domain import pins as codec
from shared.domain.money.switching import Ledger, Price, Warm
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.store import keys, scripts
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder

_MICRO = 1_000_000
"""Amounts stand in Redis as millionths of a US$."""
_SAVED, _SPENT = b"saved", b"spent"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Warm).decode


class BudgetStore:
    """Keeps a ledger for each session; each method is one round trip and raises StoreDown."""

    def __init__(self, client: redis.Redis, ttl_s: int, unreadable: Unreadable | None = None) -> None:
        """A ledger ends `ttl_s` seconds after its session's last answer."""
        self._redis = client
        self._ttl_s = ttl_s
        self._decoder = Decoder(codec.decode, unreadable)
        self._spend = client.register_script(scripts.read("move_and_charge.lua"))

    def add(self, notes: Mapping[Session, Ledger]) -> None:
        """Add what answers have saved, and note what they have read. A session whose ledger is none begins anew."""
        with self._redis.pipeline(transaction=False) as together:
            for session, note in notes.items():
                key = keys.budget(session)
                if note.saved_usd:
                    together.hincrbyfloat(key, _SAVED, note.saved_usd * _MICRO)
                for model, warm in note.warm.items():
                    together.hset(key, _field(model), _encode(warm))
                together.expire(key, self._ttl_s)
            together.execute(raise_on_error=False)

    def ledger(self, session: Session) -> Ledger:
        """What stands in a session's ledger; what is unreadable in it counts as absent."""
        key = keys.budget(session)
        try:
            fields: Any = self._redis.hgetall(key)
        except WrongType as error:
            self._without(key, error)
            return Ledger()
        found = {
            name[6:].decode("utf-8", "replace"): value for name, value in fields.items() if name[:6] == b"model:"
        }
        warm = {model: last for model, value in found.items() if (last := self._warm(key, value))}
        return Ledger(_usd(fields.get(_SAVED)), _usd(fields.get(_SPENT)), warm)

    def spend(self, session: Session, seen: Pin, to: Pin, price: Price) -> Pin | None:
        """Move the session if its pin still names the model that was seen and the cost fits; return what stands.

        The cost fits if it and what the session has spent are at most a share of what it has saved. The model that it
        moves to counts as warm at once: to leave it again is not free.
        """
        pin_key, key = keys.affinity(session), keys.budget(session)
        now = time.time()
        left_s = codec.left_s(to, to.ttl_s, now) if to.ttl_s else 0
        micro = math.ceil(price.usd * _MICRO)
        warm = _encode(Warm(price.tokens, int(now)))
        arguments: list[Any] = [
            *(seen.model_name, codec.encode(to), left_s, micro, price.percent, self._ttl_s),
            *(_field(to.model_name), warm),
        ]
        try:
            return self._decoder.read(pin_key, self._spend([pin_key, key], arguments))
        except WrongType:  # of one of the two keys: a ledger that is none is dropped here, a pin by who reads it
            self.ledger(session)
            return seen

    def _warm(self, key: str, value: bytes) -> Warm | None:
        try:
            return _decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._decoder.unreadable.note(key, error)
            return None

    def _without(self, key: str, why: WrongType) -> None:
        """Drop a key that is no ledger."""
        self._decoder.unreadable.note(key, why)
        self._redis.delete(key)


def _field(model: str) -> str:
    return f"model:{model}"


def _usd(value: bytes | None) -> float:
    try:
        micro = float(value or 0)
    except ValueError:
        return 0.0
    return micro / _MICRO if math.isfinite(micro) else 0.0
