"""The keys of sessions that have a pin for each of their threads."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.sessions import Session
from shared.store import keys

ANY = st.text(st.characters(), min_size=1)
ODD = st.text(st.sampled_from(":~%7Ea \n\x00é"), min_size=1, max_size=4)
often = settings(deadline=None, database=None, max_examples=200)


def sessions(text: st.SearchStrategy[str]) -> st.SearchStrategy[Session]:
    return st.builds(Session, text, st.none() | text, st.lists(text, max_size=3).map(tuple))


@often
@given(sessions(ANY) | sessions(ODD))
def test_a_session_is_read_back_from_its_key_with_its_lanes(session: Session) -> None:
    """Which proves that no two of them share a key."""
    assert keys.session_of(keys.affinity(session)) == session
