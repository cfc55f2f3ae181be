"""Whether an address of somebody else's choosing may be connected to from in here.

A server that fetches what others name can be made to reach what only it can: cloud metadata,
databases on loopback. OWASP's sheet on server-side request forgery asks for what is done here: the
name is resolved once, every answer must be a public address, and one of those is connected to.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host. Raises OSError where there are none."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_PORTS: Final = {"https": 443, "http": 80}
_ODD: Final = re.compile(r"[\x00-\x20\x7f\\]")


class Refusal(msgspec.Struct, frozen=True):
    """Why nothing was fetched. `code` is one of url, address, redirect, fetch, size, time, type."""

    code: str
    message: str


class Place(msgspec.Struct, frozen=True):
    """A URL that was judged, and the addresses that were judged with it."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system, as a connection would."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def judge(url: str, allow_hosts: Collection[str], look_up: Resolve = resolve) -> Place | Refusal:
    """Resolve a URL's host once and judge every address.

    A host of `allow_hosts` may be private, speak plain http and sit at any port; others are https
    at port 443, at public addresses.
    """
    parts = _split(url)
    if isinstance(parts, Refusal):
        return parts
    host, port = _host(parts), parts.port or _PORTS[parts.scheme]
    is_known = host in {each.lower().rstrip(".") for each in allow_hosts}
    if not is_known and (parts.scheme, port) != ("https", _PORTS["https"]):
        said = f"{host}: only https at port 443 is connected to"
        return Refusal("url", f"{said}; allow_hosts may name the host.")
    try:
        addresses = tuple(look_up(host, port))
    except UnicodeError:
        return Refusal("url", "That is no URL: no host has such a name.")
    except OSError as error:
        return Refusal("fetch", f"{host} cannot be resolved: {error.strerror or error}.")
    private = None if is_known else next((a for a in addresses if not is_public(a)), None)
    if private is not None or not addresses:
        said = f"{host} is at {private}, which is no public address"
        return Refusal("address", f"{said}; allow_hosts may name the host.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, port, path, addresses)


def _split(url: str) -> SplitResult | Refusal:
    try:
        parts = urlsplit(url)
        known = (parts.hostname, parts.port)
    except ValueError as error:
        return Refusal("url", f"That is no URL: {error}.")
    if _ODD.search(url) or not url.isascii() or not known[0]:
        return Refusal("url", "That is no URL: blanks, backslashes and letters beyond ASCII.")
    if parts.scheme not in _PORTS:
        return Refusal("url", f"{parts.scheme}:// is not fetched, https:// is.")
    if parts.username is not None or parts.password is not None:
        return Refusal("url", "A URL with a user or password is not fetched.")
    return parts


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").lower().rstrip(".")


def is_public(address: str) -> bool:
    """Whether an address, and every address that is wrapped in it, is one of the open Internet."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if found in _NAT64:  # a gateway goes where the last four bytes say
        found = IPv4Address(int(found) & 0xFFFFFFFF)
    return all(map(_is_open, (found, *_wrapped(found))))


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo."""
    if isinstance(address, IPv4Address):
        return []
    found: list[IPv4Address | IPv6Address | None] = [address.ipv4_mapped, address.sixtofour]
    found += address.teredo or ()
    return [each for each in found if each is not None]
