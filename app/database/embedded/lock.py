"""
Who runs the server on a data directory: one locked file with a process id and a URL.

The lock belongs to the open file, which the server inherits: it is held until the last process of the server has
ended, even when the one that started it was killed. So a free lock means that nothing uses the cluster.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from app.core.errors import EmbeddedError

#: How long to wait for a server whose parent was killed to end, or for one that is starting to be ready.
WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.02
_MAX_BYTES = 4096


def acquire(data_dir: Path) -> int:
    """
    Return a descriptor that holds the lock of `data_dir`; closing it everywhere releases the lock.

    Raises:
        EmbeddedError: another process runs this server.
        OSError: the file cannot be opened.
    """
    lock = os.open(_lock_path(data_dir), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _wait_for(lock, data_dir)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _wait_for(lock: int, data_dir: Path) -> None:
    """Take the lock; give up at once while its holder lives, later when only the holder's server is left."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not _try_lock(lock, fcntl.LOCK_EX):
        pid, _ = read(lock)
        if pid != os.getpid() and _is_alive(pid):
            raise EmbeddedError(f"The embedded PostgreSQL in {data_dir} is already running, pid {pid}.")
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"The embedded PostgreSQL in {data_dir} is in use, and the process that started it ended."
            )
        time.sleep(_POLL_SECONDS)


def write(lock: int, *, url: str) -> None:
    """Record that this process holds the lock, and the URL of its server ("" while it is not ready)."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n{url}\n".encode(), 0)


def clear(lock: int) -> None:
    """Record that no process runs the server."""
    os.ftruncate(lock, 0)


def read(lock: int) -> tuple[int, str]:
    """Return what was last recorded: a process id, 0 for none, and a URL, "" for none."""
    pid, _, rest = os.pread(lock, _MAX_BYTES, 0).decode(errors="replace").partition("\n")
    return int(pid) if pid.isdecimal() else 0, rest.partition("\n")[0]


def running_url(data_dir: Path) -> str | None:
    """
    Return the URL of the server that is running on `data_dir`; wait for one that is starting.

    Raises:
        EmbeddedError: the data directory belongs to another user.
    """
    try:
        lock = os.open(_lock_path(data_dir), os.O_RDONLY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EmbeddedError(f"{error.filename} cannot be read: {error.strerror}.") from error
    try:
        return _url_when_ready(lock)
    finally:
        os.close(lock)


def _url_when_ready(lock: int) -> str | None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not _try_lock(lock, fcntl.LOCK_SH):
        pid, url = read(lock)
        if url and _is_alive(pid):
            return url
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    return None


def _lock_path(data_dir: Path) -> Path:
    return data_dir / "postgres.lock"


def _try_lock(lock: int, kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
        return True
    return False


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
