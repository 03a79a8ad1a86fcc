"""What the failures of a request say about the models."""

import pytest

from shared.domain.availability.failures import (
    Blame,
    Failure,
    blame_of,
    is_own_deadline,
    keeps_pin,
    suspect,
)
from shared.errors import NotSent, UpstreamFailed, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable


def failed(model: str, blame: Blame = Blame.MODEL, *, own_deadline: bool = False) -> Failure:
    return Failure(model=model, why="500", blame=blame, own_deadline=own_deadline)


A, B = failed("a"), failed("b")
A_LATE = failed("a", own_deadline=True)
A_REFUSED, B_REFUSED = failed("a", Blame.REFUSED), failed("b", Blame.REFUSED)
A_NOBODY, B_NOBODY = failed("a", Blame.NOBODY), failed("b", Blame.NOBODY)


@pytest.mark.parametrize(
    ("failures", "against", "kept"),
    [
        ([A], A, False),
        ([A, B], None, True),
        ([A, B_REFUSED], A, False),
        ([A, B_NOBODY], A, False),
        ([A_REFUSED], None, False),
        ([A_REFUSED, B], B, False),
        ([A_NOBODY], None, True),
        ([A_NOBODY, B], B, True),
        ([A_LATE], None, True),
        ([], None, False),
        ([B], B, False),
    ],
)
def test_a_failure_speaks_against_a_model_unless_another_fails_the_same_request(
    failures: list[Failure], against: Failure | None, kept: bool
) -> None:
    """The session is pinned to `a`; without a failure of `a`, that sits out."""
    assert suspect(failures) == against
    assert keeps_pin(failures, "a") is kept


@pytest.mark.parametrize(
    ("error", "again", "blame"),
    [
        (NotSent("no file"), True, Blame.NOBODY),
        (UpstreamRefused("refused"), True, Blame.REFUSED),
        (UpstreamRefused("refused"), False, Blame.MODEL),
        (UpstreamTimeout("silent"), True, Blame.MODEL),
        (UpstreamUnreachable("broke off"), True, Blame.MODEL),
    ],
)
def test_a_refusal_is_certain_once_it_is_confirmed(error: UpstreamFailed, again: bool, blame: Blame) -> None:
    """A provider that starts anew refuses for a moment; one such moment is no reason to let it sit out."""
    assert blame_of(error, lambda: again) is blame


@pytest.mark.parametrize(
    ("within_s", "took_s", "own"),
    [
        (60, 60.1, False),  # the first of several candidates
        (40, 40.1, True),  # what another one's attempt had left
        (60, 61, True),  # the process was too busy to hear an answer that may have come in time
    ],
)
def test_a_time_out_is_the_models_if_it_had_its_time_and_somebody_listened(
    within_s: float, took_s: float, own: bool
) -> None:
    """Of a request that may take 100 s."""
    assert is_own_deadline(within_s, took_s, 100) is own
