"""What the pool's answers have cost and saved, hour by hour, as all replicas together have counted it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import redis

from shared.domain.money.accounts import AMOUNTS, HOUR_S, Account, Amounts
from shared.store import keys
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable

KEPT_S = 8 * 24 * HOUR_S
"""How long an hour is kept after its last answer."""
_MICRO = 1_000_000
"""Amounts stand in Redis as millionths of a US$."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, str, str, str]).decode


class SavingsStore:
    """Adds to the hours and reads them; each method is one round trip and raises StoreDown."""

    def __init__(self, client: redis.Redis, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._unreadable = unreadable or Unreadable()

    def add(self, hour: int, sums: Mapping[Account, Amounts]) -> None:
        """Add to an hour, which is counted from the epoch."""
        key = keys.money(hour)
        try:
            self._add(key, sums)
        except WrongType as error:  # the hour begins anew
            self._unreadable.note(key, error)
            self._redis.delete(key)
            self._add(key, sums)

    def _add(self, key: str, sums: Mapping[Account, Amounts]) -> None:
        with self._redis.pipeline() as together:
            for account, amounts in sums.items():
                for name, usd in zip(AMOUNTS, amounts, strict=True):
                    if usd:
                        together.hincrbyfloat(key, _field(account, name), usd * _MICRO)
            together.expire(key, KEPT_S)
            together.execute()

    def read(self, hours: Sequence[int]) -> dict[Account, Amounts]:
        """What these hours come to; what is unreadable is left out."""
        names = [keys.money(hour) for hour in hours]
        with self._redis.pipeline(transaction=False) as together:
            for name in names:
                together.hgetall(name)
            answers = together.execute(raise_on_error=False)
        sums: dict[Account, Amounts] = {}
        for name, answer in zip(names, answers, strict=True):
            for account, amounts in self._amounts(name, answer):
                sums[account] = sums.get(account, Amounts()).plus(amounts)
        return sums

    def _amounts(self, key: str, answer: Any) -> Iterator[tuple[Account, Amounts]]:
        if not isinstance(answer, dict):
            self._unreadable.note(key, answer)
            return
        for field, value in answer.items():
            try:
                *account, name = _decode(field)
                usd = float(value) / _MICRO
                if math.isfinite(usd):
                    yield Account(*account), Amounts(**{name: usd})
            except (msgspec.DecodeError, ValueError, TypeError) as error:
                self._unreadable.note(key, error)


def _field(account: Account, name: str) -> str:
    """The field of an amount, such as `["acme","openai/gpt-4o","code","cost"]`."""
    return _encode((*account, name)).decode()
