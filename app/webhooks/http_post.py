"""One attempt at a delivery: to an address that was checked a moment ago, within a time, whatever the receiver does."""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from app.events.types import StreamEvent
from app.webhooks.address_guard import Address, Addresses, AddressRefusedError, Target
from app.webhooks.signature import signed_headers
from app.webhooks.store import Claimed

#: Returns the body of an event.
Encode = Callable[[StreamEvent], str]

#: What a receiver says beyond its status is of no interest; reading it keeps the connection, up to here.
_MOST_ANSWER_BYTES: Final = 65_536
_USER_AGENT: Final = "margin-risk-service"


class Poster:
    """
    Posts to one receiver, on connections that no other receiver shares.

    A name is looked up here and nowhere else: the request goes to the address that was found and checked, while `Host`
    and TLS still ask for the name. Redirects are answers like any other, and no proxy is asked.
    """

    def __init__(self, *, addresses: Addresses, encode: Encode, tls: ssl.SSLContext, timeout_seconds: float) -> None:
        self._addresses = addresses
        self._encode = encode
        self._timeout_seconds = timeout_seconds
        self._client = httpx.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeout_seconds, connect=timeout_seconds / 2),
            headers={"User-Agent": _USER_AGENT, "Content-Type": "application/json"},
        )

    async def post(self, delivery: Claimed) -> str | None:
        """Return what went wrong, None where the receiver took it."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status = await self._status(delivery)
        except TimeoutError:
            return f"no answer within {self._timeout_seconds:g} s"
        except AddressRefusedError as error:
            return str(error)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return None if httpx.codes.is_success(status) else f"answered {status}"

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _status(self, delivery: Claimed) -> int:
        """
        Return the status of the receiver's answer.

        Raises:
            AddressRefusedError: nothing may be delivered there, perhaps not any more.
            httpx.HTTPError: it cannot be reached, or does not speak HTTP.
        """
        target = self._addresses.target(delivery.url)
        found = await self._addresses.addresses(target)
        body = self._encode(delivery.event).encode()
        headers = signed_headers(
            body, message_id=delivery.message_id, timestamp=int(time.time()), secret_keys=delivery.secrets
        )
        response = await self._send(target, found, body, headers)
        try:
            await _drain(response)
        finally:
            await response.aclose()
        return response.status_code

    async def _send(
        self, target: Target, addresses: Sequence[Address], body: bytes, headers: dict[str, str]
    ) -> httpx.Response:
        """Return the answer of the first address that can be reached."""
        for address in addresses:
            request = self._client.build_request(
                "POST",
                target.at(address),
                content=body,
                headers=headers | {"Host": target.authority},
                extensions={"sni_hostname": target.host},
            )
            try:
                return await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise AssertionError("a host stands for one address at least")


async def _drain(response: httpx.Response) -> None:
    """Read what little an answer says, as it comes: nothing is unpacked."""
    read = 0
    async for chunk in response.aiter_raw():
        read += len(chunk)
        if read > _MOST_ANSWER_BYTES:
            return
