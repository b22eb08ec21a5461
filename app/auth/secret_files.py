"""
Secrets that the first start makes and every later one finds.

`<data_dir>/secret_key` signs tokens; `<data_dir>/passwords/<username>` holds the password made for that user. Each is
one line of text in a file of mode 0600 that appears whole or not at all, so processes that start together agree.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

import structlog

from app.core.errors import StartupError

_SECRET_BYTES: Final = 32
_PASSWORD_BYTES: Final = 15
_PRIVATE_FILE: Final = 0o600
_PRIVATE_DIRECTORY: Final = 0o700
_OTHERS: Final = 0o077

_log = structlog.get_logger(__name__)


def load_or_create_secret(data_dir: Path) -> str:
    """
    Return the key that signs tokens: 256 random bits as 64 hexadecimal digits, made on the first call.

    Raises:
        StartupError: the file cannot be written or read, or is damaged.
    """
    return _load_or_create(data_dir / "secret_key", secrets.token_hex(_SECRET_BYTES))


def load_or_create_password(data_dir: Path, username: str) -> str:
    """
    Return the password made for a user: 120 random bits as 20 characters, made on the first call.

    Args:
        data_dir: the service's own directory; made if it is missing.
        username: normalised, so that it is safe as a file's name.

    Raises:
        StartupError: the file cannot be written or read, or is damaged.
    """
    return _load_or_create(_password_file(data_dir, username), secrets.token_urlsafe(_PASSWORD_BYTES))


def describe_password(data_dir: Path, username: str, *, reveal: bool) -> str:
    """Return a line that says where a user's made password is kept, and what it is if it may be revealed."""
    password = f": {load_or_create_password(data_dir, username)}" if reveal else ""
    return f"New user {username}{password} (kept in {_password_file(data_dir, username)})"


def _password_file(data_dir: Path, username: str) -> Path:
    assert "/" not in username and not username.startswith("."), "services.users checks names"  # noqa: PT018 - one rule
    return data_dir / "passwords" / username


def _load_or_create(path: Path, candidate: str) -> str:
    """Return what the file holds; a missing file gets the candidate."""
    try:
        if not path.exists():
            path.parent.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
            _create(path, candidate)
        return _load(path, at_least=len(candidate))
    except OSError as error:
        raise StartupError(f"cannot keep a secret in {path}: {error.strerror or error}") from error


def _create(path: Path, text: str) -> None:
    """Put a whole file in place, unless another process was first."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # the other process's secret is used
    finally:
        draft.unlink()


def _load(path: Path, *, at_least: int) -> str:
    """Return the line in the file, after taking away whatever rights others have on it."""
    with path.open(encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & _OTHERS and os.name == "posix":
            _log.warning("others could read a secret; changed to 0600", path=str(path), mode=oct(mode))
            path.chmod(_PRIVATE_FILE)
        text = file.read(4096).strip()
    if len(text) < at_least:
        raise StartupError(
            f"{path} is damaged: it should hold {at_least} characters. Delete it to have a new one made."
        )
    return text
