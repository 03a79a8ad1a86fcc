"""A recorder for web processes that are built in tests."""

from shared.domain.decisions import Decision


class Uncounted:
    """Counts nothing."""

    def decided(self, decision: Decision) -> None:
        """Pass over a decision."""

    def degraded(self, part: str) -> None:
        """Pass over an outage."""

    def unreadable(self, kind: str) -> None:
        """Pass over a value."""
