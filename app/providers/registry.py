"""Sources of market data, chosen by name."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from app.core.errors import StartupError
from app.providers.cache import CachedProvider
from app.providers.replay.source import ReplayPlan, ReplayProvider
from app.providers.types import PriceProvider
from app.providers.yahoo.source import YahooProvider

PROVIDER_NAMES = ("yahoo", "replay")


def build_provider(
    name: str,
    *,
    ttl_seconds: float,
    replay: ReplayPlan | None = None,
    newest_replayed: Callable[[], Awaitable[datetime | None]] | None = None,
) -> PriceProvider:
    """
    Return the named source; its caller closes it.

    Args:
        name: one of `PROVIDER_NAMES`.
        ttl_seconds: how long an answer is kept; a replay has its own clock and keeps none.
        replay: what `replay` replays.
        newest_replayed: returns the newest stored market time of a replay.

    Raises:
        StartupError: there is no such source, or its file cannot be used.
    """
    if name == "yahoo":
        return CachedProvider(YahooProvider(), ttl_seconds=ttl_seconds)
    if name != "replay":
        raise StartupError(
            f"Unknown price provider {name!r}; RISK_PRICE_PROVIDER is one of: {', '.join(PROVIDER_NAMES)}."
        )
    if replay is None:
        raise StartupError("RISK_PRICE_PROVIDER=replay needs RISK_REPLAY_FILE, a CSV of prices.")
    assert newest_replayed is not None, "a replay goes on from what is stored"
    return ReplayProvider(replay, newest=newest_replayed)
