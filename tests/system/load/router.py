"""A router model that never decides twice alike about one session: two decisions where one should be are seen."""

import json
import re
import threading
import zlib
from collections import Counter

from tests.fakes.router import Router
from tests.fakes.wire import Answer, Request

ROUTES = ("amber", "blue", "coral", "dune")
_SESSION = re.compile(rb"load-[\w-]+(?= \d)")


class FickleRouter(Router):
    """Names the routes in turn, for each session from another one on; it knows a session by its conversation."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()
        self._decided: Counter[bytes] = Counter()

    def respond(self, request: Request) -> Answer:
        """As its parent, with that difference."""
        session = _SESSION.findall(request.body)[-1]
        with self._turn:
            named = ROUTES[(zlib.crc32(session) + self._decided[session]) % len(ROUTES)]
            self._decided[session] += 1
            self.answer = json.dumps({"route": named})
            return super().respond(request)
