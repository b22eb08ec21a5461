"""Every source of prices by its name: one row a vendor, and what is known of prices that no vendor gave."""

from collections.abc import Mapping
from typing import Final

from app.core.errors import StartupError
from app.providers import replay, yahoo
from app.providers.types import PriceProvider, ProviderSpec, SourceContext

#: Prices without a market, so that the demo works without a network: every other source takes their place.
SAMPLE: Final = ProviderSpec("sample", prices_are="estimate", replaces="never")
#: Prices that the desk enters: they hold against what is stored, whatever its time and currency.
DESK: Final = ProviderSpec("desk", prices_are="estimate", replaces="always")

#: One row a source; the first one is what `RISK_PRICE_PROVIDER` names by default.
_SPECS: Final = (
    yahoo.SPEC,
    replay.SPEC,
    SAMPLE,
    DESK,
)
_BY_NAME: Final[Mapping[str, ProviderSpec]] = {spec.name: spec for spec in _SPECS}

#: Sources that can be asked.
PROVIDER_NAMES: Final = tuple(spec.name for spec in _SPECS if spec.build is not None)
#: Sources whose market times are their own clock.
REPLAYED_NAMES: Final = tuple(spec.name for spec in _SPECS if spec.clock == "replayed")
#: Sources whose prices give way to every other source's.
PLACEHOLDER_NAMES: Final = tuple(spec.name for spec in _SPECS if spec.replaces == "never")


def spec_of(name: str) -> ProviderSpec:
    """Return what is known of a source; of one that is not in the table, that its prices are a market's."""
    return _BY_NAME.get(name) or ProviderSpec(name)


def build_provider(name: str, context: SourceContext) -> PriceProvider:
    """
    Return the named source; its caller closes it.

    Raises:
        StartupError: there is no such source, or its settings cannot be used.
    """
    spec = spec_of(name)
    if spec.build is None:
        raise StartupError(
            f"Unknown price provider {name!r}; RISK_PRICE_PROVIDER is one of: {', '.join(PROVIDER_NAMES)}."
        )
    return spec.build(context)


def check_provider(name: str, context: SourceContext) -> None:
    """
    Refuse settings with which the named source cannot be built, before anything starts; it opens nothing.

    Raises:
        StartupError: they cannot be used.
    """
    check = spec_of(name).check
    if check is not None:
        check(context)
