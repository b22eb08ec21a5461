"""Corporate actions, for the desk."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status

from app.auth.deps import StaffDep
from app.core.symbols import SYMBOL_INPUT_PATTERN
from app.corporate_actions import decisions
from app.corporate_actions.decisions import Decision
from app.corporate_actions.schemas import ActionState, ApplyIn, CorporateActionIn, CorporateActionOut, DismissIn
from app.idempotency.decorator import idempotent
from app.web.deps import AfterId, Limit, link_next
from app.web.fields import LARGEST_ID
from app.web.problems import problems

router = APIRouter(prefix="/corporate-actions", tags=["corporate actions"])
ActionId = Annotated[int, Path(alias="actionId", ge=1, le=LARGEST_ID, description="The action's id.", examples=[1])]
OtherId = Annotated[int, Path(alias="actionId", ge=1, le=LARGEST_ID, description="The action's id.", examples=[2])]


@router.get(
    "",
    operation_id="list_corporate_actions",
    summary="List corporate actions",
    responses=problems(401, 403, 422, 503),
)
async def list_corporate_actions(
    request: Request,
    response: Response,
    _: StaffDep,
    state: Annotated[ActionState | None, Query(description="Only those in this state.")] = None,
    symbol: Annotated[str | None, Query(pattern=SYMBOL_INPUT_PATTERN, description="Only those of this symbol.")] = None,
    after: AfterId = None,
    limit: Limit = 100,
) -> list[CorporateActionOut]:
    """Return what waits for the desk, and what became of what did, by id."""
    rows = await decisions.list_actions(state=state, symbol=symbol, after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1]["id"])
    return [CorporateActionOut.model_validate(row) for row in rows]


@router.post(
    "",
    operation_id="create_corporate_action",
    summary="Enter a corporate action",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 413, 422, 503),
)
@idempotent
async def create_corporate_action(body: CorporateActionIn, caller: StaffDep) -> CorporateActionOut:
    """Enter what the source does not say; it waits for a decision."""
    row = await decisions.add_action(body.symbol, body.kind, ratio=body.ratio, ex_date=body.ex_date, caller=caller)
    return CorporateActionOut.model_validate(row)


@router.post(
    "/{actionId}/apply",
    operation_id="apply_corporate_action",
    summary="Apply a corporate action",
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
@idempotent
async def apply_corporate_action(action_id: ActionId, body: ApplyIn, caller: StaffDep) -> CorporateActionOut:
    """Give every holder new units for old ones, now or on a later day; the price that waited is used."""
    ratio = None if body.ratio is None else (body.ratio[0], body.ratio[1])
    decision = Decision(reason=body.reason, ratio=ratio, effective_on=body.effective_on)
    return CorporateActionOut.model_validate(await decisions.apply_action(action_id, decision, caller=caller))


@router.post(
    "/{actionId}/dismiss",
    operation_id="dismiss_corporate_action",
    summary="Dismiss a corporate action",
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
@idempotent
async def dismiss_corporate_action(action_id: OtherId, body: DismissIn, caller: StaffDep) -> CorporateActionOut:
    """Leave units as they are, as after a spin-off; the price that waited is used."""
    return CorporateActionOut.model_validate(await decisions.dismiss_action(action_id, body.reason, caller=caller))
