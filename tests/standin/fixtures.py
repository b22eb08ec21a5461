"""Fixtures for tests that run the real yfinance in their own process, or a program that does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin.server import Standin
from tests.standin.world import World


@pytest.fixture(scope="session")
def standin() -> Iterator[Standin]:
    """Start one stand-in for the whole run: yfinance keeps one session and one set of certificates per process."""
    with Standin() as running:
        yield running


@pytest.fixture(scope="session")
def yfinance_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yfinance-cache")


@pytest.fixture
def yahoo(standin: Standin, yfinance_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give an empty world, which this process meets when it asks Yahoo."""
    for name, value in standin.environment(yfinance_cache).items():
        monkeypatch.setenv(name, value)
    standin.world.reset()
    yield standin.world
    standin.world.reset()
