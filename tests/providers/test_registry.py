"""The table of price sources: nothing outside their room knows one by its name, and the table itself is light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.errors import StartupError
from app.providers.registry import (
    DESK,
    PLACEHOLDER_NAMES,
    PROVIDER_NAMES,
    REPLAYED_NAMES,
    SAMPLE,
    build_provider,
    check_provider,
    spec_of,
)
from app.providers.types import Capability, SplitSource
from app.stocks.basis import PriceProvenance, price_basis
from config import Settings, get_settings
from tests.providers.context import source_context

ROOT = Path(__file__).parents[2]
NAMES = {*PROVIDER_NAMES, SAMPLE.name, DESK.name}
#: Texts that are no source, though they read like one: the demo user `desk`, and an example in the documents.
ALLOWED = {("app/demo.py", "desk"), ("app/stocks/schemas.py", "yahoo")}


def sources() -> Iterator[Path]:
    yield from (ROOT / name for name in ("config.py", "main.py", "insert_data.py"))
    for path in (ROOT / "app").rglob("*.py"):
        if not path.is_relative_to(ROOT / "app" / "providers") and "migrations" not in path.parts:
            yield path


def mentions(text: str) -> Iterator[str]:
    """Yield each name of a source that is a text of its own in a program, or quoted in a longer one such as SQL."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (name for name in NAMES if node.value == name or f"'{name}'" in node.value)


def test_no_source_is_known_by_its_name_outside_the_room_of_sources() -> None:
    found = {(str(path.relative_to(ROOT)), name) for path in sources() for name in mentions(path.read_text())}

    assert found <= ALLOWED


def test_the_search_finds_comparisons_and_statements() -> None:
    assert set(mentions('a == "replay" or "select 1 where source = \'sample\'"')) == {"replay", "sample"}


def test_a_source_s_folder_is_opened_by_the_registry_alone() -> None:
    vendors = [folder.name for folder in (ROOT / "app" / "providers").iterdir() if (folder / "__init__.py").exists()]
    texts = {path: path.read_text() for path in sources()}

    found = {(path.name, name) for path, text in texts.items() for name in vendors if f"app.providers.{name}" in text}

    assert {"yahoo", "replay"} <= set(vendors)
    assert found == {("config.py", "replay")}  # a base of the settings


@pytest.mark.parametrize("module", ["app.providers.registry", "config"])
def test_the_table_and_the_settings_import_no_source(module: str) -> None:
    heavy = {"yfinance", "pandas", "numpy", "app.providers.yahoo.source", "app.providers.replay.source"}
    program = f"import sys, {module}; print({heavy} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_sources_that_can_be_asked_and_those_that_only_stand_with_prices() -> None:
    assert PROVIDER_NAMES == ("yahoo", "replay")
    assert (REPLAYED_NAMES, PLACEHOLDER_NAMES) == (("replay",), ("sample",))
    for name in (SAMPLE.name, DESK.name, "bloomberg"):
        with pytest.raises(StartupError, match=rf"'{name}'.*yahoo, replay"):
            build_provider(name, source_context())


async def test_a_source_of_splits_says_so() -> None:
    provider = build_provider("yahoo", source_context())
    try:
        assert (Capability.SPLITS in spec_of("yahoo").capabilities) is isinstance(provider, SplitSource)
    finally:
        await provider.aclose()
    assert Capability.SPLITS not in spec_of("replay").capabilities


def test_a_file_that_cannot_be_replayed_is_refused_before_anything_starts(tmp_path: Path) -> None:
    check_provider("yahoo", source_context())
    with pytest.raises(StartupError, match=r"none\.csv cannot be read"):
        check_provider("replay", source_context(replay_file=tmp_path / "none.csv"))


def test_an_unknown_source_is_refused_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISK_PRICE_PROVIDER", "sample")
    get_settings.cache_clear()
    with pytest.raises(StartupError, match=r"RISK_PRICE_PROVIDER: no such price source; it is one of: yahoo, replay"):
        get_settings()
    get_settings.cache_clear()
    assert Settings.model_fields["price_provider"].default == "yahoo"


def test_the_basis_of_a_price_follows_its_source() -> None:
    now = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    old = now - timedelta(days=300)

    bases = {
        name: price_basis(PriceProvenance(name, old, "NMS"), now=now, stale_seconds=1800)
        for name in ("yahoo", "replay", "sample", "desk", "gone")
    }

    assert bases == {"yahoo": "stale", "replay": "close", "sample": "estimate", "desk": "estimate", "gone": "stale"}
