"""By which address a client is counted, behind proxies that are trusted and others."""

from ipaddress import ip_network

import pytest

from shared.env_settings import Settings
from shared.errors import ConfigError
from web.client_address import ClientAddress

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8:ffff::/48")))


def counted(peer: str, forwarded: str, trusted: object = PROXIES) -> str:
    environ = {"REMOTE_ADDR": peer} | ({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {})
    return ClientAddress(trusted).of(environ)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7,10.1.1.1 , 10.2.2.2", "198.51.100.7"),
        ("10.0.0.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:51234", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:ffff::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "198.51.100.7", ""),
    ],
)
def test_it_is_the_last_one_that_is_no_proxys(peer: str, forwarded: str, address: str) -> None:
    """What stands before it the client may have written, to be counted as somebody else."""
    assert counted(peer, forwarded) == address


@pytest.mark.parametrize("forwarded", ["203.0.113.5, 198.51.100.7", "10.0.0.9, 198.51.100.7"])
def test_where_any_peer_is_trusted_it_is_the_last_one(forwarded: str) -> None:
    assert counted("192.0.2.1", forwarded, None) == "198.51.100.7"


def test_of_a_long_header_the_end_is_read() -> None:
    """8 KB of proxies cost no more than a few; an address that is cut is none."""
    assert counted("10.0.0.1", "198.51.100.7," + ",".join(["10.0.0.2"] * 1000)) == "10.0.0.2"


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        (None, ("127.0.0.1/32", "::1/128")),
        ("10.0.0.0/8, 192.0.2.1", ("10.0.0.0/8", "192.0.2.1/32")),
        ("*", None),
    ],
)
def test_the_environment_names_the_proxies(text: str | None, networks: tuple[str, ...] | None) -> None:
    settings = Settings.from_env({} if text is None else {"FORWARDED_ALLOW_IPS": text})

    trusted = settings.trusted_proxies
    assert (None if trusted is None else tuple(str(network) for network in trusted)) == networks


@pytest.mark.parametrize("text", ["10.0.0.0/33", "proxy", "10.0.0.1,,", "10.0.0.1/8", "*, 10.0.0.1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"FORWARDED_ALLOW_IPS": text})

    assert caught.value.faults[0].startswith("FORWARDED_ALLOW_IPS: is ")
