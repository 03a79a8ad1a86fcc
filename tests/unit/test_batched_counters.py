"""Numbers that requests add to, and the histogram that is made of them."""

from prometheus_client import CollectorRegistry, Counter, generate_latest

from web.ops.batched_counters import Exposed, Gathered, GatheredHistogram


def test_what_is_gathered_reaches_its_counter_when_it_is_published_and_once() -> None:
    own = CollectorRegistry()
    gathered, counter = Gathered(), Counter("gathered_total", "Of this test", registry=own)
    for _ in range(3):
        gathered.add(counter)

    before = own.get_sample_value("gathered_total")
    gathered.publish()
    gathered.publish()

    assert (before, own.get_sample_value("gathered_total")) == (0, 3)


def test_a_histogram_has_cumulative_buckets_a_sum_and_a_count() -> None:
    """Each bound belongs to its bucket, as Prometheus has it; what is above all of them is counted, too."""
    own = CollectorRegistry()
    gathered = Gathered()
    histogram = GatheredHistogram(gathered, "gathered_seconds", "Of this test", "model", (0.5, 1), registry=own)
    for value in (0.1, 0.5, 0.75, 4):
        histogram.add("a/x", value)
    gathered.publish()

    shown = CollectorRegistry()
    shown.register(Exposed(own, (histogram,)))
    lines = generate_latest(shown).decode().splitlines()

    assert lines == [
        "# HELP gathered_seconds Of this test",
        "# TYPE gathered_seconds histogram",
        'gathered_seconds_bucket{le="0.5",model="a/x"} 2.0',
        'gathered_seconds_bucket{le="1.0",model="a/x"} 3.0',
        'gathered_seconds_bucket{le="+Inf",model="a/x"} 4.0',
        'gathered_seconds_count{model="a/x"} 4.0',
        'gathered_seconds_sum{model="a/x"} 5.35',
    ]
