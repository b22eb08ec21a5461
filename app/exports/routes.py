"""Exports: files out, as an import takes them in."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.auth.deps import StaffDep
from app.core.concurrency_limit import ConcurrencyLimit
from app.exports import service as exports_service
from app.files import Format, Kind
from app.web.limits import in_time
from app.web.problems import problems

router = APIRouter(prefix="/exports", tags=["exports"])

_CSV: Final = "text/csv"
_JSON_LINES: Final = "application/jsonl"
_MEDIA_TYPES: Final = {Format.CSV: _CSV, Format.JSON_LINES: _JSON_LINES}
#: A reader that takes nothing for so long is cut off.
WRITE_SECONDS: Final = 60.0
#: Each holds a connection.
_exports = ConcurrencyLimit("exports", at_once=2, waiting=0)

_log = structlog.get_logger(__name__)

FormatQuery = Annotated[Format | None, Query(alias="format", description="Unset: as `Accept` says, else CSV.")]


def _answers(csv: str, json_lines: str) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an export, with an example of each form."""
    schema = {"type": "string"}
    content = {_CSV: {"schema": schema, "example": csv}, _JSON_LINES: {"schema": schema, "example": json_lines}}
    return {200: {"description": "The file, as a stream.", "content": content}, **problems(401, 403, 422, 429, 503)}


class FileResponse(StreamingResponse):
    """A stream that lets go of its resources at its end, and when its reader hangs up or takes nothing any more."""

    def __init__(self, *args: Any, resources: AsyncExitStack, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **kwargs)
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it."""
        async with self._resources:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send what comes; a reader that takes nothing is cut off, and sees that the file has no end."""
        try:
            await super().stream_response(in_time(send, seconds=WRITE_SECONDS))
        except TimeoutError:
            _log.warning("export cut off: its reader takes nothing")


@router.get(
    "/clients",
    operation_id="export_clients",
    summary="Export clients with their loans and rates",
    response_class=StreamingResponse,
    responses=_answers(
        "id,name,loan,margin_requirement\n1,Ada Lovelace,10000,0.3\n",
        '{"id":1,"name":"Ada Lovelace","loan":10000,"margin_requirement":0.3}\n',
    ),
)
async def export_clients(request: Request, _: StaffDep, form: FormatQuery = None) -> StreamingResponse:
    """Return every client by id, as CSV or JSON Lines."""
    return await _export(Kind.CLIENTS, form, request)


@router.get(
    "/positions",
    operation_id="export_positions",
    summary="Export positions",
    response_class=StreamingResponse,
    responses=_answers(
        "clientId,symbol,quantity,cost_basis\n1,AAPL,100,150\n",
        '{"clientId":1,"symbol":"AAPL","quantity":100,"cost_basis":150}\n',
    ),
)
async def export_positions(request: Request, _: StaffDep, form: FormatQuery = None) -> StreamingResponse:
    """Return every position by client and symbol, as CSV or JSON Lines."""
    return await _export(Kind.POSITIONS, form, request)


@router.get(
    "/instruments",
    operation_id="export_instruments",
    summary="Export instruments",
    response_class=StreamingResponse,
    responses=_answers(
        "symbol,name,currency,quote_type,leverage,marginable,house_rate\nTQQQ,ProShares,USD,ETF,3,true,0.9\n",
        '{"symbol":"TQQQ","name":"ProShares","currency":"USD","quote_type":"ETF","leverage":3,"marginable":true,'
        '"house_rate":0.9}\n',
    ),
)
async def export_instruments(request: Request, _: StaffDep, form: FormatQuery = None) -> StreamingResponse:
    """Return every instrument by symbol, as CSV or JSON Lines."""
    return await _export(Kind.INSTRUMENTS, form, request)


async def _export(kind: Kind, form: Format | None, request: Request) -> StreamingResponse:
    """Return an answer whose first piece is there already, so that what fails at once is an error of its own."""
    if form is None:
        accepted = request.headers.get("accept", "")
        form = Format.JSON_LINES if _JSON_LINES in accepted or "x-ndjson" in accepted else Format.CSV
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_exports.acquire())
        pieces = await stack.enter_async_context(exports_service.opened(kind, form))
        first = await anext(pieces)
        headers = {"Content-Disposition": f'attachment; filename="{kind}.{form}"', "Vary": "Accept"}
        return FileResponse(
            _joined(first, pieces), media_type=_MEDIA_TYPES[form], headers=headers, resources=stack.pop_all()
        )


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
