"""Yahoo Finance, by yfinance: quotes, FX rates, splits."""

from importlib import import_module
from typing import Final

from app.providers.types import Capability, PriceProvider, ProviderSpec, SourceContext
from app.providers.yahoo.exchanges import CALENDARS


def _build(context: SourceContext) -> PriceProvider:
    """Return the source behind a cache."""
    from app.providers.cache import CachedProvider  # noqa: PLC0415 - the registry stays light
    from app.providers.yahoo.source import YahooProvider  # noqa: PLC0415 - likewise

    return CachedProvider(YahooProvider(), ttl_seconds=context.ttl_seconds)


SPEC: Final = ProviderSpec(
    name="yahoo",
    build=_build,
    calendars=CALENDARS,
    capabilities=frozenset({Capability.QUOTES, Capability.FX, Capability.SPLITS}),
    warm_up=lambda: import_module("yfinance"),
)
