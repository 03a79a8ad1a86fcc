"""All targets."""

from tests.fuzz import answers, bodies, configs, dialects, packed, providers, requests, sockets, streams
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    found.name: found
    for module in (bodies, dialects, packed, streams, requests, answers, providers, configs, sockets)
    for found in vars(module).values()
    if isinstance(found, Target)
}
"""Each target by its name."""
