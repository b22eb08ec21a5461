"""What the pages say of settings and calls is all of them."""

from pathlib import Path

from fastapi import FastAPI

from config import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_every_setting_is_on_its_page() -> None:
    names = {str(field.validation_alias or f"RISK_{name.upper()}") for name, field in Settings.model_fields.items()}

    assert {name for name in names if f"`{name}`" not in SETTINGS} == set()


async def test_every_call_is_in_the_readme(app: FastAPI) -> None:
    calls = {f"{method.upper()} {path}" for path, item in app.openapi()["paths"].items() for method in item}

    assert {call for call in calls if f"`{call}`" not in README} == set()
