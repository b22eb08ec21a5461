"""Clients."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status

from app.auth.deps import CallerDep, StaffDep
from app.clients import service as clients_service
from app.clients.schemas import ClientIn, ClientOut, ClientPatchIn
from app.idempotency.decorator import idempotent
from app.web.deps import AfterId, ClientId, Limit, link_next
from app.web.etags import TAG, ConditionalGetDep, PreconditionDep, created, tagged
from app.web.problems import problems

router = APIRouter(prefix="/clients", tags=["clients"])

_LOCATION = {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}


@router.get(
    "",
    operation_id="list_clients",
    summary="List clients",
    response_model=list[ClientOut],
    responses=tagged(200, unchanged=True) | problems(401, 422, 503),
)
async def list_clients(
    request: Request,
    caller: CallerDep,
    conditional: ConditionalGetDep,
    name: Annotated[
        str | None,
        Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$", description="How the name begins, in any case."),
    ] = None,
    after: AfterId = None,
    limit: Limit = 100,
) -> Response:
    """Return the clients that the caller may see, by id; with `name`, by name."""
    if name is None:
        rows = await clients_service.list_clients(caller=caller, after=after, limit=limit)
    else:
        rows = await clients_service.find_clients(name, caller=caller, after=after, limit=limit)
    answer = conditional.answer([ClientOut.model_validate(row) for row in rows])
    if len(rows) == limit:
        link_next(request, answer, after=rows[-1].id)
    return answer


@router.post(
    "",
    operation_id="create_client",
    summary="Create a client",
    status_code=status.HTTP_201_CREATED,
    response_model=ClientOut,
    responses={201: {"headers": _LOCATION | TAG}, **problems(401, 403, 413, 422, 503)},
)
@idempotent
async def create_client(body: ClientIn, caller: StaffDep) -> Response:
    """Store a new client with its loan and own rate."""
    client = await clients_service.create_client(
        name=body.name, loan=body.loan, margin_requirement=body.margin_requirement, caller=caller
    )
    return created(ClientOut.model_validate(client), location=f"/clients/{client.id}")


@router.get(
    "/{clientId}",
    operation_id="get_client",
    summary="Get a client",
    response_model=ClientOut,
    responses=tagged(200, unchanged=True) | problems(401, 404, 422, 503),
)
async def get_client(client_id: ClientId, caller: CallerDep, conditional: ConditionalGetDep) -> Response:
    """Return one client."""
    return conditional.answer(ClientOut.model_validate(await clients_service.get_client(client_id, caller=caller)))


@router.patch(
    "/{clientId}",
    operation_id="update_client",
    summary="Change a client's name, loan or own rate",
    response_model=ClientOut,
    responses=tagged(200) | problems(401, 403, 404, 412, 413, 422, 503),
)
async def update_client(
    client_id: ClientId, body: ClientPatchIn, caller: StaffDep, precondition: PreconditionDep
) -> Response:
    """Set the fields that the body has; a null rate returns to the policy's."""
    changes = body.model_dump(exclude_unset=True)
    check = precondition.check(ClientOut.model_validate)
    client = await clients_service.update_client(client_id, changes, caller=caller, check=check)
    return precondition.answer(ClientOut.model_validate(client))


@router.delete(
    "/{clientId}",
    operation_id="delete_client",
    summary="Delete a client",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 412, 422, 503),
)
async def delete_client(client_id: ClientId, caller: StaffDep, precondition: PreconditionDep) -> None:
    """Delete a client that holds nothing and owes nothing."""
    await clients_service.delete_client(client_id, caller=caller, check=precondition.check(ClientOut.model_validate))
