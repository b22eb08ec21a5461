"""
What routes ask for: settings, the price source, the caller, a page. The one place where requests meet settings.

Each is `async`, also where it awaits nothing: FastAPI would hand a plain function to a thread, for every request.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final
from urllib.parse import urlencode

import structlog
from fastapi import Depends, Path, Query, Request, Response, Security
from fastapi.requests import HTTPConnection
from fastapi.security import OAuth2PasswordBearer

from app.errors import AuthenticationError
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from app.schemas.base import LARGEST_ID
from app.schemas.explain import SimulationIn
from app.schemas.stress import SHOCKS_PATTERN, parse_shocks
from app.services import auth as auth_service
from app.services.access import Caller, Role
from app.services.case import CallTerms, CallType, replay_clock, wall_clock
from app.services.explain import Terms
from app.services.margin_reads import MarginReads
from app.services.positions import PositionReads
from app.services.price_gate import PriceFeed
from app.services.sessions import Session, open_session
from app.services.simulate import Changes, Trade
from app.services.stream import Streams
from app.services.stress import DEFAULT_SHOCKS
from app.services.valued import BookSource
from app.services.webhook_address import Addresses
from app.symbols import SYMBOL_INPUT_PATTERN
from config import Settings

ClientId = Annotated[int, Path(alias="clientId", ge=1, le=LARGEST_ID, description="The client's id.", examples=[1])]
UserId = Annotated[int, Path(alias="userId", ge=1, le=LARGEST_ID, description="The user's id.", examples=[1])]
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
ShockedSymbol = Annotated[
    str | None,
    Query(alias="symbol", max_length=32, pattern=SYMBOL_INPUT_PATTERN, description="Move this symbol's price alone."),
]


async def get_shocks(
    shocks: Annotated[
        str | None,
        Query(
            pattern=SHOCKS_PATTERN,
            description="Fractions between commas, each above -1; default -0.5 to 0.5 by 0.1.",
            examples=["-0.2,-0.1"],
        ),
    ] = None,
) -> Sequence[Decimal]:
    """Return the shocks that are asked for."""
    return DEFAULT_SHOCKS if shocks is None else parse_shocks(shocks)


Shocks = Annotated[Sequence[Decimal], Depends(get_shocks)]


async def get_settings(request: Request) -> Settings:
    """Return this process's settings."""
    settings: Settings = request.app.state.settings
    return settings


async def get_feed(request: Request) -> PriceFeed:
    """Return this process's price source, and what its prices are judged by."""
    feed: PriceFeed = request.app.state.feed
    return feed


async def get_book(request: Request) -> BookSource:
    """Return where the valued book comes from."""
    book: BookSource = request.app.state.book
    return book


async def get_margin_reads(request: Request) -> MarginReads:
    """Return where this process's requests wait for margin."""
    reads: MarginReads = request.app.state.margin_reads
    return reads


async def get_position_reads(request: Request) -> PositionReads:
    """Return where this process's requests wait for positions."""
    reads: PositionReads = request.app.state.position_reads
    return reads


async def get_auth(connection: HTTPConnection) -> auth_service.Auth:
    """Return this process's keys, limits and caches of users."""
    auth: auth_service.Auth = connection.app.state.auth
    return auth


async def get_streams(connection: HTTPConnection) -> Streams:
    """Return what feeds this process's streams."""
    streams: Streams = connection.app.state.streams
    return streams


async def get_addresses(request: Request) -> Addresses:
    """Return where webhooks may point to."""
    addresses: Addresses = request.app.state.addresses
    return addresses


async def get_policy(request: Request) -> ActivePolicy:
    """Return the configured margin policy."""
    policy: ActivePolicy = request.app.state.policy
    return policy


SettingsDep = Annotated[Settings, Depends(get_settings)]
FeedDep = Annotated[PriceFeed, Depends(get_feed)]
BookDep = Annotated[BookSource, Depends(get_book)]
PositionReadsDep = Annotated[PositionReads, Depends(get_position_reads)]
MarginReadsDep = Annotated[MarginReads, Depends(get_margin_reads)]
PolicyDep = Annotated[ActivePolicy, Depends(get_policy)]
AuthDep = Annotated[auth_service.Auth, Depends(get_auth)]
StreamsDep = Annotated[Streams, Depends(get_streams)]
AddressesDep = Annotated[Addresses, Depends(get_addresses)]


