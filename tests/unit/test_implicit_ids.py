"""The id of a session that nobody has named."""

import msgspec

from web.dialects import chat
from web.dialects.fields.implicit import ImplicitSessions

BODY = {
    "messages": [{"role": "system", "content": "You fix bugs."}, {"role": "user", "content": "mend the parser"}],
    "tools": [{"type": "function", "function": {"name": "grep", "parameters": {}}}],
}
FIELDS = msgspec.json.decode(msgspec.json.encode(BODY), type=dict[str, msgspec.Raw])


def named(secret: bytes, tenant: str | None = None, model: str = "openai/a") -> str:
    found = ImplicitSessions(secret).named(chat, FIELDS, tenant, model)
    assert found
    return found.session.id


def test_it_is_the_same_on_every_replica_and_another_one_for_each_tenant_and_model() -> None:
    ids = {named(b"secret"), named(b"secret", "acme"), named(b"secret", model="openai/b")}

    assert len(ids) == 3
    assert named(b"secret") in ids


def test_who_does_not_know_the_secret_cannot_tell_the_opener_from_it() -> None:
    assert named(b"one") != named(b"other")
