"""Models in the operator's API."""

import msgspec

from shared.operations.models import ModelState
from web.admin.api.endpoint import Endpoint
from web.admin.api.sessions import Model, Why, by
from web.admin.operations import operations


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No input."""


class Drained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, and how it shall be drained."""

    model: Model
    now: bool = False
    """Whether its sessions move at their next turn, whatever they are at."""
    why: Why = ""


class Undrained(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that shall be drained no longer."""

    model: Model
    why: Why = ""


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Every configured model."""

    models: tuple[ModelState, ...]


def _list(_: Nothing) -> Models:
    return Models(models=operations().models.states())


def _drain(asked: Drained) -> ModelState:
    return operations().models.drain(asked.model, by(asked.why), now=asked.now)


def _undrain(asked: Undrained) -> ModelState:
    models = operations().models
    models.undrain(asked.model, by(asked.why))
    return models.state(asked.model)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/models", name="models", takes=Nothing, answers=Models, ask=_list,
        does="What each model does, serves and costs.",
    ),
    Endpoint(
        method="POST", path="/models/drain", name="drain", takes=Drained, answers=ModelState, ask=_drain,
        does="Drain a model: new sessions avoid it, and its sessions move when that loses nothing.",
    ),
    Endpoint(
        method="POST", path="/models/undrain", name="undrain", takes=Undrained, answers=ModelState, ask=_undrain,
        does="End a drain.",
    ),
)  # fmt: skip
