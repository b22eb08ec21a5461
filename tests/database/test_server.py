"""A server's life: started, used, stopped, killed, started again."""

import stat
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from app.core.errors import EmbeddedError
from app.database.embedded import running_embedded, start_embedded
from app.database.embedded.child import watch_parent
from tests.database.processes import ROOT, becomes_true, first_line, kill, serve, users_of


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_service_owns_its_database_but_not_the_server(serving: tuple[str, Path]) -> None:
    url, _ = serving

    assert await ask(url, "select current_database() || ' ' || current_user") == "risk risk"
    assert await ask(url, "select usesuper from pg_user where usename = 'risk'") is False


async def test_text_is_unicode(serving: tuple[str, Path]) -> None:
    url, _ = serving

    assert await ask(url, "show server_encoding") == "UTF8"
    assert await ask(url, "select lower('É')") == "é"


async def test_every_commit_is_safe_on_disk(serving: tuple[str, Path]) -> None:
    url, _ = serving

    assert [await ask(url, f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == [
        "on"
    ] * 3


def test_only_the_owner_can_reach_socket_lock_and_log(serving: tuple[str, Path]) -> None:
    url, data_dir = serving
    runtime = Path(url.partition("host=")[2])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data_dir.glob("postgres*")}

    assert modes == {"postgres": 0o700, "postgres.lock": 0o600, "postgres.log": 0o600}
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert len(bytes(runtime)) < 100


def test_server_listens_on_no_network(serving: tuple[str, Path]) -> None:
    _, data_dir = serving
    lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()

    # Lines of the pid file: pid, directory, start, port, socket directory, first TCP address, shared memory, status.
    assert lines[5] == ""


async def test_second_start_finds_what_the_first_stored(used_dir: Path) -> None:
    with start_embedded(used_dir) as server:
        await ask(server.url, "create table kept as select 42 as answer")
    with start_embedded(used_dir) as server:
        assert await ask(server.url, "select answer from kept") == 42


async def test_server_gives_as_many_connections_as_are_asked_for(used_dir: Path) -> None:
    with start_embedded(used_dir, connections=137) as server:
        assert await ask(server.url, "select current_setting('max_connections')::int") == 137


def test_stop_leaves_no_process_and_no_socket(used_dir: Path) -> None:
    server = start_embedded(used_dir)
    runtime = Path(server.url.partition("host=")[2])
    running = users_of(used_dir / "postgres")

    server.stop()
    server.stop()

    assert running
    assert users_of(used_dir / "postgres") == []
    assert not runtime.exists()


async def test_stop_does_not_wait_for_clients(used_dir: Path) -> None:
    server = start_embedded(used_dir)
    connection = await asyncpg.connect(server.url)
    begin = time.monotonic()

    server.stop()

    assert time.monotonic() - begin < 3
    connection.terminate()


def test_another_process_finds_the_running_server(used_dir: Path) -> None:
    before = running_embedded(used_dir)
    owner = serve(used_dir)
    url = first_line(owner)
    during = running_embedded(used_dir)
    kill(owner)

    assert (before, during) == (None, url)
    assert becomes_true(lambda: running_embedded(used_dir) is None, seconds=5)


def test_a_data_directory_that_does_not_exist_has_no_running_server(data_dir: Path) -> None:
    assert running_embedded(data_dir) is None
    assert not data_dir.exists()


async def test_killing_the_parent_ends_the_server_and_loses_nothing(used_dir: Path) -> None:
    owner = serve(used_dir)
    connection = await asyncpg.connect(first_line(owner))
    await connection.execute("create table written (id int primary key)")
    for number in range(50):
        await connection.execute("insert into written values ($1)", number)

    kill(owner)

    assert becomes_true(lambda: not users_of(used_dir / "postgres"), seconds=5)
    connection.terminate()
    with start_embedded(used_dir) as server:
        assert await ask(server.url, "select count(*) from written") == 50


def test_start_right_after_a_kill_waits_for_the_old_server(used_dir: Path) -> None:
    owner = serve(used_dir)
    first_line(owner)
    kill(owner)

    start_embedded(used_dir).stop()


def test_second_start_names_the_process_that_runs_the_server(used_dir: Path) -> None:
    owner = serve(used_dir)
    url = first_line(owner)

    with pytest.raises(EmbeddedError, match=f"already running, pid {owner.pid}"):
        start_embedded(used_dir)

    assert running_embedded(used_dir) == url
    kill(owner)


def test_of_two_first_starts_at_once_one_serves_and_one_is_refused(data_dir: Path) -> None:
    pair = [serve(data_dir), serve(data_dir)]
    answers = sorted(first_line(process) for process in pair)
    for process in pair:
        kill(process)

    assert answers[0].startswith("postgres://")
    assert answers[1].startswith("refused: ")
    assert "already running" in answers[1]


def test_watcher_interrupts_its_charge_when_its_parent_is_killed() -> None:
    script = """
import subprocess, time
from app.database.embedded.child import watch_parent
charge = subprocess.Popen(["sleep", "60"])
watch_parent(charge.pid)
print(charge.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    charge = first_line(parent)

    parent.kill()

    # The charge holds the same pipe: communicate() returns when both have ended.
    parent.communicate(timeout=5)
    assert charge.isdecimal()


def test_watcher_spares_its_charge_while_its_parent_lives() -> None:
    charge = subprocess.Popen(["sleep", "60"])
    watcher = watch_parent(charge.pid)

    watcher.kill()
    watcher.communicate()

    assert charge.poll() is None
    charge.kill()
    charge.wait()
