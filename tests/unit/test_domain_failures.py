"""What the failures of a request say about the models."""

import pytest

from shared.domain.availability.failures import Blame, Failure, keeps_pin, suspect


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
