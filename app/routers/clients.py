"""Clients."""

from fastapi import APIRouter, Request, Response, status

from app.routers.deps import AfterId, CallerDep, ClientId, Limit, StaffDep, link_next
from app.routers.errors import problems
from app.schemas.client import ClientIn, ClientOut, ClientPatchIn
from app.services import clients as clients_service

router = APIRouter(prefix="/clients", tags=["clients"])


@router.get("", operation_id="list_clients", summary="List clients", responses=problems(401, 422, 503))
async def list_clients(
    request: Request, response: Response, caller: CallerDep, after: AfterId = None, limit: Limit = 100
) -> list[ClientOut]:
    """Return the clients that the caller may see, by id."""
    rows = await clients_service.list_clients(caller=caller, after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1].id)
    return [ClientOut.model_validate(row) for row in rows]


@router.post(
    "",
    operation_id="create_client",
    summary="Create a client",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 413, 422, 503),
)
async def create_client(body: ClientIn, response: Response, caller: StaffDep) -> ClientOut:
    """Store a new client with its loan and own rate."""
    client = await clients_service.create_client(
        name=body.name, loan=body.loan, margin_requirement=body.margin_requirement, caller=caller
    )
    response.headers["Location"] = f"/clients/{client.id}"
    return ClientOut.model_validate(client)


@router.get("/{clientId}", operation_id="get_client", summary="Get a client", responses=problems(401, 404, 422, 503))
async def get_client(client_id: ClientId, caller: CallerDep) -> ClientOut:
    """Return one client."""
    return ClientOut.model_validate(await clients_service.get_client(client_id, caller=caller))


@router.patch(
    "/{clientId}",
    operation_id="update_client",
    summary="Change a client's name, loan or own rate",
    responses=problems(401, 403, 404, 413, 422, 503),
)
async def update_client(client_id: ClientId, body: ClientPatchIn, caller: StaffDep) -> ClientOut:
    """Set the fields that the body has; a null rate returns to the policy's."""
    changes = body.model_dump(exclude_unset=True)
    return ClientOut.model_validate(await clients_service.update_client(client_id, changes, caller=caller))


@router.delete(
    "/{clientId}",
    operation_id="delete_client",
    summary="Delete a client",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def delete_client(client_id: ClientId, caller: StaffDep) -> None:
    """Delete a client that holds nothing and owes nothing."""
    await clients_service.delete_client(client_id, caller=caller)
