"""Margin calls: list and detail, what the desk does with them, and the daily record."""

import csv
import io
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from app.auth.deps import CallerDep, StaffDep
from app.idempotency.decorator import idempotent
from app.margin_calls import desk_actions
from app.margin_calls import service as calls_service
from app.margin_calls.deps import CallSettingsDep
from app.margin_calls.desk_actions import Remark
from app.margin_calls.schemas import CaseOut, DailyRecordOut, ExtensionIn, MarginCallOut, NoteIn, ReasonIn, Type
from app.margin_calls.service import CallDetail
from app.margin_calls.types import Call, CallFilters, StateFilter
from app.web.deps import AfterId, Limit, link_next
from app.web.fields import LARGEST_ID, DateIn, TimestampIn
from app.web.problems import problems

router = APIRouter(prefix="/margin-calls", tags=["margin calls"])

CallId = Annotated[int, Path(alias="callId", ge=1, le=LARGEST_ID, description="The call's id.", examples=[1])]
_MOST_RECORDS: Final = 50_000
_CSV: Final = "text/csv"
_CSV_ANSWER: Final = {
    "schema": {"type": "string"},
    "example": "date,id,clientId,name,type,amount,outstanding,state,opened_at,due_at,met_at,manner,policy\r\n"
    "2026-01-30,1,3,Cleo,house,1700.0,1700.0,open,2026-01-30T15:30:00Z,2026-02-06T21:00:00Z,"
    "2026-02-03T16:12:00Z,deposit,flat 1\r\n",
}
#: A cell that begins so is a formula to a spreadsheet.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def get_filters(
    client_id: Annotated[
        int | None, Query(alias="clientId", ge=1, le=LARGEST_ID, description="Calls of this client.")
    ] = None,
    state: Annotated[
        StateFilter | None, Query(description="`open` is every state that is not closed; else this state alone.")
    ] = None,
    kind: Annotated[Type | None, Query(alias="type", description="Whose requirement.")] = None,
    opened_from: Annotated[TimestampIn | None, Query(description="Opened at or after this time.")] = None,
    opened_to: Annotated[TimestampIn | None, Query(description="Opened before this time.")] = None,
) -> CallFilters:
    """Return which calls are asked for."""
    return CallFilters(client_id=client_id, state=state, type=kind, opened_from=opened_from, opened_to=opened_to)


@router.get("", operation_id="list_margin_calls", summary="List margin calls", responses=problems(401, 404, 422, 503))
async def list_margin_calls(
    request: Request,
    response: Response,
    caller: CallerDep,
    filters: Annotated[CallFilters, Depends(get_filters)],
    after: AfterId = None,
    limit: Limit = 100,
) -> list[MarginCallOut]:
    """Return the calls that the caller may see, by id."""
    calls = await calls_service.list_calls(filters, caller=caller, after=after, limit=limit)
    if len(calls) == limit:
        link_next(request, response, after=calls[-1].id)
    return [_call(call) for call in calls]


@router.get(
    "/daily-record",
    operation_id="get_daily_record",
    summary="Get the daily record of FINRA 4220",
    response_model=list[DailyRecordOut],
    responses=problems(401, 403, 422, 503) | {200: {"content": {_CSV: _CSV_ANSWER}}},
)
async def get_daily_record(
    request: Request,
    response: Response,
    _: StaffDep,
    day: Annotated[DateIn, Query(alias="date", description="A day in New York.", examples=["2026-01-30"])],
    form: Annotated[
        Literal["json", "csv"] | None, Query(alias="format", description="Unset: as `Accept` says.")
    ] = None,
    after: AfterId = None,
    limit: Annotated[
        int, Query(ge=1, le=_MOST_RECORDS, description="Most lines; more: follow `Link`.")
    ] = _MOST_RECORDS,
) -> Response:
    """
    Return every call that was open on a day, with what was required and when and in what manner it was met.

    As JSON, or as CSV with `?format=csv` or `Accept: text/csv`.
    """
    records = await calls_service.daily_record(day, after=after, limit=limit)
    if len(records) == limit:
        link_next(request, response, after=records[-1].id)
    lines = [DailyRecordOut.model_validate(record).model_dump(mode="json", by_alias=True) for record in records]
    as_csv = form == "csv" or (form is None and _CSV in request.headers.get("accept", ""))
    answer = Response(_csv(lines), media_type=_CSV, headers=_attachment(day)) if as_csv else JSONResponse(lines)
    answer.headers.update(response.headers)
    answer.headers["Vary"] = "Accept"
    return answer


