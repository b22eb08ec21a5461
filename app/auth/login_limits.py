"""
How many wrong passwords a user name and an address may send.

Counted in the database, so all workers share the count, in fixed windows that begin with the first failure. An attempt
is counted before its password is checked and taken back if it was right, so guesses sent at the same moment cannot slip
past the limit together.

The trade-off: who knows a user name can lock its owner out for a window at a time by sending wrong passwords. We
prefer that to unlimited guessing. It stays short (`login_window_seconds`), it does not touch tokens that the owner
already holds, and one address soon runs into its own limit. Unknown names are counted alike, so a lock tells no caller
which names exist.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from app.core.errors import ThrottledError
from app.database import sql

#: Many people may share an address.
_ADDRESS_FACTOR: Final = 10
#: What one household or host gets of IPv6; counting single addresses would count nothing.
_IPV6_PREFIX_BITS: Final = 64
#: Expired rows deleted per failed login: more than one adds, so the table stays as small as what is current.
_SWEEP: Final = 20

_COUNT: Final = """
insert into login_attempt as a (key, failures, window_ends_at)
values ($1, 1, clock_timestamp() + make_interval(secs => $2))
on conflict (key) do update set
    failures = case when a.window_ends_at <= clock_timestamp() then 1 else a.failures + 1 end,
    window_ends_at = case when a.window_ends_at <= clock_timestamp() then excluded.window_ends_at
                     else a.window_ends_at end
returning failures, extract(epoch from window_ends_at - clock_timestamp())::float8 as seconds
"""
_LOOK: Final = """
select key, failures, extract(epoch from window_ends_at - clock_timestamp())::float8 as seconds
from login_attempt where key in ($1, $2) and window_ends_at > clock_timestamp()
"""
_TAKE_BACK: Final = "update login_attempt set failures = failures - 1 where key = $1 and failures > 0"
_SWEEP_EXPIRED: Final = f"""
delete from login_attempt where key in (
    select key from login_attempt where window_ends_at <= clock_timestamp() limit {_SWEEP} for update skip locked
)
"""  # noqa: S608 - a constant of ours


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """`attempts` wrong passwords per user name in `window_seconds`, ten times as many per address."""

    attempts: int
    window_seconds: int

    async def check(self, username: str, address: str) -> None:
        """
        Return if another attempt is allowed now; counts nothing.

        Raises:
            ThrottledError: too many wrong passwords; `retry_after` is the rest of the window.
        """
        rows = await sql.rows(_LOOK, _user_key(username), _address_key(address))
        limits = {_user_key(username): self.attempts, _address_key(address): self.attempts * _ADDRESS_FACTOR}
        for row in rows:
            if row["failures"] >= limits[row["key"]]:
                raise _throttled(row["seconds"])

    async def count(self, username: str, address: str) -> None:
        """
        Count an attempt as a failure until `succeeded` takes it back.

        Raises:
            ThrottledError: it is one too many; its password must not be checked.
        """
        await self._count(_address_key(address), self.attempts * _ADDRESS_FACTOR)
        await self._count(_user_key(username), self.attempts)

    async def succeeded(self, username: str, address: str) -> None:
        """Forget the user name's failures, and that the address made this attempt; its other failures stand."""
        await sql.run("delete from login_attempt where key = $1", _user_key(username))
        await sql.run(_TAKE_BACK, _address_key(address))

    async def sweep(self) -> None:
        """Delete some rows whose window is over."""
        await sql.run(_SWEEP_EXPIRED)

    async def _count(self, key: str, limit: int) -> None:
        """Add one failure to a key."""
        [row] = await sql.rows(_COUNT, key, self.window_seconds)
        if row["failures"] > limit:
            raise _throttled(row["seconds"])


def _throttled(seconds: float) -> ThrottledError:
    """Return the error for a limit that is reached."""
    return ThrottledError("Too many wrong passwords. Wait before you try again.", retry_after=max(seconds, 1))


def _user_key(username: str) -> str:
    """Return the key of a user name, of which an attacker chooses the length."""
    return f"user:{hashlib.sha256(username.encode()).hexdigest()}"


def _address_key(address: str) -> str:
    """Return the key of an address; of IPv6, of its network."""
    return f"addr:{hashlib.sha256(_network(address).encode()).hexdigest()}"


def _network(address: str) -> str:
    """Return what is counted as one address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address  # a socket's name, or nothing
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else f"{int(parsed) >> (128 - _IPV6_PREFIX_BITS):x}::/{_IPV6_PREFIX_BITS}"
    return str(parsed)
