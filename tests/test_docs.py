"""Pages lead where they say, and name what there is."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from config import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_METHODS = "GET|POST|PUT|PATCH|DELETE"


def blocks(page: Path) -> str:
    """Return the shell blocks of a page: those of no language, or of a shell."""
    found, language = [], None
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            language = line[3:].strip() if language is None else None
        elif language in {"", "sh", "bash"}:
            found.append(line)
    return "\n".join(found)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_names_what_there_is(page: Path, app: FastAPI) -> None:
    text = blocks(page)
    for script in re.findall(r"(?:^|\s)(scripts/[\w/.]+|main\.py|insert_data\.py|requirements[\w.]*)", text):
        assert (ROOT / script).exists(), script
    for module in re.findall(r"python3? -m (tests\.[\w.]+|app\.[\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
    paths = [re.sub(r"\{\w+\}", "[^/]+", path) for path in app.openapi()["paths"]]
    for path in re.findall(r"localhost:8000(/[\w/-]*)", text):
        assert any(re.fullmatch(known, path) for known in [*paths, "/docs", "/openapi.json"]), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_setting_and_call_that_a_page_names_is_there(page: Path, app: FastAPI) -> None:
    """The changelog tells of what was."""
    settings = {f"RISK_{name.upper()}" for name in Settings.model_fields} | {"RISK_USERNAME", "RISK_PASSWORD"}
    named = set(re.findall(r"\bRISK_[A-Z_]+[A-Z]\b", page.read_text()))
    calls = {re.sub(r"\{\w+\}", "{}", path) for path in app.openapi()["paths"]} | {
        "/ws",
        "/ws/{}",
        "/docs",
        "/openapi.json",
        "/metrics",  # not of the document
    }
    asked = re.findall(rf"`(?:{_METHODS}|WS) (/[\w/{{}}-]*)`", page.read_text())
    if page.name == "CHANGELOG.md" or page.name.startswith("adding-a-price-source"):
        return
    assert named - settings == set()
    assert {path for path in asked if re.sub(r"\{\w+\}", "{}", path) not in calls} == set()
