"""Memory mode: builds what makes the decisions inside of the web process."""

from shared.config import Config
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.latency import MemoryLatencies
from shared.memory.pins import MemoryPins
from shared.outgoing import Outgoing
from shared.process_dependencies import InPlace, NoMetrics
from shared.store.drains import RecentDrains
from shared.tracing import Tracing
from workers import decide
from workers.metrics.in_memory import LocalMetrics


def build(  # noqa: PLR0917 - bootstrap calls it as a BuildInPlace
    config: Config,
    pins: MemoryPins,
    cooldowns: MemoryCooldowns,
    drains: RecentDrains,
    latencies: MemoryLatencies,
    tracing: Tracing,
    outgoing: Outgoing,
) -> InPlace:
    """The decider's function, the metrics that it ranks by, and the background work that refreshes them."""
    if not config.sources:
        nothing = NoMetrics()
        decider = decide.build(config, pins, nothing, cooldowns, tracing, drains=drains, outgoing=outgoing)
        return InPlace(decider.decide, nothing, ())
    metrics = LocalMetrics(config, latencies, outgoing)
    decider = decide.build(config, pins, metrics, cooldowns, tracing, drains=drains, outgoing=outgoing)
    return InPlace(decider.decide, metrics, (metrics,))
