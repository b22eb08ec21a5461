"""Data directories that the server's user can reach, and one PostgreSQL with a password for the run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from app.database.embedded import start_embedded
from tests.process.postgres import PostgreSQL
from tests.server import ROOT


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_a_developer() -> None:
    if dotenv_values(ROOT / ".env"):
        pytest.skip("a .env is here, and the commands under test would follow it")


def _public_folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="risk-process-")
    Path(folder.name).chmod(0o711)
    return folder


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Name a data directory that does not exist yet."""
    with _public_folder() as folder:
        yield Path(folder, "data")


@pytest.fixture(scope="session")
def _finished() -> Iterator[Path]:
    with _public_folder() as folder:
        start_embedded(Path(folder, "data")).stop()
        yield Path(folder, "data")


@pytest.fixture
def used_dir(data_dir: Path, _finished: Path) -> Path:
    """Return a data directory with an empty cluster in it."""
    return shutil.copytree(_finished, data_dir)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    with _public_folder() as folder:
        server = PostgreSQL(Path(folder))
        server.start()
        yield server
        server.stop()
