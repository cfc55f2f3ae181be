"""Which addresses may be connected to, whoever names them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from darkroom.safe_address import Place, Refusal, is_public, judge, resolve

OPEN = "93.184.216.34"


def judged(url: str, *answers: str, allow: Sequence[str] = ()) -> Place | Refusal:
    return judge(url, allow, lambda _host, _port: answers)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104  # it is what must be refused
        "10.0.0.1",
        "172.16.9.9",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:169.254.169.254",
        "::ffff:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:7f00:1:0:0:0:0",
        "::127.0.0.1",
        "no address",
    ],
)
def test_an_address_of_the_inside_is_none_of_the_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [OPEN, "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://a.example/", "url"),
        ("https://a.example:6379/", "url"),
        ("gopher://a.example/", "url"),
        ("file:///etc/passwd", "url"),
        ("data:text/plain,x", "url"),
        ("https://user:pw@a.example/", "url"),
        ("https://a.example\\@evil.example/", "url"),
        ("https://a.example/ x", "url"),
        ("https://a.example/\n", "url"),
        ("https://exämple.example/", "url"),
        ("https:///x", "url"),
        ("https://a.example:port/", "url"),
        ("https://[::1/", "url"),
    ],
)
def test_a_url_that_is_odd_or_not_plain_https_is_refused(url: str, code: str) -> None:
    found = judged(url, OPEN)

    assert isinstance(found, Refusal)
    assert found.code == code


@pytest.mark.parametrize(
    "host",
    ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "127.1", "[::1]", "0"],
)
def test_an_address_in_disguise_is_judged_by_what_it_resolves_to(host: str) -> None:
    found = judge(f"https://{host}/", (), resolve)

    assert isinstance(found, Refusal)
    assert found.code == "address"


def test_one_private_answer_among_public_ones_refuses_the_host() -> None:
    found = judged("https://a.example/", OPEN, "10.0.0.1")

    assert isinstance(found, Refusal)
    assert "10.0.0.1" in found.message
    assert "allow_hosts" in found.message


def test_a_host_without_an_address_is_refused() -> None:
    def away(_host: str, _port: int) -> Sequence[str]:
        raise OSError(2, "Name or service not known")

    found = judge("https://a.example/", (), away)

    assert found == Refusal("fetch", "a.example cannot be resolved: Name or service not known.")


def test_what_was_judged_is_what_will_be_connected_to() -> None:
    found = judged("https://A.example./x?y=1#z", OPEN)

    assert found == Place("https", "a.example", 443, "/x?y=1", (OPEN,))


def test_a_host_that_is_allowed_may_be_private_and_plain() -> None:
    found = judged("http://Inside:8080/x", "10.0.0.1", allow=["inside"])

    assert found == Place("http", "inside", 8080, "/x", ("10.0.0.1",))
    assert isinstance(judged("http://inside.example/", OPEN, allow=["inside"]), Refusal)
