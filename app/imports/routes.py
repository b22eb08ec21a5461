"""Imports: files in, reports out."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from pydantic import StringConstraints
from pydantic_core import to_json
from starlette.requests import ClientDisconnect

from app.auth.deps import StaffDep
from app.core.concurrency_limit import ConcurrencyLimit
from app.core.errors import Fault, InvalidInputError, UnavailableError
from app.files import Broker, Format, Kind, Layout
from app.idempotency import service as idempotency_service
from app.idempotency.decorator import KeyHeader
from app.idempotency.service import IdempotencyRequest, StoredAnswer
from app.imports import service as imports_service
from app.imports.schemas import ImportOut, ImportSummaryOut
from app.imports.service import Existing, ImportOptions, Mode, Upload
from app.imports.spool import Spool
from app.web.deps import AfterId, Limit, SettingsDep, link_next
from app.web.fields import LARGEST_ID
from app.web.problems import problems

router = APIRouter(prefix="/imports", tags=["imports"])

_FORMATS: Final = {
    "text/csv": Format.CSV,
    "application/jsonl": Format.JSON_LINES,
    "application/x-ndjson": Format.JSON_LINES,
}
_BODY: Final = {
    "required": True,
    "description": "The file: UTF-8, its first row names the columns; compressed with `Content-Encoding: gzip`.",
    "content": {
        "text/csv": {
            "schema": {"type": "string", "format": "binary"},
            "example": "clientId,symbol,quantity,cost_basis\r\n1,AAPL,100,150\r\n1,MSFT,-5,410.25\r\n",
        },
        "application/jsonl": {
            "schema": {"type": "string", "format": "binary"},
            "example": '{"clientId":1,"symbol":"AAPL","quantity":100,"cost_basis":150}\n',
        },
    },
}
#: Received bytes are written to disk in pieces of about this size.
_PIECE_BYTES: Final = 1 << 20
#: Files that this process keeps on disk at a time; of these, one is imported.
_received = ConcurrencyLimit("imports", at_once=8, waiting=0)
_imported = ConcurrencyLimit("imports", at_once=1, waiting=7)

_Mapping = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]{1,32}:[^\x00]+$", max_length=256)]


def get_layout(
    request: Request,
    kind: Annotated[Kind, Query(description="What the rows are.", examples=["positions"])],
    preset: Annotated[Broker | None, Query(description="Positions as this broker exports them.")] = None,
    column: Annotated[
        list[_Mapping] | None,
        Query(
            max_length=20,
            description="`ours:theirs`: our column, and its name in the file.",
            examples=[["symbol:Ticker"]],
        ),
    ] = None,
    client_id: Annotated[
        int | None,
        Query(alias="clientId", ge=1, le=LARGEST_ID, description="Whose positions these are, where the file says not."),
    ] = None,
) -> Layout:
    """
    Return how the file is to be read.

    Raises:
        InvalidInputError: it is of a type that cannot be, or a column is to be two.
    """
    pairs = [pair.split(":", 1) for pair in column or ()]
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        what = "names one of our columns twice"
        raise InvalidInputError(f"column {what}.", faults=[Fault(where=("query", "column"), what=what)])
    return Layout(kind=kind, form=_format(request), preset=preset, mapping=mapping, client_id=client_id)


def get_options(
    layout: Annotated[Layout, Depends(get_layout)],
    mode: Annotated[
        Mode, Query(description="`all`: every row or nothing. `good`: the rows without an error.")
    ] = Mode.ALL,
    existing: Annotated[
        Existing, Query(description="What becomes of records that exist: `update` or `keep` them.")
    ] = Existing.UPDATE,
    dry_run: Annotated[bool, Query(description="Check everything, store nothing but the report.")] = False,  # noqa: FBT002 - a query parameter
) -> ImportOptions:
    """Return how the file is to be imported."""
    return ImportOptions(layout=layout, mode=mode, existing=existing, dry_run=dry_run)


@router.post(
    "",
    operation_id="create_import",
    summary="Import clients, positions or instruments",
    status_code=status.HTTP_201_CREATED,
    response_model=ImportOut,
    responses=problems(401, 403, 413, 422, 429, 503),
    openapi_extra={"requestBody": _BODY},
)
async def create_import(
    request: Request,
    options: Annotated[ImportOptions, Depends(get_options)],
    caller: StaffDep,
    settings: SettingsDep,
    key: KeyHeader = None,
) -> Response:
    """
    Store a file in one transaction, and return the report.

    The report is made whatever the file holds: `state` says whether its rows are stored. A file whose columns are not
    what they should be is a 422 without a report. Columns: clients `id, name, loan, margin_requirement`; positions
    `clientId` (or `client`, a client's name), `symbol, quantity, cost_basis`; instruments `symbol, name, currency,
    quote_type, leverage, marginable, house_rate`. Clients need `id` or `name`: without `id` a row makes a client,
    without `name` it changes the loan or rate of one that exists. Columns that a file does not have stay as they are.
    """
    async with _received.acquire():
        with Spool(settings.data_dir, is_gzip=_is_gzip(request), most_bytes=settings.import_max_bytes) as spool:
            await _receive(request, spool, seconds=settings.request_seconds)
            upload = Upload(file=spool.file, size_bytes=spool.size_bytes, sha256=spool.sha256)

            async def work() -> StoredAnswer:
                report = await imports_service.run(options, upload, base_currency=settings.base_currency, caller=caller)
                headers = {"location": f"/imports/{report.id}", "content-type": "application/json"}
                return StoredAnswer(status.HTTP_201_CREATED, headers, to_json(ImportOut.model_validate(report)))

            async with _imported.acquire():
                if key is None:
                    return _response(await work())
                return _response(
                    await idempotency_service.run_once(_idempotency_request(request, upload, caller.user_id, key), work)
                )


@router.get("", operation_id="list_imports", summary="List imports", responses=problems(401, 403, 422, 503))
async def list_imports(
    request: Request, response: Response, _: StaffDep, after: AfterId = None, limit: Limit = 100
) -> list[ImportSummaryOut]:
    """Return reports by id, without their errors."""
    reports = await imports_service.list_reports(after=after, limit=limit)
    if len(reports) == limit:
        link_next(request, response, after=reports[-1].id)
    return [ImportSummaryOut.model_validate(report) for report in reports]


@router.get(
    "/{importId}",
    operation_id="get_import",
    summary="Get the report of an import",
    responses=problems(401, 403, 404, 422, 503),
)
async def get_import(
    import_id: Annotated[
        int, Path(alias="importId", ge=1, le=LARGEST_ID, description="The import's id.", examples=[1])
    ],
    _: StaffDep,
) -> ImportOut:
    """Return what became of a file, with every error by line and column."""
    return ImportOut.model_validate(await imports_service.get_report(import_id))


def _format(request: Request) -> Format:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _FORMATS:
        raise _refused("Content-Type", f"must be {' or '.join(_FORMATS)}")
    return _FORMATS[media_type]


def _is_gzip(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"gzip", "x-gzip", "identity"}:
        raise _refused("Content-Encoding", "must be gzip, or absent")
    return encoding != "identity"


def _refused(header: str, what: str) -> InvalidInputError:
    return InvalidInputError(f"{header} {what}.", faults=[Fault(where=("header", header), what=what)])


async def _receive(request: Request, spool: Spool, *, seconds: float) -> None:
    """
    Take the body as it comes; each piece has so many seconds.

    Raises:
        InvalidInputError: it cannot be decompressed, or its sender hung up.
        TooLargeError: it is too large once it is decompressed.
        UnavailableError: it comes too slowly, or there is no room for it.
    """
    stream = aiter(request.stream())
    waiting = bytearray()
    try:
        while True:
            async with asyncio.timeout(seconds):
                piece = await anext(stream)
            waiting += piece
            if len(waiting) >= _PIECE_BYTES or not piece:
                await asyncio.to_thread(spool.write, bytes(waiting))
                waiting.clear()
            if not piece:
                break
        await asyncio.to_thread(spool.finish)
    except ClientDisconnect as error:
        raise InvalidInputError("The body ended in the middle.") from error
    except TimeoutError as error:
        raise UnavailableError("The body came too slowly. Send it again.") from error
    except OSError as error:
        raise UnavailableError("There is no room for the file. Send it again later.", retry_after=60) from error


def _idempotency_request(request: Request, upload: Upload, user_id: int, key: str) -> IdempotencyRequest:
    """Return what the key stands for: these parameters with this file."""
    url = request.url
    headers = request.headers.get("content-type", "").encode()
    parts = (request.method.encode(), url.path.encode(), url.query.encode(), headers, upload.sha256.encode())
    return IdempotencyRequest(user_id, key.strip('"'), request.app.state.fingerprints.of(parts))


def _response(answer: StoredAnswer) -> Response:
    headers = dict(answer.headers) | ({"Idempotent-Replayed": "true"} if answer.is_replayed else {})
    return Response(answer.body, status_code=answer.status, headers=headers)
