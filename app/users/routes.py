"""Users, for admins."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request, Response, status

from app.auth.deps import AdminDep, AuthDep
from app.auth.schemas import UserOut
from app.auth.types import Role
from app.idempotency.decorator import idempotent
from app.users import service as users_service
from app.users.schemas import ClientUserIn, StaffUserIn, UserPatchIn
from app.web.deps import AfterId, Limit, link_next
from app.web.fields import LARGEST_ID
from app.web.problems import problems

UserId = Annotated[int, Path(alias="userId", ge=1, le=LARGEST_ID, description="The user's id.", examples=[1])]
router = APIRouter(prefix="/users", tags=["users"])
UserIn = Annotated[StaffUserIn | ClientUserIn, Body(discriminator="role")]


@router.get("", operation_id="list_users", summary="List users", responses=problems(401, 403, 422, 503))
async def list_users(
    request: Request, response: Response, _: AdminDep, after: AfterId = None, limit: Limit = 100
) -> list[UserOut]:
    """Return users by id."""
    rows = await users_service.list_users(after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1].id)
    return [UserOut.model_validate(row) for row in rows]


@router.post(
    "",
    operation_id="create_user",
    summary="Create a user",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 413, 422, 503),
)
@idempotent
async def create_user(body: UserIn, caller: AdminDep, auth: AuthDep) -> UserOut:
    """Store a new user; one of role `client` is bound to a client that exists."""
    user = await users_service.create_user(
        body.username,
        password=body.password,
        role=Role(body.role),
        client_id=body.client_id,
        passwords=auth.passwords,
        actor=caller.username,
    )
    return UserOut.model_validate(user)


@router.patch(
    "/{userId}",
    operation_id="update_user",
    summary="Change a user's password, role, client or state",
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
async def update_user(user_id: UserId, body: UserPatchIn, caller: AdminDep, auth: AuthDep) -> UserOut:
    """Change a user and end its tokens; the last active admin stays one."""
    changes = users_service.UserChanges(
        password=body.password,
        role=Role(body.role) if body.role else None,
        client_id=body.client_id,
        is_active=body.is_active,
    )
    return UserOut.model_validate(await users_service.update_user(user_id, changes, auth=auth, actor=caller.username))
