"""What routes ask for: settings, the price source, the caller, a page. The one place where requests meet settings."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Path, Query, Request, Response

from app.providers.base import PriceProvider
from app.symbols import SYMBOL_INPUT_PATTERN
from config import Settings

_LARGEST_ID: Final = 2**63 - 1

ClientId = Annotated[int, Path(alias="clientId", ge=1, le=_LARGEST_ID, description="The client's id.", examples=[1])]
Symbol = Annotated[
    str,
    Path(max_length=32, pattern=SYMBOL_INPUT_PATTERN, description="Ticker as Yahoo writes it.", examples=["AAPL"]),
]
AfterId = Annotated[
    int | None, Query(alias="after", ge=0, le=_LARGEST_ID, description="The last id of the page before.")
]
AfterSymbol = Annotated[
    str | None, Query(alias="after", max_length=32, description="The last symbol of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most rows to return; more: follow `Link`.")]


def get_settings(request: Request) -> Settings:
    """Return this process's settings."""
    settings: Settings = request.app.state.settings
    return settings


def get_provider(request: Request) -> PriceProvider:
    """Return this process's price source."""
    provider: PriceProvider = request.app.state.provider
    return provider


SettingsDep = Annotated[Settings, Depends(get_settings)]
ProviderDep = Annotated[PriceProvider, Depends(get_provider)]


def link_next(request: Request, response: Response, *, after: int | str) -> None:
    """Point to the page behind the row `after`, keeping every other parameter."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "after"]
    query = urlencode([*kept, ("after", after)])
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
