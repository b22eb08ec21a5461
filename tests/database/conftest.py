"""Data directories that any user of the machine can pass through, and one finished cluster to copy."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.database.embedded import start_embedded
from app.database.embedded.server import _remove_runtime_of


def _public_directory(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """Return a directory that root's server, which is another user, reaches too; pytest's own it does not."""
    directory = tempfile.TemporaryDirectory(prefix=prefix)
    Path(directory.name).chmod(0o711)
    return directory


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Name a data directory that does not exist yet, at a path with a space and a letter beyond ASCII."""
    with _public_directory("risk é ") as directory:
        yield Path(directory, "data dir")
        lock = Path(directory, "data dir", "postgres.lock")
        if lock.is_file():  # of a server that was killed and not started again
            _remove_runtime_of(lock.read_text().partition("\n")[2].strip())


@pytest.fixture(scope="session")
def finished() -> Iterator[Path]:
    """Make a cluster once for the run."""
    with _public_directory("risk-template-") as directory:
        start_embedded(Path(directory, "data")).stop()
        yield Path(directory, "data")


@pytest.fixture
def used_dir(data_dir: Path, finished: Path) -> Path:
    """Return a data directory with a cluster in it, as a second start finds it."""
    shutil.copytree(finished, data_dir)
    return data_dir


@pytest.fixture(scope="session")
def serving(finished: Path) -> Iterator[tuple[str, Path]]:
    """Serve a cluster for the run, for tests that only look at it; return its URL and its data directory."""
    with _public_directory("risk-serving-") as directory:
        data_dir = shutil.copytree(finished, Path(directory, "data"))
        with start_embedded(data_dir) as server:
            yield server.url, data_dir
