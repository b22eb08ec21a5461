"""Where a webhook may point: what is refused, name by name and address by address."""

from collections.abc import Sequence

import pytest

from app.webhooks.address_guard import Addresses, AddressRefusedError, system_resolver
from tests.webhooks.conftest import resolver

PUBLIC = Addresses(resolve=system_resolver())
PRIVATE_TOO = Addresses(resolve=system_resolver(), allow_private=True)

#: What a name may be made to stand for, and what must never be connected to.
INTERNAL = {
    "loopback": "127.0.0.1",
    "loopback, elsewhere in its network": "127.8.8.8",
    "loopback, IPv6": "::1",
    "unspecified": "0.0.0.0",  # noqa: S104 - refused
    "this network": "0.1.2.3",
    "unspecified, IPv6": "::",
    "private, 10/8": "10.0.0.1",
    "private, 172.16/12": "172.31.255.254",
    "private, 192.168/16": "192.168.1.1",
    "unique local": "fd12:3456:789a::1",
    "carrier-grade NAT": "100.64.0.1",
    "metadata of Alibaba": "100.100.100.200",
    "link-local": "169.254.1.1",
    "metadata of AWS, Azure, GCP": "169.254.169.254",
    "metadata of AWS, IPv6": "fd00:ec2::254",
    "metadata of Oracle": "192.0.0.192",
    "host of Azure": "168.63.129.16",
    "link-local, IPv6": "fe80::1",
    "link-local with a zone": "fe80::1%eth0",
    "site-local": "fec0::1",
    "multicast": "224.0.0.1",
    "multicast, IPv6": "ff02::1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "benchmarking": "198.18.0.1",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "documentation, IPv6": "2001:db8::1",
    "documentation, IPv6, new": "3fff::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped private": "::ffff:10.0.0.1",
    "IPv4-mapped metadata, hexadecimal": "::ffff:a9fe:a9fe",
    "IPv4-mapped public": "::ffff:8.8.8.8",
    "IPv4-compatible loopback": "::7f00:1",
    "IPv4-translated": "::ffff:0:127.0.0.1",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of a private address": "2002:a00:1::1",
    "6to4 relay": "192.88.99.1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "NAT64, local use": "64:ff9b:1::a00:1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHID": "2001:20::1",
    "discard": "100::1",
    "segment routing": "5f00::1",
}

#: Ways to write an internal address that the system's resolver understands.
DISGUISED = [
    "https://localhost/",
    "https://LOCALHOST./",
    "https://127.1/",
    "https://0x7f.0.0.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[0:0:0:0:0:ffff:7f00:1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1:8443/",
]

MALFORMED = [
    "http://93.184.215.14/",
    "ftp://93.184.215.14/",
    "file:///etc/passwd",
    "gopher://93.184.215.14/",
    "//93.184.215.14/",
    "93.184.215.14",
    "https://",
    "https:///path",
    "https://user@93.184.215.14/",
    "https://user:password@93.184.215.14/",
    "https://:password@93.184.215.14/",
    "https://93.184.215.14@127.0.0.1/",
    "https://93.184.215.14#@127.0.0.1/",
    "https://93.184.215.14\\@127.0.0.1/",
    "https://93.184.215.14/#part",
    "https://93.184.215.14:0/",
    "https://93.184.215.14:22/",
    "https://93.184.215.14:25/",
    "https://93.184.215.14:1023/",
    "https://93.184.215.14:65536/",
    "https://93.184.215.14:-1/",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://127.0.0.1%2f.example.com/",
    "https://93.184.215.14/\r\nHost: 127.0.0.1",
    "https://93.184.215.14 /",
    "https://①②⑦.0.0.1/",
    "https://ⓛocalhost/",
    f"https://93.184.215.14/{'a' * 2000}",
    "",
]


async def refused(addresses: Addresses, url: str) -> bool:
    """Return whether nothing would be delivered to a URL."""
    try:
        _ = await addresses.addresses(addresses.target(url))
    except AddressRefusedError:
        return True
    return False


@pytest.mark.parametrize("address", INTERNAL.values(), ids=INTERNAL.keys())
async def test_name_that_stands_for_an_internal_address_is_refused(address: str) -> None:
    addresses = Addresses(resolve=resolver(address))

    with pytest.raises(AddressRefusedError, match="is not a public address"):
        _ = await addresses.addresses(addresses.target("https://hooks.test/"))


@pytest.mark.parametrize("answers", [("93.184.215.14", "10.0.0.1"), ("::1", "2606:2800:21f:cb07::1"), ()])
async def test_name_is_refused_where_one_of_its_addresses_is_internal_or_there_is_none(answers: Sequence[str]) -> None:
    assert await refused(Addresses(resolve=resolver(*answers)), "https://hooks.test/")


@pytest.mark.parametrize("url", DISGUISED)
async def test_disguised_internal_address_is_refused(url: str) -> None:
    assert await refused(PUBLIC, url)


@pytest.mark.parametrize("url", MALFORMED)
async def test_url_that_is_no_receivers_is_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        PUBLIC.target(url)


@pytest.mark.parametrize("host", ["no-such-name.invalid", f"{'a' * 64}.example", "a..b"])
async def test_name_that_stands_for_nothing_is_refused(host: str) -> None:
    assert await refused(PUBLIC, f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "https://93.184.215.14/hook",
        "https://93.184.215.14:443/hook",
        "https://93.184.215.14:8443/hook?token=1",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
        "HTTPS://8.8.8.8/",
    ],
)
async def test_public_address_is_taken(url: str) -> None:
    assert not await refused(PUBLIC, url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "http://10.0.0.1/", "https://192.168.1.1/", "https://[fd12::1]/", "http://[::1]/"]
)
async def test_private_address_is_taken_where_the_operator_allows_it(url: str) -> None:
    assert not await refused(PRIVATE_TOO, url)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fd00:ec2::254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "64:ff9b::a00:1"],  # noqa: S104 - refused
)
async def test_what_is_no_receiver_anywhere_is_refused_even_then(address: str) -> None:
    assert await refused(Addresses(resolve=resolver(address), allow_private=True), "https://hooks.test/")


def test_request_goes_to_the_address_and_asks_for_the_name() -> None:
    target = PUBLIC.target("https://hooks.test:8443/a?b=c")

    assert (target.host, target.authority, target.path) == ("hooks.test", "hooks.test:8443", "/a?b=c")
