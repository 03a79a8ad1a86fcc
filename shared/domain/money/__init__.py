"""What answers cost, and what prompt caches save."""

from shared.domain.money.token_costs import Prices, Usage, cost, kept, lost, prices_of

__all__ = ["Prices", "Usage", "cost", "kept", "lost", "prices_of"]
