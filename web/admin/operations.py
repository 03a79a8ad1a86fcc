"""What the operator's API and pages ask the pool with."""

from shared.operations.build import Operations
from web.services import current_services


def operations() -> Operations:
    """The operations on this pool."""
    return current_services().operations


def model_names() -> tuple[str, ...]:
    """The models that a session can be moved to, in the order of the config."""
    return tuple(model.name for model in current_services().config.catalog.models)
