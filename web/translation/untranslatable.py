"""What one API can say and another cannot."""

from shared.errors import BadRequest


class Untranslatable(BadRequest):
    """A block, tool or field has no counterpart in the provider's API; names it and what would be right."""
