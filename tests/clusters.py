"""Clusters of PostgreSQL for tests: made once a run, whatever its number of workers, and copied for each use."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from app.database.connections import Database, migrate
from app.database.embedded import start_embedded

#: A migrated database without a row, to which nothing may connect: `create_database` copies it.
MIGRATED: Final = "migrated"
#: A crash of the machine may destroy what such a server stores; a crash of the server may not.
_NOT_DURABLE: Final = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def public_folder(prefix: str = "risk-tests-") -> tempfile.TemporaryDirectory[str]:
    """Return a folder that root's server, which is another user, reaches too; pytest's own it does not."""
    folder = tempfile.TemporaryDirectory(prefix=prefix)
    Path(folder.name).chmod(0o711)
    return folder


def shared_folder(factory: pytest.TempPathFactory, config: pytest.Config) -> Path:
    """Return the folder that all workers of a run have in common."""
    base = factory.getbasetemp()
    return base.parent if hasattr(config, "workerinput") else base


def made_once(folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return a data directory to copy, which the first worker that asks has made and the others wait for."""
    finished = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            with public_folder() as public:
                make(Path(public, "data"))
                unfinished = folder / f"{name}.new"
                shutil.copytree(_cluster_of(Path(public, "data")), unfinished / "postgres")
                unfinished.rename(finished)
    return finished


def make_empty(data_dir: Path) -> None:
    """Make a cluster as the first start of the service makes it; its database `risk` is empty."""
    start_embedded(data_dir).stop()


def make_migrated(data_dir: Path) -> None:
    """Make a cluster whose database `risk` is migrated, and a copy of that, `MIGRATED`."""
    with start_embedded(data_dir) as server:
        asyncio.run(migrate(Database(url=server.url)))
        asyncio.run(_copy_database(server.url, source="risk", name=MIGRATED))


def give_up_durability(data_dir: Path) -> None:
    """Let the server of a copied cluster wait for no disk."""
    with (data_dir / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write(_NOT_DURABLE)


async def create_database(server_url: str, *, migrated: bool = False) -> str:
    """Make a database without a row on a PostgreSQL that runs, its schema empty or `migrated`; return its URL."""
    name = f"test_{uuid4().hex[:12]}"
    await _copy_database(server_url, source=MIGRATED if migrated else "template1", name=name)
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def _copy_database(server_url: str, *, source: str, name: str) -> None:
    connection = await asyncpg.connect(urlunsplit(urlsplit(server_url)._replace(path="/postgres")))
    try:
        await connection.execute(f"create database {name} template {source}")
    finally:
        await connection.close()


def _cluster_of(data_dir: Path) -> Path:
    """Return where a cluster is: in its data directory, or where root had to copy it to."""
    location = data_dir / "postgres.location"
    return Path(location.read_text().strip()) if location.exists() else data_dir / "postgres"
