"""Data directories that the server's user can reach, and one PostgreSQL with a password for the run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.clusters import public_folder
from tests.database.processes import wait_until_unused
from tests.process.postgres import PostgreSQL
from tests.server import ROOT


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_a_developer() -> None:
    if dotenv_values(ROOT / ".env"):
        pytest.skip("a .env is here, and the commands under test would follow it")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Name a data directory that does not exist yet."""
    with public_folder() as folder:
        yield Path(folder, "data")
        wait_until_unused(Path(folder, "data"))


@pytest.fixture
def used_dir(data_dir: Path, migrated_cluster: Path) -> Path:
    """Return a data directory with a migrated cluster in it, which holds no row."""
    return shutil.copytree(migrated_cluster, data_dir)


@pytest.fixture
def unmigrated_dir(data_dir: Path, empty_cluster: Path) -> Path:
    """Return a data directory with a cluster in it that has no schema."""
    return shutil.copytree(empty_cluster, data_dir)


@pytest.fixture(scope="session")
def postgres(migrated_cluster: Path) -> Iterator[PostgreSQL]:
    with public_folder() as folder:
        server = PostgreSQL(shutil.copytree(migrated_cluster, Path(folder, "data")))
        server.start()
        yield server
        server.stop()