@router.get(
    "/{callId}", operation_id="get_margin_call", summary="Get a margin call", responses=problems(401, 404, 422, 503)
)
async def get_margin_call(call_id: CallId, caller: CallerDep, settings: CallSettingsDep) -> CaseOut:
    """Return a call with the explanation that opened it and its history."""
    return _file(await calls_service.get_call(call_id, caller=caller, clock=settings.clock))


@router.post(
    "/{callId}/confirm",
    operation_id="confirm_margin_call",
    summary="Confirm an unconfirmed call",
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
@idempotent
async def confirm_margin_call(
    call_id: CallId, body: ReasonIn, caller: StaffDep, settings: CallSettingsDep
) -> MarginCallOut:
    """Make it a call for the shortfall of this moment, due from today."""
    return _call(await desk_actions.confirm(call_id, _remark(body, body.reason), caller=caller, settings=settings))


@router.post(
    "/{callId}/extend",
    operation_id="extend_margin_call",
    summary="Give a call more time",
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
@idempotent
async def extend_margin_call(
    call_id: CallId, body: ExtensionIn, caller: StaffDep, settings: CallSettingsDep
) -> MarginCallOut:
    """Set a later due date."""
    remark = _remark(body, body.reason)
    return _call(await desk_actions.extend(call_id, body.due_at, remark, caller=caller, settings=settings))


@router.post(
    "/{callId}/cancel",
    operation_id="cancel_margin_call",
    summary="Cancel a call",
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
@idempotent
async def cancel_margin_call(
    call_id: CallId, body: ReasonIn, caller: StaffDep, settings: CallSettingsDep
) -> MarginCallOut:
    """Close a call that a bad price opened; any other shortfall of the client opens a new one."""
    return _call(await desk_actions.cancel(call_id, _remark(body, body.reason), caller=caller, settings=settings))


@router.post(
    "/{callId}/notes",
    operation_id="add_margin_call_note",
    summary="Write a note",
    responses=problems(401, 403, 404, 413, 422, 503),
)
@idempotent
async def add_margin_call_note(
    call_id: CallId, body: NoteIn, caller: StaffDep, settings: CallSettingsDep
) -> MarginCallOut:
    """Add a note to a call's history, open or closed; may set or lift the restriction."""
    return _call(await desk_actions.add_note(call_id, _remark(body, body.note), caller=caller, settings=settings))


def _remark(body: ReasonIn | NoteIn, text: str) -> Remark:
    named = "restriction" in body.model_fields_set
    return Remark(text, {"restriction": body.restriction} if named else {})


def _fields(call: Call) -> dict[str, Any]:
    values = {name: getattr(call, name) for name in MarginCallOut.model_fields if name != "policy"}
    return values | {"policy": {"id": call.policy_id, "version": call.policy_version}}


def _call(call: Call) -> MarginCallOut:
    return MarginCallOut.model_validate(_fields(call))


def _file(found: CallDetail) -> CaseOut:
    further = {
        "snapshot": found.snapshot,
        "history": found.history,
        "liquidations_12_months": found.liquidations_12_months,
    }
    return CaseOut.model_validate(_fields(found.call) | further)


def _attachment(day: date) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="daily-record-{day}.csv"'}


def _csv(lines: Iterable[dict[str, Any]]) -> str:
    """Return lines as CSV (RFC 4180) whose first row names the columns; no cell is a formula."""
    output = io.StringIO()
    names = [field.serialization_alias or name for name, field in DailyRecordOut.model_fields.items()]
    writer = csv.writer(output)
    writer.writerow(names)
    writer.writerows([_cell(line[name]) for name in names] for line in lines)
    return output.getvalue()


def _cell(value: object) -> object:
    """Return a cell: text that a spreadsheet would compute is quoted by an apostrophe, as OWASP advises."""
    if isinstance(value, dict):
        return f"{value['id']} {value['version']}"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
