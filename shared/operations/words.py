"""What has happened to a session, in words; and times, as people read them."""

import time
from collections.abc import Mapping

from shared.domain.session_records import Event, What

_WHY = {
    "asked": "its client asked for another decision",
    "budget": "what its prompt cache had saved paid for it",
    "cold": "its prompt cache had ended",
    "compacted": "its agent had compacted the context",
    "cooling": "was sitting out",
    "credential": "needs a credential that the request did not bring",
    "drained": "was being drained",
    "expired": "its last pin had ended",
    "lost": "Redis had lost its last pin",
    "queue": "no worker could be asked",
    "redis": "Redis did not answer",
    "router": "the router did not answer",
    "timeout": "sent no byte in time",
    "unreachable": "could not be reached",
    "untranslatable": "could not take the request",
}
_SAYS = {
    What.DECIDED: "was given {model}{route}",
    What.ADOPTED: "went on with {model}{instead}{why}",
    What.MOVED: "moved{left} to {model}{why}",
    What.BORROWED: "was answered once by {model}{instead}, and kept its pin{why}",
    What.REDECIDED: "was decided anew: {model}{instead}{why}",
    What.DEGRADED: "was answered once by the request's own model, {model}{why}",
}
_OF_MODEL = frozenset({"cooling", "credential", "drained", "timeout", "unreachable", "untranslatable"})
"""What is said of the model that was left; a status is, too."""
_EDITED = {
    "pin": "pinned it to {model}",
    "unpin": "ended its pin",
    "hold": "held it at {model}",
    "release": "ended the hold at {model}",
}


def sentence(event: Event) -> str:
    """What happened, such as `moved from openai/gpt-5.2 to acme/a: openai/gpt-5.2 answered 503`."""
    if event.what is What.EDITED:
        return _edited(event)
    if event.what is What.ADOPTED and not event.why:
        return f"went on with {event.model}, as another replica had decided"
    says = What.MOVED if event.why == "drained" else event.what  # nobody was asked who else should serve
    return _SAYS[says].format(
        model=event.model,
        route=f" by the route {event.route}" if event.route else ", without a route",
        left=f" from {event.left}" if event.left else "",
        instead=f" in place of {event.left}" if event.left else "",
        why=_because(event),
    ) + ("; it was sent no reasoning of other models" if event.facts.get("dropped") else "")


def figures(event: Event) -> str:
    """What a decision was made by: `the router took 26 ms; 1 acme/a (0.25, 3 s old), 2 acme/b (missing)`."""
    facts = event.facts
    parts = (
        [f"the router took {facts['router_ms']:.0f} ms"] if isinstance(facts.get("router_ms"), float | int) else []
    )
    ranked = [_ranked(facts, place) for place in range(1, len(facts) + 1) if f"rank.{place}" in facts]
    return "; ".join([*parts, *([", ".join(ranked)] if ranked else [])])


def counted(number: int, thing: str) -> str:
    """So many of a thing: `1 turn`, `2 turns`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """How long that is, in its largest whole unit: `45 s`, `12 min`, `3 h`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def clock(at: float) -> str:
    """A time in seconds since the epoch: `2026-01-31 12:00:00`, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _ranked(facts: Mapping[str, str | float], place: int) -> str:
    at = f"rank.{place}"
    value, age_s, why = facts.get(f"{at}.value"), facts.get(f"{at}.age_s"), facts.get(f"{at}.why")
    known = [f"{value:.4g}"] if isinstance(value, float | int) else []
    known += [f"{span(age_s)} old"] if isinstance(age_s, float | int) else []
    known += [str(why)] if why else []
    return f"{place} {facts[at]}{' (' + ', '.join(known) + ')' if known else ''}"


def _edited(event: Event) -> str:
    done = _EDITED.get(event.why, f"changed it ({event.why})").format(model=event.model)
    said = f": {event.facts['reason']}" if event.facts.get("reason") else ""
    left = f" in place of {event.left}" if event.why == "pin" and event.left else ""
    return f"{event.who or 'an operator'} {done}{left}{said}"


def _because(event: Event) -> str:
    """Why; the fault of the model that was left, where it was one."""
    if not event.why:
        return ""
    words = _WHY.get(event.why, f"answered {event.why}" if event.why.isdecimal() else event.why)
    of_model = event.why in _OF_MODEL or event.why.isdecimal()
    return f": {event.left or 'its model'} {words}" if of_model else f": {words}"
