"""A router without a model server: it compares the user's words with the routes' descriptions."""

import functools
import logging
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from shared.domain.conversation import Message
from shared.domain.decisions import Trace
from shared.domain.routes import Route

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from wordllama import WordLlamaInference

    Vectors = NDArray[np.float32]

# Chosen on the labelled sentences of tests/workers/test_router_embedded.py: anything from 0.09 to 0.115 gives
# the same answers there. Lower lets through what fits no route, higher loses right ones.
THRESHOLD = 0.1

EARLIER_WEIGHT = 0.4
"""The weight of the user's message before the last one: enough to place "and in Italian?", too little to hide a new
wish."""

_END_CHARS = 60  # of a long text only the two ends are read: the wish usually stands at one of them
_MOST_CLAUSES = 32
"""So many clauses of a route's description have a vector of their own, which takes 1 KiB and about 50 µs to make."""
_MOST_CLAUSES_IN_ALL = 256
"""… and so many of all routes of a request, which the client may have brought along."""
_CACHE_BYTES = 8 * 1024 * 1024
_KEPT_ROUTES = _CACHE_BYTES // ((1 + _MOST_CLAUSES) * 1024)
_CLAUSES = re.compile(r"[,;.]| and | or ")


class EmbeddedRouter:
    """Ranks the routes by static word vectors: no network, no model server, under a millisecond.

    It may be shared between threads: after the start only its cache changes, which is functools' own.
    """

    def __init__(self, *, threshold: float = THRESHOLD) -> None:
        self._words = _load()
        self._threshold = threshold
        self._described = functools.lru_cache(_KEPT_ROUTES)(self._describe)

    def choose(self, routes: Sequence[Route], messages: Sequence[Message], trace: Trace) -> str | None:  # noqa: ARG002  # no call, no trace
        """The route whose description is nearest to what the user says, by name; None when none is near."""
        asked = [message.content for message in messages if message.role == "user"]
        if not routes or not asked:
            return None
        question = self._question(asked)
        most = min(_MOST_CLAUSES, _MOST_CLAUSES_IN_ALL // len(routes))
        scores = [_score(self._described(route.name, route.description, most) @ question) for route in routes]
        best = max(scores)
        return routes[scores.index(best)].name if best >= self._threshold else None

    def _question(self, asked: Sequence[str]) -> "Vectors":
        question = self._vector(_ends(asked[-1]))
        if len(asked) > 1:
            question = _unit(question + EARLIER_WEIGHT * self._vector(_ends(asked[-2])))
        return question

    def _describe(self, name: str, description: str, most: int) -> "Vectors":
        """The vectors of a route: one for the route as a whole, then one for each clause, `most` of them at most."""
        import numpy as np  # noqa: PLC0415  # heavy: only a process that uses this router imports it

        clauses = dict.fromkeys(clause for clause in _CLAUSES.split(description) if clause.strip())
        whole = f"{name.replace('_', ' ')} {description}"
        return np.stack([self._vector(text) for text in (whole, *islice(clauses, most))])

    def _vector(self, text: str) -> "Vectors":
        """The mean of the text's token vectors, of length 1; all zero for a text without tokens."""
        ids = self._words.tokenizer.encode(text, add_special_tokens=False).ids
        rows: Vectors = self._words.embedding[ids or [0]]
        return _unit(rows.mean(axis=0) if ids else rows[0] * 0)


def _load() -> "WordLlamaInference":
    """The vectors inside the wheel; wordllama 0.4.0 looks for its tokenizer in the cache folder only."""
    root = logging.getLogger()
    guard = logging.NullHandler()
    root.addHandler(
        guard
    )  # wordllama 0.4.0 calls logging.basicConfig on import, which does nothing to a root with a handler
    try:
        import wordllama  # noqa: PLC0415  # 0.3 s and 80 MB: only a process that uses this router imports it
    finally:
        root.removeHandler(guard)
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)


def _score(near: "Vectors") -> float:
    """The mean of two cosines: that of the description as a whole, and that of its nearest clause."""
    return float(near[0] + near.max()) / 2


def _unit(vector: "Vectors") -> "Vectors":
    length = float((vector @ vector) ** 0.5)
    return vector / length if length else vector


def _ends(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 2 * _END_CHARS else f"{text[:_END_CHARS]} {text[-_END_CHARS:]}"
