"""What a job says, as it stands in Redis."""

from typing import Any

import msgspec

from shared.errors import RouterDown

JOB_BYTES = 64 * 1024
"""The most that a job may say, uncompressed. More is not queued, and workers refuse it."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Any).decode


class JobData:
    """RQ's serializer for our jobs: JSON in UTF-8, so that nothing is ever unpickled."""

    @staticmethod
    def dumps(said: Any) -> bytes:
        """The JSON; raises RouterDown when it is too long for a job."""
        data = _encode(said)
        if len(data) > JOB_BYTES:
            raise RouterDown(
                f"a decision needs {len(data)} bytes, and a job has {JOB_BYTES}: the routes are too long"
            )
        return data

    @staticmethod
    def loads(data: bytes) -> Any:
        """What was said; raises msgspec.DecodeError."""
        return _decode(data)
