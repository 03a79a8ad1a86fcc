"""Limits that have to fit together."""

from tests.unit.config_files import Read, faults

PROVIDER = "model_providers: [{model: openai/a}]\n"


def test_the_largest_body_has_room(read: Read) -> None:
    assert read(f"{PROVIDER}limits: {{body_bytes: 1000, buffered_bytes: 1000}}").limits.buffered_bytes == 1000

    (fault,) = faults(read, f"{PROVIDER}limits: {{body_bytes: 1001, buffered_bytes: 1000}}")

    assert fault.startswith("limits.buffered_bytes: is less than limits.body_bytes; make it larger")


def test_a_limit_that_cannot_be_read_is_the_only_fault(read: Read) -> None:
    (fault,) = faults(read, f"{PROVIDER}limits: {{body_bytes: many, buffered_bytes: 1000}}")

    assert fault.startswith("limits.body_bytes")
