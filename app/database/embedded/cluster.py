"""
The cluster on disk: made whole or not at all, and touched only when it is ours and of the server's version.

It is made in a directory beside its place and renamed when it is complete, so a start that was killed half-way leaves
nothing that a later one could mistake for a cluster.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.core.errors import EmbeddedError
from app.database.embedded.home import MAJOR, Home, give

#: Role and database of the service. The role is no superuser; it may make databases, for tests.
ROLE = DATABASE = "risk"
#: Name by which a cluster of ours is known, written to its configuration.
_NAME = "margin-risk"
_UNFINISHED = "postgres.new-"
_INITDB_SECONDS = 120.0
_SQL = f"CREATE ROLE {ROLE} LOGIN CREATEDB;\nCREATE DATABASE {DATABASE} OWNER {ROLE};\n"


def ensure_cluster(home: Home, lock: int) -> None:
    """
    Make the cluster if there is none; otherwise check that it is ours to use.

    Raises:
        EmbeddedError: it belongs to another service, is of another version, or cannot be made.
        OSError: likewise.
    """
    if home.cluster.is_dir() and any(home.cluster.iterdir()):
        _check_ours(home.cluster)
        _check_version(home.cluster)
        give(home.cluster, home.run_as.owner)
        _forget_dead_server(home.cluster)
    else:
        _create(home, lock)


def _check_ours(cluster: Path) -> None:
    configuration = cluster / "postgresql.conf"
    if not configuration.is_file() or f"cluster_name = '{_NAME}'" not in configuration.read_text(errors="replace"):
        raise EmbeddedError(
            f"{cluster} is not empty and was not made by this service; nothing in it was touched. "
            "Set RISK_DATA_DIR to another directory."
        )


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != str(MAJOR):
        raise EmbeddedError(
            f"{cluster} was made by PostgreSQL {found}, but the server here is PostgreSQL {MAJOR}; nothing in it was "
            f"touched. Serve it by PostgreSQL {found} and set DATABASE_URL, or set RISK_DATA_DIR to another directory."
        )


def _forget_dead_server(cluster: Path) -> None:
    """
    Remove a `postmaster.pid` whose process number now belongs to a program that is no PostgreSQL.

    Numbers repeat when a container restarts, and PostgreSQL would refuse to start for ever. One whose process is gone
    PostgreSQL handles by itself.
    """
    pid_file = cluster / "postmaster.pid"
    try:
        pid = pid_file.read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return
    command = _command_line(pid)
    if str(cluster) in command:
        raise EmbeddedError(f"Another PostgreSQL, pid {pid}, uses {cluster}. Stop it first.")
    if command:
        pid_file.unlink()


def _command_line(pid: str) -> str:
    """Return the command line of a process, "" where there is none."""
    if Path("/proc/self/cmdline").exists():
        command = Path("/proc", pid, "cmdline")
        return command.read_bytes().replace(b"\0", b" ").decode(errors="replace") if command.exists() else ""
    ps = ["/bin/ps", "-o", "command=", "-p", pid]
    return subprocess.run(ps, capture_output=True, check=False, text=True).stdout  # noqa: S603 - a number of a pid file


def _create(home: Home, lock: int) -> None:
    """Make the cluster and the service's database beside its place, then move it there in one step."""
    parent = home.cluster.parent
    for leftover in parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    try:
        give(unfinished, home.run_as.owner)
        _initdb(home, unfinished, lock)
        unfinished.rename(home.cluster)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _sync(parent)


def _initdb(home: Home, target: Path, lock: int) -> None:
    """Fill `target`; its files are synced to disk once, at the end."""
    initdb, postgres = home.programs / "initdb", home.programs / "postgres"
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = ["--username=postgres", "--auth-local=trust", "--auth-host=reject"]
    _run(home, [initdb, "-D", target, *locale, *access, "--set", f"cluster_name={_NAME}", "--no-sync"], lock)
    quick = ["-c", "fsync=off", "-c", "exit_on_error=on"]
    _run(home, [postgres, "--single", *quick, "-D", target, "postgres"], lock, text=_SQL)
    _run(home, [initdb, "--sync-only", "-D", target], lock)


def _run(home: Home, argv: Sequence[str | Path], lock: int, text: str = "") -> None:
    process = home.run_as.spawn(argv, output=subprocess.PIPE, stdin=subprocess.PIPE, lock=lock)
    try:
        output, _ = process.communicate(text.encode(), timeout=_INITDB_SECONDS)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    if process.returncode != 0:
        raise failure(home.cluster, output.decode(errors="replace"))


def failure(cluster: Path, output: str) -> EmbeddedError:
    """Return the error that says why a program of PostgreSQL failed, from what it wrote."""
    if "No space left on device" in output or _is_full(cluster.parent):
        return EmbeddedError(f"The disk that holds {cluster} is full. Free some space or set RISK_DATA_DIR elsewhere.")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "error:", "ERROR:"))]
    reason = (telling or lines or ["it said nothing"])[-1]
    return EmbeddedError(f"The embedded PostgreSQL in {cluster} cannot start: {reason}")


def _is_full(directory: Path) -> bool:
    return shutil.disk_usage(directory).free < 1 << 20


def _sync(directory: Path) -> None:
    """Make a rename in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
