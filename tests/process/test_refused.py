"""Starts that cannot succeed end with a sentence, not with a traceback."""

import socket
from pathlib import Path

import asyncpg
import pytest

from tests.clusters import create_database
from tests.process.postgres import PASSWORD, PostgreSQL
from tests.process.service import run, service


def test_every_bad_setting_is_named_and_none_is_quoted(tmp_path: Path) -> None:
    result = run("main.py", tmp_path / "data", RISK_PORT="many", RISK_SECRET_KEY="hunter2", RISK_LOG_LEVEL="loud")

    assert result.returncode == 1
    first, *faults = result.stderr.splitlines()
    assert first == "error: these settings cannot be used:"
    assert sorted(fault.split(":")[0].strip() for fault in faults) == ["RISK_LOG_LEVEL", "RISK_PORT", "RISK_SECRET_KEY"]
    assert not {"many", "hunter2", "loud"} & set(result.stderr.split())


def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run("main.py", tmp_path / "data", RISK_PORT=port)

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use.")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_more_connections_than_the_embedded_server_gives_are_refused(tmp_path: Path) -> None:
    result = run("main.py", tmp_path / "data", RISK_WORKERS="64", RISK_POOL_SIZE="100")

    assert result.returncode == 1
    # 64 workers, each with its pool, a listener and a leader's; 10 to spare.
    assert result.stderr.startswith("error: RISK_WORKERS and RISK_POOL_SIZE ask for 6538 database connections; ")
    assert not (tmp_path / "data").exists()


def test_wrong_password_for_the_database_is_not_quoted(tmp_path: Path, postgres: PostgreSQL) -> None:
    result = run("main.py", tmp_path / "data", DATABASE_URL=postgres.url(password="swordfish"))

    assert result.returncode == 1
    assert result.stderr == 'error: PostgreSQL cannot be used: password authentication failed for user "risk"\n'


async def test_newer_schema_is_refused(tmp_path: Path, postgres: PostgreSQL) -> None:
    url = await create_database(postgres.url())
    first = run("insert_data.py", tmp_path / "data", DATABASE_URL=url)
    connection = await asyncpg.connect(url)
    await connection.execute(
        "insert into tortoise_migrations (app, name, applied_at) values ('models', '9999_of_tomorrow', now())"
    )
    await connection.close()

    result = run("main.py", tmp_path / "data", DATABASE_URL=url)

    assert first.returncode == 0
    assert result.returncode == 1
    assert result.stderr.startswith("error: the database was migrated by a newer version")
    assert "9999_of_tomorrow" in result.stderr
    assert PASSWORD not in result.stderr


def test_second_service_on_a_data_directory_is_refused(used_dir: Path) -> None:
    with service(used_dir) as server:
        second = run("main.py", used_dir)

        assert second.returncode == 1
        assert second.stderr.startswith("error: ")
        assert f"already running, pid {server.process.pid}" in second.stderr


def test_damaged_secret_is_named_once_whatever_the_number_of_workers(tmp_path: Path, postgres: PostgreSQL) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_key").write_text("short\n")
    (tmp_path / "data" / "secret_key").chmod(0o600)

    result = run("main.py", tmp_path / "data", DATABASE_URL=postgres.url(), RISK_SECRET_KEY="", RISK_WORKERS="2")

    assert result.returncode == 1
    assert "secret_key is damaged" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("command", "word"), [("main.py", "--demo"), ("insert_data.py", "sample prices")])
def test_help_says_what_the_command_does(tmp_path: Path, command: str, word: str) -> None:
    result = run(f"{command} --help", tmp_path / "data")

    assert result.returncode == 0
    assert word in " ".join(result.stdout.split())
    assert "DATABASE_URL" in result.stdout
