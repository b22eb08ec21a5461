"""Sources of market data, chosen by name."""

from app.errors import StartupError
from app.providers.base import PriceProvider
from app.providers.cache import CachedProvider
from app.providers.yahoo import YahooProvider

PROVIDER_NAMES = ("yahoo",)


def build_provider(name: str, *, ttl_seconds: float) -> PriceProvider:
    """
    Return the named source behind a cache of `ttl_seconds`; its caller closes it.

    Raises:
        StartupError: there is no such source.
    """
    if name != "yahoo":
        raise StartupError(
            f"Unknown price provider {name!r}; RISK_PRICE_PROVIDER is one of: {', '.join(PROVIDER_NAMES)}."
        )
    return CachedProvider(YahooProvider(), ttl_seconds=ttl_seconds)
