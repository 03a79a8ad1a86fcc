"""Session and tenant ids, as headers bring them."""

import pytest

from shared.domain.sessions import identifier
from shared.errors import BadRequest

HEADER = "X-Model-Affinity"


def sent(text: str) -> str:
    """What WSGI makes of a header whose bytes are UTF-8: each byte is a character (PEP 3333)."""
    return text.encode().decode("latin-1")


def read(value: str) -> str | None:
    return identifier(value, header=HEADER)


@pytest.mark.parametrize("value", ["", " ", "\t \t", sent("\N{NO-BREAK SPACE}"), sent("\N{IDEOGRAPHIC SPACE} ")])
def test_a_blank_id_is_no_id(value: str) -> None:
    """Otherwise everybody who sends a blank header shares one session."""
    assert read(value) is None


def test_white_space_around_an_id_is_trimmed_and_inside_it_stays() -> None:
    assert read(" \tmy session \t") == "my session"
    assert read(sent("\N{IDEOGRAPHIC SPACE}séance ")) == "séance"


@pytest.mark.parametrize("text", ["x", "séance", "voilà", "Å", "wait…", "会議", "🚀", "нет"])
def test_utf_8_is_understood_as_the_client_wrote_it(text: str) -> None:
    """The last byte of some characters looks like white space to whoever takes it for Latin-1."""
    assert read(sent(text)) == text
    assert read(f" {sent(text)} ") == text


def test_latin_1_that_is_not_utf_8_is_taken_as_it_is() -> None:
    assert read("s\xe9ance") == "s\xe9ance"


@pytest.mark.parametrize("char", ["a", "é", "🚀"])
def test_256_characters_are_allowed_and_257_are_not(char: str) -> None:
    """Characters count, not bytes; and what is trimmed does not count."""
    assert read(f"  {sent(char * 256)}  ") == char * 256

    with pytest.raises(BadRequest, match="257 characters; at most 256") as caught:
        read(sent(char * 257))

    assert caught.value.param == HEADER


CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]


@pytest.mark.parametrize("control", CONTROLS, ids=[f"{ord(char):02x}" for char in CONTROLS])
def test_a_control_character_is_refused_wherever_it_stands(control: str) -> None:
    """At the edges too, where Python would count many of them as white space."""
    edges = [] if control == "\t" else [f"{control}ab", f"ab{control}"]

    for text in (f"a{control}b", *edges):
        with pytest.raises(BadRequest, match="control character") as caught:
            read(sent(text))

        assert caught.value.param == HEADER


def test_the_refusal_names_the_header() -> None:
    with pytest.raises(BadRequest, match="X-Tenant holds a control character"):
        identifier("a\x00", header="X-Tenant")
