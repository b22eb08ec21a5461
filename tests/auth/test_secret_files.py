"""Secrets made on first start: private, whole, the same for all."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.auth.secret_files import load_or_create_password, load_or_create_secret
from app.core.errors import StartupError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_has_256_bits_and_stays(tmp_path: Path) -> None:
    key = load_or_create_secret(tmp_path)

    assert len(bytes.fromhex(key)) == 32
    assert load_or_create_secret(tmp_path) == key
    assert load_or_create_secret(tmp_path / "elsewhere") != key


def test_nobody_else_can_read_what_is_made(tmp_path: Path) -> None:
    load_or_create_secret(tmp_path)
    load_or_create_password(tmp_path, "admin")

    assert mode(tmp_path / "secret_key") == 0o600
    assert mode(tmp_path / "passwords") == 0o700
    assert mode(tmp_path / "passwords" / "admin") == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["passwords", "secret_key"]


def test_rights_of_an_existing_directory_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    load_or_create_secret(tmp_path)

    assert mode(tmp_path) == 0o755


def test_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: load_or_create_secret(tmp_path / "new"), range(64)))

    assert len(keys) == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret_key"]


def test_each_user_gets_a_password_of_its_own(tmp_path: Path) -> None:
    admin, desk = (load_or_create_password(tmp_path, name) for name in ("admin", "desk"))

    assert admin != desk
    assert len(admin) == 20
    assert load_or_create_password(tmp_path, "admin") == admin


def test_a_key_that_others_could_read_is_made_private_with_a_warning(tmp_path: Path) -> None:
    key = load_or_create_secret(tmp_path)
    (tmp_path / "secret_key").chmod(0o644)

    with capture_logs() as logs:
        assert load_or_create_secret(tmp_path) == key

    assert mode(tmp_path / "secret_key") == 0o600
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert key not in str(logs)


@pytest.mark.parametrize("content", ["", "short\n"])
def test_a_damaged_key_is_named_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret_key"
    path.write_text(content)

    with pytest.raises(StartupError, match="damaged"):
        load_or_create_secret(tmp_path)
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartupError, match=f"file{os.sep}secret_key"):
        load_or_create_secret(tmp_path / "file")
