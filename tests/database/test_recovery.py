"""What a start finds on disk: leftovers it clears, and things of others it leaves alone."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import EmbeddedError
from app.database.embedded import running_embedded, start_embedded
from tests.database.processes import becomes_true, kill, serve


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_first_start_killed_half_way_is_repeated(data_dir: Path) -> None:
    owner = serve(data_dir)
    assert becomes_true(lambda: any(data_dir.glob("postgres.new-*/base")), seconds=5)
    kill(owner)

    start_embedded(data_dir).stop()

    assert sorted(path.name for path in data_dir.iterdir()) == ["postgres", "postgres.lock", "postgres.log"]


def test_stale_record_of_a_running_server_is_ignored(used_dir: Path) -> None:
    (used_dir / "postgres.lock").write_text(f"{os.getppid()}\npostgres://risk@/risk?host=/tmp/risk-pg-gone\n")

    assert running_embedded(used_dir) is None
    start_embedded(used_dir).stop()


@pytest.mark.parametrize("pid", [os.getppid(), 2**22 - 1], ids=["of another program", "of nobody"])
def test_stale_postmaster_pid_is_ignored(used_dir: Path, pid: int) -> None:
    (used_dir / "postgres" / "postmaster.pid").write_text(f"{pid}\n{used_dir / 'postgres'}\n0\n5432\n\n\n\nready\n")

    start_embedded(used_dir).stop()


def test_cluster_served_by_another_postgresql_is_left_alone(used_dir: Path) -> None:
    other = subprocess.Popen(["/bin/sh", "-c", "read -r line", "sh", str(used_dir / "postgres")], stdin=subprocess.PIPE)
    (used_dir / "postgres" / "postmaster.pid").write_text(f"{other.pid}\n")

    with pytest.raises(EmbeddedError, match=f"pid {other.pid}"):
        start_embedded(used_dir)

    other.communicate()


def test_directory_with_files_of_somebody_else_is_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "thesis.txt").write_text("chapter one")
    before = snapshot(data_dir / "postgres")

    with pytest.raises(EmbeddedError, match=r"not made by this service.*RISK_DATA_DIR"):
        start_embedded(data_dir)

    assert snapshot(data_dir / "postgres") == before


def test_data_directory_that_is_a_cluster_itself_is_left_alone(used_dir: Path) -> None:
    cluster = used_dir / "postgres"
    before = snapshot(cluster)

    with pytest.raises(EmbeddedError, match="RISK_DATA_DIR"):
        start_embedded(cluster)

    assert snapshot(cluster) == before


@pytest.mark.parametrize("version", ["19", "16"])
def test_cluster_of_another_version_is_left_alone(used_dir: Path, version: str) -> None:
    (used_dir / "postgres" / "PG_VERSION").write_text(f"{version}\n")
    before = snapshot(used_dir / "postgres")

    with pytest.raises(EmbeddedError, match=f"PostgreSQL {version}.*PostgreSQL 18"):
        start_embedded(used_dir)

    assert snapshot(used_dir / "postgres") == before


def test_a_server_that_cannot_start_says_why(used_dir: Path) -> None:
    with (used_dir / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("work_mem = 'plenty'\n")

    with pytest.raises(EmbeddedError, match=r"cannot start: .*(postgresql\.conf|work_mem)"):
        start_embedded(used_dir)

    assert running_embedded(used_dir) is None


def test_a_file_in_place_of_the_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(EmbeddedError, match="data"):
        start_embedded(tmp_path / "data")


def test_a_path_beyond_the_server_s_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="longer than 900 bytes"):
        start_embedded(tmp_path.joinpath(*["d" * 200] * 5))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a disk of 16 MiB, less than a cluster needs."""
    with tempfile.TemporaryDirectory() as directory:
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0755", "tmpfs", directory]
        if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("only root can mount a small disk, where mounting is allowed")
        yield Path(directory)
        subprocess.run(["umount", directory], check=True)


def test_a_full_disk_is_called_full(small_disk: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"disk .* is full"):
        start_embedded(small_disk / "data")

    assert not list((small_disk / "data").glob("postgres.new-*"))
