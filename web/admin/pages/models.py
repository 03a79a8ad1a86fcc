"""The page of models: what each does, and the buttons that drain it."""

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from shared.domain.money import Prices
from shared.operations.operator_identity import Operator
from web.admin.api.endpoint import from_form
from web.admin.api.models import Drained, Undrained
from web.admin.operations import operations
from web.admin.pages.page import render, who


def install(bp: Blueprint) -> None:
    """Add the page."""
    bp.add_app_template_filter(price)
    bp.add_url_rule("/models", "models", listed)
    bp.add_url_rule("/models/drain", "drain", drain, methods=["POST"])
    bp.add_url_rule("/models/undrain", "undrain", undrain, methods=["POST"])


def listed() -> ResponseReturnValue:
    """Every model."""
    return render("models.html", models=operations().models.states())


def drain() -> ResponseReturnValue:
    """Drain a model."""
    asked: Drained = from_form(request, Drained)
    operations().models.drain(asked.model, Operator(who(), asked.why), now=asked.now)
    return redirect("/admin/models", 303)


def undrain() -> ResponseReturnValue:
    """End a drain."""
    asked: Undrained = from_form(request, Undrained)
    operations().models.undrain(asked.model, Operator(who(), asked.why))
    return redirect("/admin/models", 303)


def price(prices: Prices) -> str:
    """`$2.50 / $10`, for a million tokens in and out."""
    return " / ".join("-" if each is None else f"${each:g}" for each in (prices.input, prices.output))
