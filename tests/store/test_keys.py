"""How keys are spelled."""

from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.sessions import Session
from shared.store import keys

ANY = st.text(st.characters(), min_size=1)  # half surrogate pairs included
ODD = st.text(st.sampled_from(":%3Aa \n\x00é"), min_size=1, max_size=4)
ANY_SESSION = st.builds(Session, ANY, st.none() | ANY)
ODD_SESSION = st.builds(Session, ODD, st.none() | ODD)
often = settings(deadline=None, database=None, max_examples=200)


@often
@given(ANY_SESSION)
def test_a_key_can_be_read_back(session: Session) -> None:
    """Which proves that no two tenant and session pairs, of any characters, share one."""
    parts = keys.affinity(session).removeprefix("plano:affinity:").split(":")

    read = [unquote(part, errors="surrogatepass") for part in parts]

    assert read == [text for text in (session.tenant, session.id) if text is not None]


@often
@given(ODD_SESSION, ODD_SESSION)
def test_two_sessions_share_neither_a_key_nor_a_job(one: Session, other: Session) -> None:
    """Tried with what separates and escapes; a client must not reach another tenant's pin."""
    same = one == other

    assert (keys.affinity(one) == keys.affinity(other)) is same
    assert (keys.decision_job(one) == keys.decision_job(other)) is same


def test_a_client_cannot_write_its_tenant_itself() -> None:
    assert keys.affinity(Session("t:s")) == "plano:affinity:t%3As"
    assert keys.affinity(Session("s", "t")) == "plano:affinity:t:s"
    assert keys.affinity(Session("t%3As")) == "plano:affinity:t%253As"


def test_printable_ascii_stays_readable() -> None:
    """So that `redis-cli GET plano:affinity:<session>` can be typed."""
    readable = "".join(map(chr, range(0x21, 0x7F))).replace("%", "").replace(":", "").replace("~", "")

    assert keys.affinity(Session(readable)) == f"plano:affinity:{readable}"


@pytest.mark.parametrize(
    ("text", "escaped"), [(" ", "%20"), ("%", "%25"), ("~", "%7E"), ("\t", "%09"), ("\x7f", "%7F"), ("é", "%C3%A9")]
)
def test_the_rest_is_percent_encoded(text: str, escaped: str) -> None:
    assert keys.affinity(Session(f"a{text}b", f"c{text}d")) == f"plano:affinity:c{escaped}d:a{escaped}b"


@often
@given(ANY_SESSION)
def test_a_job_id_is_one_that_rq_allows(session: Session) -> None:
    job_id = keys.decision_job(session)

    assert job_id.replace("-", "").replace("_", "").isalnum()
    assert job_id.isascii()
    assert len(job_id) < 64
