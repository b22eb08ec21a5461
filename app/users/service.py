"""Users: made and changed by an admin, or by the service's own start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change
from app.auth.passwords import PasswordHasher
from app.auth.service import Auth, end_tokens
from app.core.errors import ConflictError, InvalidInputError, NotFoundError
from app.core.usernames import is_username, normalise_username
from app.models import Client, Role, User

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What to change of a user; None leaves it as it is."""

    password: str | None = None
    role: Role | None = None
    client_id: int | None = None
    is_active: bool | None = None


async def list_users(*, after: int | None, limit: int) -> list[User]:
    """Return users by id, behind `after`."""
    return await User.filter(id__gt=after or 0).order_by("id").limit(limit)


async def create_user(
    username: str, *, password: str, role: Role, client_id: int | None, passwords: PasswordHasher, actor: str
) -> User:
    """
    Store a new user and return it.

    Raises:
        InvalidInputError: the name has other characters than allowed.
        ConflictError: the name is taken, the client does not exist, or role and client do not go together.
        UnavailableError: too many passwords are being checked.
    """
    username = normalise_username(username)
    if not is_username(username):
        raise InvalidInputError("A user name has 1 to 64 letters, digits and ._@- and begins with a letter or digit.")
    await _check_client(role, client_id)
    password_hash = await passwords.hash(password)
    try:
        async with in_transaction():
            user = await User.create(username=username, password_hash=password_hash, role=role, client_id=client_id)
            await recorder.record(_change(user, None, _audited(user)), actor=actor)
            return user
    except IntegrityError as error:
        raise ConflictError(f"The user name {username} is taken.") from error


async def update_user(user_id: int, changes: UserChanges, *, auth: Auth, actor: str) -> User:
    """
    Change a user and return it.

    A change of anything that a token grants ends every token of the user. A new role `admin` or `risk` unbinds it
    from its client.

    Raises:
        NotFoundError: there is no such user.
        ConflictError: role and client would not go together, the client does not exist, or no active admin would be
            left.
        UnavailableError: too many passwords are being checked.
    """
    new_hash = await auth.passwords.hash(changes.password) if changes.password is not None else None
    async with in_transaction():
        admins = await _lock_admins()
        user = await User.filter(id=user_id).select_for_update().first()
        if user is None:
            raise NotFoundError(f"No user {user_id}.")
        before, old_hash = _audited(user), user.password_hash
        _apply(user, changes, new_hash)
        await _check_client(user.role, user.client_id)
        if admins == {user.id} and not _is_active_admin(user):
            raise ConflictError("This is the last active admin; make another one first.")
        after = _audited(user) | ({"password_changed": True} if user.password_hash != old_hash else {})
        if before != after:
            await user.save(update_fields=["password_hash", "role", "client_id", "is_active"])
            await end_tokens(user.id)
            await recorder.record(_change(user, before, after), actor=actor)
    auth.users.forget(user_id)
    return user


async def ensure_user(
    username: str,
    *,
    role: Role,
    client_id: int | None = None,
    make_password: Callable[[], str],
    passwords: PasswordHasher,
) -> bool:
    """
    Create a user if there is none of that name; return whether there was none.

    A user that exists is left as it is. `make_password` is called for a new one alone.

    Raises:
        InvalidInputError, ConflictError: as `create_user`.
    """
    if await User.exists(username=normalise_username(username)):
        return False
    try:
        _ = await create_user(
            username,
            password=make_password(),
            role=role,
            client_id=client_id,
            passwords=passwords,
            actor=recorder.SYSTEM,
        )
    except ConflictError:
        if await User.exists(username=normalise_username(username)):  # another process was first
            return False
        raise
    return True


async def ensure_admin(
    username: str, *, password: str | None, make_password: Callable[[], str], passwords: PasswordHasher
) -> bool:
    """
    Make sure that the first admin exists; return whether it was made now.

    Args:
        username: its name.
        password: the one from the settings: replaces one that differs, which ends the admin's tokens. None: a new
            admin gets `make_password()`, and one that exists keeps its password.
        make_password: called for a new admin without a password from the settings.
        passwords: makes and checks hashes.

    Raises:
        InvalidInputError: the name has other characters than allowed.
    """
    make = make_password if password is None else lambda: password
    if await ensure_user(username, role=Role.ADMIN, make_password=make, passwords=passwords):
        return True
    if password is not None:
        await _set_password(normalise_username(username), password, passwords)
    return False


async def _set_password(username: str, password: str, passwords: PasswordHasher) -> None:
    """Store a password if it differs, and end the tokens that came of the old one."""
    user = await User.get(username=username)
    async with passwords.turn():
        same, _ = await passwords.verify(password, user.password_hash)
    if same:
        return
    new_hash = await passwords.hash(password)
    async with in_transaction():
        await User.filter(id=user.id).update(password_hash=new_hash)
        await end_tokens(user.id)
        await recorder.record(_change(user, {}, {"password_changed": True}), actor=recorder.SYSTEM)
    _log.warning("password set from the settings", username=username)


async def _lock_admins() -> set[int]:
    """Return the ids of the active admins, locked, so that two changes cannot remove the last two together."""
    admins = User.filter(role=Role.ADMIN, is_active=True).order_by("id").select_for_update()
    return {admin.id for admin in await admins}


def _apply(user: User, changes: UserChanges, new_hash: str | None) -> None:
    """Change the row in memory."""
    user.password_hash = new_hash or user.password_hash
    if changes.role is not None and changes.role is not Role.CLIENT:
        user.client_id = None
    user.role = changes.role or user.role
    user.client_id = changes.client_id or user.client_id
    user.is_active = user.is_active if changes.is_active is None else changes.is_active


def _audited(user: User) -> dict[str, Any]:
    """Return what an auditor sees of a user: nothing of its password."""
    return {"username": user.username, "role": user.role, "client_id": user.client_id, "is_active": user.is_active}


def _change(user: User, before: dict[str, Any] | None, after: dict[str, Any]) -> Change:
    """Return the change of a user; None before = it is new."""
    action = "create" if before is None else "update"
    return Change(action=action, entity="user", entity_id=user.id, client_id=user.client_id, before=before, after=after)


def _is_active_admin(user: User) -> bool:
    return user.role is Role.ADMIN and user.is_active


async def _check_client(role: Role, client_id: int | None) -> None:
    """Refuse a `client` user without a client, another user with one, and a client that is not there."""
    if (role is Role.CLIENT) != (client_id is not None):
        raise ConflictError("A user of role client needs a client_id, and no other user has one.")
    if client_id is not None and not await Client.exists(id=client_id):
        raise ConflictError(f"No client {client_id}.")
