"""`docs/adding-a-price-source.md` does what it says, in a copy of the code, and touches one folder."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-price-source.md").read_text(encoding="utf-8")
#: A path on a line of its own, and the blocks that follow it up to the next heading.
STEP = re.compile(r"^`([\w/]+\.py)`\n((?:\n```\w+\n.*?^```\n)+)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)

FETCH = """
import asyncio
from app.providers.registry import build_provider, spec_of
from app.providers.types import SourceContext
from config import ROOT, get_settings

async def newest_stored(source):
    return None

async def main():
    settings = get_settings()
    context = SourceContext(
        settings=settings, ttl_seconds=5, base_currency=settings.base_currency, root=ROOT, newest_stored=newest_stored
    )
    source = build_provider(settings.price_provider, context)
    batch = await source.fetch(["AAPL", "EURUSD=X", "GONE", "HALT"])
    print(*(f"{symbol} {quote.price} {quote.source}" for symbol, quote in batch.quotes.items()), sep="\\n")
    print(dict(batch.refused), set(batch.failed), spec_of("acme").calendars["XNAS"])
    await source.aclose()

asyncio.run(main())
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the application."""
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def patched(text: str, change: str) -> str:
    """Return a text after a change: lines that begin with a blank or `-` become those with a blank or `+`."""
    lines = change.splitlines(keepends=True)
    old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
    assert text.count(old) == 1, f"the page changes what is not there: {old}"
    return text.replace(old, new)


def follow(page: str, root: Path) -> set[str]:
    """Do what a page says; return the files that it touched."""
    touched = set()
    for path, blocks in STEP.findall(page):
        file = root / path
        for kind, content in BLOCK.findall(blocks):
            file.parent.mkdir(exist_ok=True)
            file.write_text(patched(file.read_text(), content) if kind == "diff" else content)
        touched.add(path)
    return touched


def run(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_source_is_one_folder_and_its_row(copy: Path) -> None:
    touched = follow(PAGE, copy)

    new = {"__init__.py", "client.py", "source.py"}
    assert touched == {"app/providers/registry.py", *(f"app/providers/acme/{name}" for name in new)}
    assert {"/".join(Path(path).parts[:2]) for path in touched} == {"app/providers"}
    assert (copy / "config.py").read_text() == (ROOT / "config.py").read_text()


def test_the_new_source_is_chosen_by_its_name_and_gives_quotes(copy: Path) -> None:
    follow(PAGE, copy)

    done = run(copy, "-c", FETCH, RISK_PRICE_PROVIDER="acme")

    assert done.stdout.splitlines() == [
        "AAPL 190.50 acme",
        "EURUSD=X 1.10 acme",
        "{'HALT': <Refusal.ZERO: 'zero'>} set() XNYS",
    ], done.stderr


def test_a_name_that_is_not_there_is_refused_with_those_that_are(copy: Path) -> None:
    follow(PAGE, copy)

    done = run(copy, "-c", "import config; config.get_settings()", RISK_PRICE_PROVIDER="acne")

    assert "RISK_PRICE_PROVIDER: no such price source; it is one of: yahoo, replay, acme" in done.stderr


def test_the_code_of_the_page_is_of_the_house(copy: Path) -> None:
    follow(PAGE, copy)

    style = run(copy, "-m", "ruff", "check", "app/providers")
    form = run(copy, "-m", "ruff", "format", "--check", "app/providers")

    assert (style.returncode, form.returncode) == (0, 0), style.stdout + form.stdout