async def get_terms(settings: SettingsDep, policy: PolicyDep) -> Terms:
    """Return what explanations depend on."""
    return terms_of(settings, policy)


def terms_of(settings: Settings, policy: ActivePolicy) -> Terms:
    """Return what explanations depend on, by the settings."""
    rate = None if settings.interest_rate is None else Decimal(repr(settings.interest_rate))
    return Terms(policy, settings.base_currency, settings.price_stale_seconds, rate)


TermsDep = Annotated[Terms, Depends(get_terms)]


async def get_changes(body: SimulationIn) -> Changes:
    """Return what a simulation changes."""
    form = builtin_policy(body.policy) if isinstance(body.policy, str) else body.policy
    return Changes(
        trades=[Trade(trade.symbol, trade.quantity, trade.price) for trade in body.trades],
        cash=body.cash or Decimal(0),
        prices={price.symbol: price.price for price in body.prices},
        policy=None if form is None else ActivePolicy.of(form),
    )


ChangesDep = Annotated[Changes, Depends(get_changes)]

#: What Swagger UI's Authorize button uses; the answer to a missing token is ours.
_bearer: Final = OAuth2PasswordBearer(
    tokenUrl="auth/token", refreshUrl="auth/refresh", auto_error=False, description="Log in with a user's password."
)


async def get_caller(token: Annotated[str | None, Security(_bearer)], auth: AuthDep) -> Caller:
    """
    Return who is calling; its id goes into every log line of the request.

    Raises:
        AuthenticationError: no token, or one that is not valid (any more).
    """
    if token is None:
        raise _no_token()
    return await caller_of(token, auth=auth)


async def caller_of(token: str, *, auth: auth_service.Auth) -> Caller:
    """
    Return who a token speaks for; its id goes into every log line of the request.

    Raises:
        AuthenticationError: the token is not valid (any more).
    """
    caller = await auth_service.authenticate(token, auth=auth)
    structlog.contextvars.bind_contextvars(user_id=caller.user_id)
    return caller


async def get_session(token: Annotated[str | None, Security(_bearer)], auth: AuthDep) -> Session:
    """
    Return who is calling, for a connection that outlives its request.

    Raises:
        AuthenticationError: no token, or one that is not valid (any more).
    """
    if token is None:
        raise _no_token()
    session = await open_session(token, auth=auth)
    structlog.contextvars.bind_contextvars(user_id=session.caller.user_id)
    return session


def _no_token() -> AuthenticationError:
    return AuthenticationError("This needs a token: send `Authorization: Bearer ...` from POST /auth/token.")


SessionDep = Annotated[Session, Depends(get_session)]
#: Any user.
CallerDep = Annotated[Caller, Depends(get_caller)]


async def get_staff(caller: CallerDep) -> Caller:
    """Return the caller if it works at the desk."""
    caller.check_role(Role.ADMIN, Role.RISK)
    return caller


async def get_admin(caller: CallerDep) -> Caller:
    """Return the caller if it administers the service."""
    caller.check_role(Role.ADMIN)
    return caller


async def get_call_terms(settings: SettingsDep, terms: TermsDep) -> CallTerms:
    """Return what margin calls depend on."""
    return call_terms_of(settings, terms)


def call_terms_of(settings: Settings, terms: Terms) -> CallTerms:
    """Return what margin calls depend on, by the settings."""
    days = {CallType.HOUSE: settings.house_call_days, CallType.EXCHANGE: settings.exchange_call_days}
    clock = replay_clock if settings.price_provider == "replay" else wall_clock
    return CallTerms(terms, settings.warning_cushion, days, clock)


CallTermsDep = Annotated[CallTerms, Depends(get_call_terms)]

#: A user of role `admin` or `risk`.
StaffDep = Annotated[Caller, Depends(get_staff)]
#: A user of role `admin`.
AdminDep = Annotated[Caller, Depends(get_admin)]


def link_next(request: Request, response: Response, *, after: int | str) -> None:
    """Point to the page behind the row `after`, keeping every other parameter."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "after"]
    query = urlencode([*kept, ("after", after)])
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
