"""Decodes what stands in Redis. It is input: anybody who reaches this Redis may have written it."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from shared.store.decoding.unreadable import Unreadable

T = TypeVar("T")


class Decoder(Generic[T]):
    """Reads values of one kind."""

    def __init__(self, decode: Callable[[bytes], T], unreadable: Unreadable | None = None) -> None:
        """`decode` is msgspec's."""
        self._decode = decode
        self.unreadable = unreadable or Unreadable()

    def read(self, key: str, value: Any) -> T | None:
        """What a value says; None when there is none, or it says nothing that can be read, which is noted."""
        if value is None:
            return None
        try:
            return self._decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.unreadable.note(key, error)
            return None
