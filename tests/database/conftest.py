"""Data directories that any user of the machine can pass through, and one finished cluster to copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.database.embedded import start_embedded
from app.database.embedded.server import _remove_runtime_of
from tests.clusters import public_folder
from tests.database.processes import wait_until_unused


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Name a data directory that does not exist yet, at a path with a space and a letter beyond ASCII."""
    with public_folder("risk é ") as directory:
        yield Path(directory, "data dir")
        wait_until_unused(Path(directory, "data dir"))
        lock = Path(directory, "data dir", "postgres.lock")
        if lock.is_file():  # of a server that was killed and not started again
            _remove_runtime_of(lock.read_text().partition("\n")[2].strip())


@pytest.fixture
def used_dir(data_dir: Path, empty_cluster: Path) -> Path:
    """Return a data directory with a cluster in it, as a second start finds it."""
    shutil.copytree(empty_cluster, data_dir)
    return data_dir


@pytest.fixture(scope="session")
def serving(empty_cluster: Path) -> Iterator[tuple[str, Path]]:
    """Serve a cluster for the run, for tests that only look at it; return its URL and its data directory."""
    with public_folder("risk-serving-") as directory:
        data_dir = shutil.copytree(empty_cluster, Path(directory, "data"))
        with start_embedded(data_dir) as server:
            yield server.url, data_dir
