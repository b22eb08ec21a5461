"""Settings: every value bounded, every fault named, no value quoted."""

from pathlib import Path

import pytest
from pydantic import ValidationError

import config
from app.core.errors import StartupError
from config import ROOT, Settings, get_settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read settings anew, and from the environment alone."""
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RISK_PORT", "0"),
        ("RISK_PORT", "65536"),
        ("RISK_PORT", "http"),
        ("RISK_HOST", "h" * 256),
        ("RISK_WORKERS", "0"),
        ("RISK_WORKERS", "65"),
        ("RISK_SECRET_KEY", "s" * 31),
        ("RISK_SECRET_KEY", "s" * 4097),
        ("RISK_ADMIN_USERNAME", "no spaces"),
        ("RISK_ADMIN_PASSWORD", "p" * 1025),
        ("RISK_ACCESS_TOKEN_SECONDS", "0"),
        ("RISK_PRICE_PROVIDER", "tealeaves"),
        ("RISK_PRICE_TTL_SECONDS", "nan"),
        ("RISK_PRICE_TTL_SECONDS", "-1"),
        ("RISK_POLL_SECONDS", "0"),
        ("RISK_BASE_CURRENCY", "usd"),
        ("RISK_WARNING_CUSHION", "1.1"),
        ("RISK_INTEREST_RATE", "inf"),
        ("RISK_POOL_SIZE", "1"),
        ("RISK_REQUEST_SECONDS", "0"),
        ("RISK_MAX_BODY_BYTES", "10"),
        ("RISK_DATABASE_WAIT_SECONDS", "-1"),
        ("RISK_LOG_FORMAT", "xml"),
        ("RISK_LOG_LEVEL", "loud"),
    ],
)
def test_value_out_of_bounds_is_refused_by_name_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(StartupError) as caught:
        get_settings()

    first, fault = str(caught.value).splitlines()
    assert first == "these settings cannot be used:"
    assert fault.startswith(f"  {name}: ")
    assert value not in fault.replace(name, "").split()


def test_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "RISK_SECRET_KEY", "RISK_PORT"):
        monkeypatch.setenv(name, "")

    settings = get_settings()

    assert (settings.database_url, settings.secret_key, settings.port) == (None, None, 8000)


def test_relative_data_directory_counts_from_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RISK_DATA_DIR", "elsewhere/data")

    assert get_settings().data_dir == ROOT / "elsewhere" / "data"


def test_absolute_data_directory_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RISK_DATA_DIR", str(tmp_path))

    assert get_settings().data_dir == tmp_path


def test_secrets_do_not_show_in_the_settings_text() -> None:
    settings = Settings(
        _env_file=None,
        database_url="postgres://u:hunter2@h/d",
        secret_key="swordfish" * 4,
        admin_password="hunter22",
    )

    assert not any(secret in repr(settings) for secret in ("hunter2", "swordfish"))


def test_file_that_is_not_text_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"RISK_PORT=\xff\n")
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")

    with pytest.raises(StartupError, match=r"\.env cannot be read"):
        get_settings()


def test_settings_do_not_change() -> None:
    settings = Settings(_env_file=None)

    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc] # what is tested
