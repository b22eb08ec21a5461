"""Where a webhook may point: which URLs are taken, and which addresses their names may stand for."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx

from app.core.errors import Fault, InvalidInputError

Address = IPv4Address | IPv6Address

#: Resolves a name: (host, port) -> addresses as text, the preferred one first; OSError where it has none.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

MOST_URL_CHARACTERS: Final = 2000
#: Of the ports below 1024, these alone: mail, shells and so on are no receivers.
_WELL_KNOWN_PORTS: Final = frozenset({80, 443})
_OTHER_PORTS: Final = range(1024, 65_536)
#: A name may have more; no receiver needs that many.
_MOST_ADDRESSES: Final = 4

#: Inside a firm: refused unless the operator allows private receivers.
_PRIVATE: Final = tuple(
    map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
)
_PRIVATE_6: Final = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))
#: Whatever else is no public IPv4 receiver (IANA IPv4 Special-Purpose Address Registry; 224/4 is multicast).
_REFUSED: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "168.63.129.16/32",  # public by number, but Azure answers there for the machine's own host
            "169.254.0.0/16",  # link-local, with the metadata services of clouds
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
#: IPv6 addresses are public within this one alone: IPv4-mapped, NAT64, link-local and multicast lie outside.
_GLOBAL_6: Final = IPv6Network("2000::/3")
#: ... and not in these (IANA IPv6 Special-Purpose Address Registry): protocols with Teredo, documentation, 6to4.
_REFUSED_6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
#: Metadata services inside fc00::/7, which are never receivers.
_METADATA_6: Final = frozenset(map(IPv6Address, ("fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe")))


class AddressRefusedError(InvalidInputError):
    """A webhook points where nothing may be delivered, or its name has no address."""

    def __init__(self, message: str) -> None:
        super().__init__(message, faults=[Fault(where=("body", "url"), what=message)])


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked, in parts: a request goes to an address of `host`, and says `authority`."""

    scheme: str
    host: str
    port: int
    #: `Host` of the request.
    authority: str
    #: Path and query.
    path: str

    def at(self, address: Address) -> str:
        """Return the URL with an address in place of the name, so that nothing is looked up again."""
        host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What webhooks may point to in this installation."""

    resolve: Resolver
    #: Also http, and the addresses of a private network or this machine.
    allow_private: bool = False

    def target(self, url: str) -> Target:
        """
        Return a URL's parts.

        Raises:
            AddressRefusedError: it is none that may be delivered to.
        """
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise AddressRefusedError("The URL cannot be read.") from error
        port = (80 if parsed.scheme == "http" else 443) if parsed.port is None else parsed.port
        for fault in self._faults(url, parsed, port):
            raise AddressRefusedError(fault)
        host = parsed.raw_host.decode("ascii")
        path = parsed.raw_path.decode("ascii")
        return Target(parsed.scheme, host, port, parsed.netloc.decode("ascii"), path)

    async def addresses(self, target: Target) -> list[Address]:
        """
        Return the addresses that a target's host has now; all of them may be delivered to.

        Raises:
            AddressRefusedError: one of them may not, or there is none.
        """
        try:
            texts = await self.resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise AddressRefusedError(f"The name {target.host} cannot be found.") from error
        found = [_parsed(text) for text in texts]
        if not found:
            raise AddressRefusedError(f"The name {target.host} cannot be found.")
        if not all(is_allowed(address, allow_private=self.allow_private) for address in found):
            raise AddressRefusedError(f"{target.host} is not a public address; nothing is delivered there.")
        return found[:_MOST_ADDRESSES]

    def _faults(self, url: str, parsed: httpx.URL, port: int) -> Iterator[str]:
        """Yield what is wrong with a URL."""
        schemes = {"https", "http"} if self.allow_private else {"https"}
        if len(url) > MOST_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
            yield f"The URL has at most {MOST_URL_CHARACTERS} characters, all of them printable ASCII."
        if parsed.scheme not in schemes:
            yield f"The URL begins with {' or '.join(f'{scheme}://' for scheme in sorted(schemes))}."
        if not parsed.host or "%" in parsed.host or "\\" in url:
            yield "The URL names no host."
        if parsed.userinfo:
            yield "The URL holds credentials; receivers know a delivery by its signature."
        if parsed.fragment:
            yield "The URL has a fragment, which is never sent."
        if port not in _WELL_KNOWN_PORTS and port not in _OTHER_PORTS:
            yield f"Port {port} is not 80, 443 or one from 1024 to 65535."


def is_allowed(address: Address, *, allow_private: bool) -> bool:
    """Return whether something may be delivered to an address; where in doubt, not."""
    if isinstance(address, IPv4Address):
        if any(address in network for network in _PRIVATE):
            return allow_private
        return not any(address in network for network in _REFUSED)
    if any(address in network for network in _PRIVATE_6):
        return allow_private and address not in _METADATA_6
    return address in _GLOBAL_6 and not any(address in network for network in _REFUSED_6)


def system_resolver(executor: Executor | None = None) -> Resolver:
    """Return a resolver that asks the system, on threads of its own where `executor` is given."""

    async def resolve(host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(executor, _getaddrinfo, host, port)

    return resolve


def _getaddrinfo(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _parsed(text: str) -> Address:
    """Return an address that a resolver gave; one of a zone (`fe80::1%eth0`) is link-local anyway."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError as error:
        raise AddressRefusedError("The name stands for something that is no address.") from error
