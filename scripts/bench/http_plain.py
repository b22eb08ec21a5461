"""
The plain way of `scripts/bench/http`: the same calls as one would write them at first.

FastAPI with response models, Tortoise's models, the user of the token read for each request, the market data of each
position by a query of its own, Decimal arithmetic. It finds its database and its key in the environment.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

from fastapi import Depends, FastAPI, HTTPException  # noqa: TID251 - a server of the benchmark, not the service
from fastapi.security import OAuth2PasswordBearer
from jose import JWTError, jwt  # type: ignore[import-untyped] # it has no types
from pydantic import BaseModel
from tortoise.contrib.fastapi import RegisterTortoise

from app.database.connections import Database, tortoise_config
from app.models import Client, Margin, MarketData, Position, User

_DATABASE_URL: Final = os.environ["DATABASE_URL"]  # noqa: TID251 - a server of the benchmark, not the service
_KEY: Final = os.environ["BENCH_SECRET_KEY"]  # noqa: TID251 - likewise
_ISSUER: Final = "margin-risk-service"
_CENT: Final = Decimal("0.01")
_FLAT_RATE: Final = Decimal("0.25")

_bearer: Final = OAuth2PasswordBearer(tokenUrl="auth/token")


class MarginStatus(BaseModel):
    """A client's margin."""

    timestamp: datetime
    clientId: int  # noqa: N815 - its name on the wire
    portfolio_value: float
    loan_amount: float
    net_equity: float
    margin_requirement: float
    margin_shortfall: float
    margin_call_triggered: bool


class Holding(BaseModel):
    """A position."""

    symbol: str
    quantity: float
    cost_basis: float


class Holdings(BaseModel):
    """All that a client holds."""

    clientId: int  # noqa: N815 - its name on the wire
    positions: list[Holding]


class Stock(BaseModel):
    """A stored price."""

    symbol: str
    timestamp: datetime
    current_price: float


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect the models, with a pool as it comes."""
    config = tortoise_config(Database(_DATABASE_URL))
    del config["connections"]["default"]["credentials"]["reset"]
    async with RegisterTortoise(app, config=config):
        yield


app = FastAPI(lifespan=lifespan)


async def get_user(token: Annotated[str, Depends(_bearer)]) -> User:
    """Return the user of a token."""
    try:
        claims = jwt.decode(token, _KEY, algorithms=["HS256"], audience=_ISSUER, issuer=_ISSUER)
    except JWTError as error:
        raise HTTPException(401) from error
    user = await User.get_or_none(id=int(claims["sub"]))
    if user is None or not user.is_active:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(get_user)]


@app.get("/margin/{client_id}")
async def get_margin(client_id: int, _: CurrentUser) -> MarginStatus:
    """Return a client's margin."""
    client = await Client.get_or_none(id=client_id)
    if client is None:
        raise HTTPException(404)
    margin = await Margin.get(client_id=client_id)
    value = requirement = Decimal(0)
    for position in await Position.filter(client_id=client_id):
        stock = await MarketData.get_or_none(symbol=position.symbol)
        if stock is None:
            raise HTTPException(409)
        worth = (position.quantity * stock.current_price).quantize(_CENT, ROUND_HALF_UP)
        rate = _FLAT_RATE if margin.margin_requirement is None else margin.margin_requirement
        value += worth
        requirement += (abs(worth) * rate).quantize(_CENT, ROUND_HALF_UP)
    equity = value - margin.loan
    shortfall = max(Decimal(0), requirement - equity)
    return MarginStatus(
        timestamp=datetime.now(UTC),
        clientId=client_id,
        portfolio_value=float(value),
        loan_amount=float(margin.loan),
        net_equity=float(equity),
        margin_requirement=float(requirement),
        margin_shortfall=float(shortfall),
        margin_call_triggered=shortfall > 0,
    )


@app.get("/positions/{client_id}")
async def list_positions(client_id: int, _: CurrentUser) -> Holdings:
    """Return what a client holds."""
    if await Client.get_or_none(id=client_id) is None:
        raise HTTPException(404)
    positions = await Position.filter(client_id=client_id).order_by("symbol")
    return Holdings(
        clientId=client_id,
        positions=[
            Holding(symbol=row.symbol, quantity=float(row.quantity), cost_basis=float(row.cost_basis))
            for row in positions
        ],
    )


@app.get("/stocks")
async def list_stocks(_: CurrentUser) -> list[Stock]:
    """Return the stored prices."""
    rows = await MarketData.exclude(symbol__endswith="=X").order_by("symbol").limit(1000)
    return [Stock(symbol=row.symbol, timestamp=row.timestamp, current_price=float(row.current_price)) for row in rows]
