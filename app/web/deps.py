"""
What routes of every room ask for: settings, a path's id or symbol, a page. The one place where requests meet settings.

Each is `async`, also where it awaits nothing: FastAPI would hand a plain function to a thread, for every request.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Path, Query, Request, Response

from app.core.symbols import SYMBOL_INPUT_PATTERN
from app.web.fields import LARGEST_ID
from config import Settings

ClientId = Annotated[int, Path(alias="clientId", ge=1, le=LARGEST_ID, description="The client's id.", examples=[1])]
Symbol = Annotated[
    str,
    Path(max_length=32, pattern=SYMBOL_INPUT_PATTERN, description="Ticker as Yahoo writes it.", examples=["AAPL"]),
]
AfterId = Annotated[
    int | None, Query(alias="after", ge=0, le=LARGEST_ID, description="The last id of the page before.")
]
AfterSymbol = Annotated[
    str | None,
    Query(alias="after", max_length=32, pattern=r"^[^\x00]*$", description="The last symbol of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most rows to return; more: follow `Link`.")]


async def get_settings(request: Request) -> Settings:
    """Return this process's settings."""
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(get_settings)]


def link_next(request: Request, response: Response, *, after: int | str) -> None:
    """Point to the page behind the row `after`, keeping every other parameter."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "after"]
    query = urlencode([*kept, ("after", after)])
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
