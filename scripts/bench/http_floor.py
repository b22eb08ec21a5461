"""
The floor of `scripts/bench/http`: as little as a Python server can do for the same figures.

Starlette, asyncpg's pool, one hand-written SQL statement a request, orjson, a token checked by python-jose. It knows
no roles, currencies, policies, deadlines, logs or metrics. It finds its database and its key in the environment.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import orjson  # type: ignore[import-not-found,unused-ignore] # the benchmark brings it; the service does without
from jose import JWTError, jwt  # type: ignore[import-untyped] # it has no types
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_DATABASE_URL: Final = os.environ["DATABASE_URL"]  # noqa: TID251 - a server of the benchmark, not the service
_KEY: Final = os.environ["BENCH_SECRET_KEY"]  # noqa: TID251 - likewise
_ISSUER: Final = "margin-risk-service"

_MARGIN: Final = """
select m.loan::float8 as loan, s.value::float8 as value, (s.value - m.loan)::float8 as equity,
       s.requirement::float8 as requirement, greatest(0, s.requirement - s.value + m.loan)::float8 as shortfall,
       s.unpriced
from margin m
cross join lateral (
    select coalesce(sum(v.value), 0) as value,
           coalesce(sum(round(abs(v.value) * coalesce(m.margin_requirement, 0.25), 2)), 0) as requirement,
           array_agg(v.symbol order by v.symbol) filter (where v.value is null) as unpriced
    from (
        select p.symbol, round(p.quantity * d.current_price, 2) as value
        from position p left join market_data d on d.symbol = p.symbol
        where p.client_id = m.client_id
    ) v
) s
where m.client_id = $1
"""
_POSITIONS: Final = """
select p.symbol, p.quantity::float8 as quantity, p.cost_basis::float8 as cost_basis
from client c left join position p on p.client_id = c.id
where c.id = $1 order by p.symbol
"""
_STOCKS: Final = """
select symbol, "timestamp", current_price::float8 as current_price
from market_data where symbol not like '%=X' order by symbol limit 1000
"""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep a pool of as many connections as the service has."""
    async with asyncpg.create_pool(_DATABASE_URL, min_size=1, max_size=10) as pool:
        app.state.pool = pool
        yield


def is_allowed(request: Request) -> bool:
    """Return whether the request has a token that is good."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        jwt.decode(token, _KEY, algorithms=["HS256"], audience=_ISSUER, issuer=_ISSUER)
    except JWTError:
        return False
    return True


def answer(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - whatever JSON there is
    """Return content as JSON."""
    body = orjson.dumps(content, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)
    return Response(body, status, media_type="application/json")


async def get_margin(request: Request) -> Response:
    """Return a client's margin."""
    if not is_allowed(request):
        return answer({"status": 401}, 401)
    client_id = int(request.path_params["client_id"])
    row: Mapping[str, Any] | None = await request.app.state.pool.fetchrow(_MARGIN, client_id)
    if row is None:
        return answer({"status": 404}, 404)
    if row["unpriced"]:
        return answer({"status": 409, "symbols": row["unpriced"]}, 409)
    return answer(
        {
            "timestamp": datetime.now(UTC),
            "clientId": client_id,
            "portfolio_value": row["value"],
            "loan_amount": row["loan"],
            "net_equity": row["equity"],
            "margin_requirement": row["requirement"],
            "margin_shortfall": row["shortfall"],
            "margin_call_triggered": row["shortfall"] > 0,
        }
    )


async def list_positions(request: Request) -> Response:
    """Return what a client holds."""
    if not is_allowed(request):
        return answer({"status": 401}, 401)
    client_id = int(request.path_params["client_id"])
    rows = await request.app.state.pool.fetch(_POSITIONS, client_id)
    if not rows:
        return answer({"status": 404}, 404)
    return answer({"clientId": client_id, "positions": [dict(row) for row in rows if row["symbol"] is not None]})


async def list_stocks(request: Request) -> Response:
    """Return the stored prices."""
    if not is_allowed(request):
        return answer({"status": 401}, 401)
    return answer([dict(row) for row in await request.app.state.pool.fetch(_STOCKS)])


app = Starlette(
    routes=[
        Route("/margin/{client_id:int}", get_margin),
        Route("/positions/{client_id:int}", list_positions),
        Route("/stocks", list_stocks),
    ],
    lifespan=lifespan,
)
