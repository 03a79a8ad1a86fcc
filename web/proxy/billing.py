"""Says in an answer what it cost, and records what it used once it has been sent."""

import msgspec

from shared.domain.decisions import Decision
from shared.domain.money.accounts import Account
from shared.domain.sessions import Session
from web.dialects.dialect import AnswerReader
from web.ops.usage import UsageRecorder
from web.proxy import lost_prompt_cache
from web.proxy.ways import Asked
from web.proxy.wsgi_response import WsgiResponse


class Billed(msgspec.Struct, frozen=True):
    """A good answer of a model, on its way to the client."""

    response: WsgiResponse
    reader: AnswerReader
    account: Account
    session: Session | None = None
    dropped: bool = False
    """Whether the model was sent the conversation without the reasoning of another one."""


class Billing:
    """What answers cost; the recorder knows the prices."""

    def __init__(self, recorder: UsageRecorder) -> None:
        self._recorder = recorder

    def failed(self, model: str, outcome: str) -> None:
        """Count an attempt that nothing is paid for."""
        self._recorder.failed(model, outcome)

    def answered(self, billed: Billed, first_byte_s: float | None) -> None:
        """Say what a whole answer cost, where that is known. Usage is recorded at the end: streams tell it last."""
        reader, account, dropped = billed.reader, billed.account, billed.dropped
        used = reader.usage()  # nothing yet of a stream
        usd = None if used is None else self._recorder.usd(account.model, used)
        if usd is not None:
            billed.response.add([("x-plano-cost-usd", f"{usd:.10f}".rstrip("0").rstrip("."))])

        def record() -> None:
            self._recorder.answered(account, first_byte_s, used or reader.usage(), billed.session)
            if dropped or reader.unread:
                self._recorder.reasoning(account.model, dropped=dropped, unread=reader.unread)

        billed.response.call_on_close(record)

    def left(self, billed: Billed, decision: Decision, asked: Asked, *, in_session: bool, kept: bool) -> None:
        """Record at the end what it cost that a session has left a model whose cache was warm, if it has."""
        move = lost_prompt_cache.move(decision, billed.account.model, in_session=in_session, kept=kept)
        if move is None:
            return

        def record() -> None:
            usage = billed.reader.usage()
            if usage is not None:
                warm = lost_prompt_cache.warm_tokens(usage, asked.fields, asked.dialect.conversation_field)
                self._recorder.moved(billed.account, move, usage, warm)

        billed.response.call_on_close(record)
