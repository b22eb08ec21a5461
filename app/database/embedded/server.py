"""One running server: started on a private unix socket, ready when `start` returns, gone after `stop`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

from app.core.errors import EmbeddedError
from app.database.embedded import lock as lock_file
from app.database.embedded.child import RunAs, watch_parent
from app.database.embedded.cluster import DATABASE, ROLE, ensure_cluster, failure
from app.database.embedded.home import Home, find_home, give

#: The kernel's limit for a socket path is 104 to 108 bytes; the server's own file name takes 15.
_MAX_SOCKET_DIR_BYTES = 88
#: PostgreSQL's limit is 1023 for the path of any file of the cluster.
_MAX_DATA_DIR_BYTES = 900
_RUNTIME_PREFIX = "risk-pg-"
#: Recovery after a power cut comes before readiness.
_READY_SECONDS = 120.0
_POLL_SECONDS = 0.005
_MAX_LOG_BYTES = 4 << 20

#: Fast shutdown first, then one that leaves recovery to the next start; both keep every commit.
_STOP_STEPS = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0))

#: For one service on a small machine. Durability stays at PostgreSQL's defaults (fsync, synchronous_commit on).
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What the server itself says; a failed statement is its client's to report, and may hold personal data.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}


class EmbeddedServer:
    """A running server, to be stopped once; as a context manager it stops at the end of the block."""

    def __init__(self, url: str, cleanup: ExitStack) -> None:
        self.url = url
        self._cleanup = cleanup

    def stop(self) -> None:
        """Shut the server down, within five seconds; does nothing the second time."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(data_dir: Path, *, connections: int) -> EmbeddedServer:
    """
    Start the server of `data_dir`, for so many connections, and wait until it answers.

    Raises:
        EmbeddedError: it cannot run.
    """
    data_dir = data_dir.absolute()
    if len(os.fsencode(data_dir)) > _MAX_DATA_DIR_BYTES:
        raise EmbeddedError(f"The data directory's path is longer than {_MAX_DATA_DIR_BYTES} bytes: set RISK_DATA_DIR.")
    with ExitStack() as cleanup:
        try:
            url = _start(data_dir, cleanup, connections=connections)
        except (OSError, subprocess.SubprocessError) as error:
            raise _translated(error, data_dir) from error
        return EmbeddedServer(url, cleanup.pop_all())


def _start(data_dir: Path, cleanup: ExitStack, *, connections: int) -> str:
    """Do each step of a start, leaving its undoing in `cleanup`; return the URL."""
    _make_data_dir(data_dir)
    lock = lock_file.acquire(data_dir)
    cleanup.callback(os.close, lock)
    _remove_runtime_of(lock_file.read(lock)[1])
    lock_file.write(lock, url="")
    cleanup.callback(lock_file.clear, lock)
    home = find_home(data_dir)
    ensure_cluster(home, lock)
    runtime = _make_runtime(home.run_as)
    cleanup.callback(shutil.rmtree, runtime, ignore_errors=True)
    argv: list[str | Path] = [
        home.programs / "postgres",
        "-D",
        home.cluster,
        "-k",
        runtime,
        "-c",
        f"max_connections={connections}",
    ]
    _launch(home, argv, data_dir / "postgres.log", lock, cleanup)
    url = f"postgres://{ROLE}@/{DATABASE}?host={quote(str(runtime))}"
    lock_file.write(lock, url=url)
    return url


def _make_data_dir(data_dir: Path) -> None:
    """Make the directory for its owner alone; one of root's can be passed, not read, by the server's user."""
    if not data_dir.exists():
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    if (data_dir / "PG_VERSION").exists():
        raise EmbeddedError(f"{data_dir} is a PostgreSQL cluster of somebody else: set RISK_DATA_DIR elsewhere.")


def _make_runtime(run_as: RunAs) -> Path:
    """Return a new directory for the socket, short, mode 0700, owned by the server's user."""
    for base in ("/tmp", tempfile.gettempdir()):  # noqa: S108 - mkdtemp is safe there, and only a short path will do
        with suppress(OSError):
            runtime = Path(tempfile.mkdtemp(prefix=_RUNTIME_PREFIX, dir=base))
            if len(os.fsencode(runtime)) <= _MAX_SOCKET_DIR_BYTES:
                give(runtime, run_as.owner)
                return runtime
            runtime.rmdir()
    raise EmbeddedError(
        "There is no directory for the server's socket: /tmp cannot be written. Set TMPDIR to a short path."
    )


def _remove_runtime_of(url: str) -> None:
    """Remove the socket directory of a server that was killed together with its parent."""
    for host in parse_qs(urlsplit(url).query).get("host", []):
        if Path(host).name.startswith(_RUNTIME_PREFIX):
            shutil.rmtree(host, ignore_errors=True)


def _launch(home: Home, argv: Sequence[str | Path], log: Path, lock: int, cleanup: ExitStack) -> None:
    """Run the server until `cleanup`; return when it accepts connections."""
    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o600)) as output:
        before = output.tell()
        process = home.run_as.spawn([*argv, *settings], output=output, lock=lock, at_end=signal.SIGINT)
    cleanup.callback(_stop, process)
    if sys.platform != "linux":
        cleanup.callback(_end_watcher, watch_parent(process.pid))
    if not _is_ready(process, home.cluster / "postmaster.pid"):
        raise failure(home.cluster, log.read_bytes()[before:].decode(errors="replace"))


def _is_ready(process: subprocess.Popen[bytes], pid_file: Path) -> bool:
    """Wait for the status that the server appends to its pid file when it accepts connections (so does pg_ctl)."""
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            lines = pid_file.read_text().split()
            if lines[:1] == [str(process.pid)] and lines[-1] == "ready":
                return True
        time.sleep(_POLL_SECONDS)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    for step, seconds in _STOP_STEPS:
        process.send_signal(step)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def _end_watcher(watcher: subprocess.Popen[bytes]) -> None:
    watcher.kill()
    watcher.communicate()


def _translated(error: OSError | subprocess.SubprocessError, data_dir: Path) -> EmbeddedError:
    if isinstance(error, OSError):
        where = error.filename or data_dir
        return EmbeddedError(f"The embedded PostgreSQL cannot use {where}: {error.strerror or error}.")
    return EmbeddedError(f"The embedded PostgreSQL in {data_dir} cannot start: {error}.")
