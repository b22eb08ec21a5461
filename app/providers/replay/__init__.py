"""Recorded daily closes, replayed as if they came in now."""

from functools import partial
from typing import TYPE_CHECKING, Final

from app.core.errors import StartupError
from app.providers.replay.settings import ReplaySettings
from app.providers.types import Capability, PriceProvider, ProviderSpec, SourceContext

if TYPE_CHECKING:
    from app.providers.replay.source import ReplayPlan

_NAME: Final = "replay"


def _settings(context: SourceContext) -> ReplaySettings:
    assert isinstance(context.settings, ReplaySettings), "it is a base of the service's settings"
    return context.settings


def _plan(context: SourceContext) -> "ReplayPlan":
    """Return what to replay, by the settings."""
    from app.providers.replay.source import ReplayPlan  # noqa: PLC0415 - the registry stays light

    settings = _settings(context)
    if settings.replay_file is None:
        raise StartupError("RISK_PRICE_PROVIDER=replay needs RISK_REPLAY_FILE, a CSV of prices.")
    return ReplayPlan(
        file=context.root / settings.replay_file,
        pace=settings.replay_pace,
        currency=context.base_currency,
        first=settings.replay_from,
        last=settings.replay_to,
    )


def _build(context: SourceContext) -> PriceProvider:
    """Return the source, its file read; it goes on from what is stored."""
    from app.providers.replay.source import ReplayProvider  # noqa: PLC0415 - the registry stays light

    return ReplayProvider(_plan(context), newest=partial(context.newest_stored, _NAME))


def _poll_seconds(context: SourceContext) -> float:
    """Return the time of half a row: a price that waits for a second answer gets it on its day."""
    return 0.5 / _settings(context).replay_pace


SPEC: Final = ProviderSpec(
    name=_NAME,
    build=_build,
    prices_are="close",
    clock="replayed",
    capabilities=frozenset({Capability.QUOTES, Capability.FX}),
    check=_build,
    poll_seconds=_poll_seconds,
)
