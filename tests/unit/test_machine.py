"""Which cores a measurement uses."""

from bench import machine


def test_what_is_measured_has_a_core_that_the_rest_has_not() -> None:
    """Also when it is started by a process that has moved to the others already."""
    own, others = machine.split_cores()

    with machine.on(others):
        assert machine.split_cores() == (own, others)
