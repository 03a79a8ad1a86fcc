"""What a client is told of a translated stream that goes wrong, whatever its API."""

from web.dialects.error_table import ErrorInfo

ENDED_EARLY = ErrorInfo(
    status=502,
    message="The provider's stream ended before its answer did",
    type="upstream_error",
    code="upstream_unreachable",
)
UNREADABLE = ErrorInfo(
    status=502,
    message="The provider's stream is not what its API describes",
    type="upstream_error",
    code="upstream_unreachable",
)
